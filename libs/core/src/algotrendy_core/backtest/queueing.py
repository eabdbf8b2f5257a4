"""One's own orders on a recorded book: where they stand in the queue, and when they are filled.

A limit order joins the back of the queue at its price. Trades at the price serve the queue from the front; of what is
cancelled there, a stated share is taken to have stood ahead; and never can more be ahead than stands there. A trade
beyond the price, or an opposite side that has come to it, fills it. What crosses on arrival walks the book, level by
level; the recorded book is not changed by it. Of a market order what the visible book cannot fill is over.
Invariant: nothing is filled beyond the quantities recorded, except where the market went through the order's price.
"""

from math import inf
from typing import Any

from algotrendy_core.backtest.bar_path import fill, follow, reached
from algotrendy_core.backtest.execution import Rules, on_grid
from algotrendy_core.backtest.working import end, whole_steps
from algotrendy_core.strategies.interface import LIMIT, TRAILING_STOP


def price_at(tick: int, lowest: int, rules: Rules) -> float:
    return on_grid(float(tick + lowest), rules.price_step, rules.prices_per_unit)


def tick_at(price: float, lowest: int, rules: Rules) -> int:
    return round(price / rules.price_step) - lowest


def arrive(
    book: Any, rules: Rules, orders: Any, depth: Any, best: Any, lowest: int, step: int, time: int, last: float,
    fills: Any, trades: Any,
) -> None:  # fmt: skip
    """Orders that have just come: what crosses takes, the rest of a limit joins its queue."""
    for slot in range(len(orders)):
        order = orders[slot]
        if order.kind == 0 or order.arrived == 0:
            continue
        order.arrived = 0
        if order.kind == LIMIT:
            take(book, rules, orders, slot, depth, best, lowest, step, time, fills, trades)
            if order.kind == LIMIT:
                tick = tick_at(order.price, lowest, rules)
                own = 0 if order.side == 1 else 1
                order.ahead = depth[own][tick] if 0 <= tick < len(depth[own]) else 0.0
                order.best = 0.0
        else:
            trigger(book, rules, orders, slot, depth, best, lowest, step, time, last, fills, trades)


def trigger(
    book: Any, rules: Rules, orders: Any, slot: int, depth: Any, best: Any, lowest: int, step: int, time: int,
    last: float, fills: Any, trades: Any,
) -> None:  # fmt: skip
    """Orders that wait for a trade at a price, and market orders, which wait for nothing."""
    order = orders[slot]
    if order.kind == TRAILING_STOP and last == last:
        follow(order, last)
    if reached(order, last, rules):
        take(book, rules, orders, slot, depth, best, lowest, step, time, fills, trades)
        if order.kind != 0:
            end(book, orders, slot, False)


def take(
    book: Any, rules: Rules, orders: Any, slot: int, depth: Any, best: Any, lowest: int, step: int, time: int,
    fills: Any, trades: Any,
) -> None:  # fmt: skip
    """Walk the opposite side from its best price, as far as the order's limit goes."""
    order = orders[slot]
    buys = order.side == 1
    levels = depth[1] if buys else depth[0]
    tick = best[1] if buys else best[0]
    while order.kind != 0 and 0 <= tick < len(levels):
        price = price_at(tick, lowest, rules)
        if order.kind == LIMIT and ((price > order.price) if buys else (price < order.price)):
            return
        if levels[tick] > 0.0:
            before = order.filled
            book.room = levels[tick]
            fill(book, rules, orders, slot, step, time, price, 0, fills, trades)
            if order.filled == before and whole_steps(levels[tick], rules) > 0.0:
                return
        tick += 1 if buys else -1


def traded(
    book: Any, rules: Rules, orders: Any, depth: Any, best: Any, lowest: int, step: int, time: int, side: int,
    price: float, quantity: float, fills: Any, trades: Any,
) -> None:  # fmt: skip
    """A trade was made by somebody of ``side``: it serves the queues of the other side, and triggers what waits."""
    left = quantity
    for slot in range(len(orders)):
        order = orders[slot]
        if order.kind == 0:
            continue
        if order.kind != LIMIT:
            trigger(book, rules, orders, slot, depth, best, lowest, step, time, price, fills, trades)
            continue
        if order.side == side:
            continue
        beyond = (order.price - price) * order.side
        if beyond > rules.price_step * 0.5:
            book.room = inf
            fill(book, rules, orders, slot, step, time, order.price, 1, fills, trades)
        elif beyond > -rules.price_step * 0.5:
            order.ahead -= quantity
            order.best += quantity  # traded here since the level was last told
            if order.ahead < 0.0 and left > 0.0:
                book.room = min(-order.ahead, left)
                order.ahead = 0.0
                before = order.filled
                fill(book, rules, orders, slot, step, time, order.price, 1, fills, trades)
                left -= order.filled - before


def level_changed(
    orders: Any, rules: Rules, lowest: int, side: int, tick: int, was: float, now: float, share: float
) -> None:
    """What stands at a price has changed: less than trades explain was cancelled, in part ahead of one's own orders."""
    for slot in range(len(orders)):
        order = orders[slot]
        if order.kind != LIMIT or order.side != side or tick_at(order.price, lowest, rules) != tick:
            continue
        cancelled = was - now - order.best
        order.best = 0.0
        if cancelled > 0.0:
            order.ahead = max(order.ahead - share * cancelled, 0.0)
        order.ahead = min(order.ahead, now)


def crossed(
    book: Any, rules: Rules, orders: Any, best: Any, lowest: int, step: int, time: int, fills: Any, trades: Any
) -> None:  # fmt: skip
    """The opposite side has come to an order's price: it is filled there."""
    for slot in range(len(orders)):
        order = orders[slot]
        if order.kind != LIMIT:
            continue
        tick = tick_at(order.price, lowest, rules)
        if (best[1] <= tick) if order.side == 1 else (best[0] >= tick):
            book.room = inf
            fill(book, rules, orders, slot, step, time, order.price, 1, fills, trades)

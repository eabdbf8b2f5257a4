"""One bar, or one trade, worked through: which orders at work it fills, when, and at what price.

The path through a bar is, by rule, open, the nearer extreme, the other extreme, close (at equal distance the low comes
first where the bar rose, else the high); a trade is a bar of one price. What was passed at the open fills at the open;
what is reached on the way fills at its own price, in the order of the way, and of orders at one price the first rung
first. Invariant: an order is tried once an event, and a request made at this bar's close is heard by a later one.
"""

from math import inf, nan
from typing import Any

from algotrendy_core.backtest.execution import LIQUIDATION, Rules, is_nothing, settle, slipped
from algotrendy_core.backtest.tiers import at_time
from algotrendy_core.backtest.working import MARKET, end, hear, order_name, whole_steps
from algotrendy_core.strategies.interface import LIMIT, STOP, TAKE_PROFIT, TRAILING_STOP


def work_bar(
    book: Any, rules: Rules, orders: Any, requests: Any, bar: int, time: int, open_: float, high: float, low: float,
    close: float, volume: float, funding_time: Any, funding_rate: Any, fills: Any, trades: Any,
) -> None:  # fmt: skip
    """Take the account and its orders through one bar; ``bar`` is what its fills are filed under."""
    book.sequence += 1
    carry(book, rules, time, open_, funding_time, funding_rate)
    at_time(book.tiers, time, book.traded_value)
    hear(book, orders, requests, time)
    book.volume = volume
    book.room = volume * rules.volume_share if rules.volume_share > 0.0 else inf
    if rules.leverage > 0.0 and at_risk(book) != 0.0:
        limit = liquidation_price(book, rules)
        if (open_ <= limit) if book.position > 0.0 else (open_ >= limit > 0.0):
            liquidate(book, rules, orders, bar, time, open_, fills, trades)
    left = at_open(book, rules, orders, bar, time, open_, fills, trades)
    if left == 0 and (rules.leverage == 0.0 or book.position == 0.0):
        return
    down_first = open_ - low < high - open_ or (open_ - low == high - open_ and close >= open_)
    near = low if down_first else high
    far = high if down_first else low
    walk(book, rules, orders, bar, time, open_, near, fills, trades)
    walk(book, rules, orders, bar, time, near, far, fills, trades)
    walk(book, rules, orders, bar, time, far, close, fills, trades)


def carry(book: Any, rules: Rules, time: int, price: float, funding_time: Any, funding_rate: Any) -> None:
    """What holding costs up to ``time``: funding that fell due, and the borrowing of a short position."""
    while book.funded < len(funding_time) and funding_time[book.funded] <= time:
        due = book.position * price * funding_rate[book.funded]
        book.cash -= due
        book.funding += due
        book.funded += 1
    if book.position < 0.0 and rules.borrow_per_ms > 0.0:
        due = -book.position * price * rules.borrow_per_ms * (time - book.last_time)
        book.cash -= due
        book.borrowing += due
    book.last_time = time


# ── the open ────────────────────────────────────────────────────────────────────────────────────────────────────


def at_open(
    book: Any, rules: Rules, orders: Any, bar: int, time: int, price: float, fills: Any, trades: Any
) -> int:  # fmt: skip
    """Fill what the open has reached already, in the order of the slots; how many orders are left."""
    left = 0
    for slot in range(len(orders)):
        order = orders[slot]
        if order.kind == 0:
            continue
        if order.kind == TRAILING_STOP:
            follow(order, price)
        if order.triggered == 1 or reached(order, price, rules):
            if order.kind == LIMIT and order.arrived == 0:
                fill(book, rules, orders, slot, bar, time, price, 1, fills, trades)
            elif order.kind == LIMIT:
                worse = slipped(price, order.side, rules, 0.0)
                limited = min(worse, order.price) if order.side == 1 else max(worse, order.price)
                fill(book, rules, orders, slot, bar, time, limited, 0, fills, trades)
            else:
                fill(book, rules, orders, slot, bar, time, price, 0, fills, trades)
        order.arrived = 0
    for slot in range(len(orders)):
        if orders[slot].kind != 0:
            left += 1
    return left


def reached(order: Any, price: float, rules: Rules) -> bool:
    """Whether an order goes at ``price``, seen as a price that was jumped to."""
    if order.kind == MARKET:
        return True
    if order.kind == LIMIT:
        # One that arrives at its own price takes what stands there; one that rests may have to be traded through.
        margin = 0.0 if order.arrived == 1 else rules.through
        crossed: bool = (price <= order.price - margin) if order.side == 1 else (price >= order.price + margin)
        return crossed
    trigger = trigger_of(order)
    if order.kind == TAKE_PROFIT:
        return (price <= trigger) if order.side == 1 else (price >= trigger)
    return (price >= trigger) if order.side == 1 else (price <= trigger)


def trigger_of(order: Any) -> float:
    trigger: float = order.price
    if order.kind == TRAILING_STOP:
        trigger = order.best * (1.0 + order.side * order.price)
    return trigger


def follow(order: Any, price: float) -> None:
    """A trailing stop keeps the best price seen: the lowest where it buys, the highest where it sells."""
    if order.best == 0.0:
        order.best = price
    else:
        order.best = min(order.best, price) if order.side == 1 else max(order.best, price)


# ── the way through the bar ─────────────────────────────────────────────────────────────────────────────────────


def walk(
    book: Any, rules: Rules, orders: Any, bar: int, time: int, start: float, stop: float, fills: Any, trades: Any
) -> None:  # fmt: skip
    """Go from one price to another and fill what lies between, nearest first."""
    if start == stop:
        return
    rising = stop > start
    at = start
    while True:
        found, price = -1, nan
        for slot in range(len(orders)):
            order = orders[slot]
            if order.kind == 0 or order.tried == book.sequence:
                continue
            level = level_on_way(order, rising, rules)
            if level != level or ((level > stop) if rising else (level < stop)):
                continue
            level = max(level, at) if rising else min(level, at)
            if found < 0 or ((level < price) if rising else (level > price)):
                found, price = slot, level
        if rules.leverage > 0.0 and (at_risk(book) < 0.0 if rising else at_risk(book) > 0.0):
            limit = liquidation_price(book, rules)
            if limit > 0.0 and ((limit <= stop) if rising else (limit >= stop)):
                limit = max(limit, at) if rising else min(limit, at)
                if found < 0 or ((limit < price) if rising else (limit > price)):
                    liquidate(book, rules, orders, bar, time, limit, fills, trades)
                    at = limit
                    continue
        if found < 0:
            break
        at = price
        order = orders[found]
        if order.kind == LIMIT:
            fill(book, rules, orders, found, bar, time, order.price, 1, fills, trades)
        else:
            order.triggered = 1
            fill(book, rules, orders, found, bar, time, price, 0, fills, trades)
    for slot in range(len(orders)):
        if orders[slot].kind == TRAILING_STOP:
            follow(orders[slot], stop)


def level_on_way(order: Any, rising: bool, rules: Rules) -> float:
    """The price at which an order goes while the price rises (or falls); NaN where that direction does not do it."""
    level = nan
    if order.kind == LIMIT and (order.side == -1) == rising:
        level = order.price + (rules.through if rising else -rules.through)
    elif order.kind == TAKE_PROFIT and (order.side == -1) == rising:
        level = order.price
    elif (order.kind == STOP or order.kind == TRAILING_STOP) and (order.side == 1) == rising:
        level = trigger_of(order)
    return level


# ── filling ─────────────────────────────────────────────────────────────────────────────────────────────────────


def fill(
    book: Any, rules: Rules, orders: Any, slot: int, bar: int, time: int, price: float, maker: int, fills: Any,
    trades: Any,
) -> None:  # fmt: skip
    """Fill as much of an order as the account and the event's volume allow; what is left keeps working."""
    order = orders[slot]
    order.tried = book.sequence
    wanted = whole_steps(order.quantity - order.filled, rules)
    quantity = wanted
    if order.side == -1 and not rules.allow_short:
        quantity = min(quantity, whole_steps(book.position, rules)) if book.position > 0.0 else 0.0
        if quantity == 0.0:
            book.refused += 1
            end(book, orders, slot, False)
            return
    only = quantity < wanted
    if book.room < quantity:
        quantity = whole_steps(book.room, rules)
        only = False
    if quantity <= 0.0:
        if order.kind != LIMIT:
            order.triggered = 1
        return
    if order.kind != LIMIT:
        share = quantity / book.volume if book.volume > 0.0 else 0.0
        price = slipped(price, order.side, rules, rules.impact * share * share)
    ratio = book.tiers.maker if maker == 1 else book.tiers.taker
    if not settle(
        book, rules, bar, time, order.side * quantity, price, ratio, order_name(slot, orders), maker, order.target,
        order.reason, fills, trades,
    ):  # fmt: skip
        end(book, orders, slot, False)
        return
    book.room -= quantity
    order.filled = whole_steps(order.filled + quantity, rules)
    if order.group > 0:
        take_away_others(orders, slot)
    if quantity == wanted or only:
        end(book, orders, slot, quantity == wanted)
    elif order.kind != LIMIT:
        order.triggered = 1


def take_away_others(orders: Any, slot: int) -> None:
    """One cancels the others: the first of a group that is filled, even in part."""
    for other in range(len(orders)):
        if other != slot and orders[other].group == orders[slot].group:
            orders[other].kind = 0


# ── liquidation ─────────────────────────────────────────────────────────────────────────────────────────────────


def liquidation_price(book: Any, rules: Rules) -> float:
    """Where the account's equity is the maintenance margin, other marks unchanged; 0 or less: nowhere."""
    missing = rules.maintenance * book.other_exposure - book.cash - book.other_value
    net = book.position + book.other_position
    price: float = missing / (net - rules.maintenance * abs(net))
    return price


def at_risk(book: Any) -> float:
    """The account's net position where this book's own is on the same side of it: what a liquidation here would cut."""
    net: float = book.position + book.other_position
    return net if net * book.position > 0.0 else 0.0


def liquidate(
    book: Any, rules: Rules, orders: Any, bar: int, time: int, price: float, fills: Any, trades: Any
) -> None:  # fmt: skip
    """Close the position at the market and take every order away; what the strategy wants begins from flat again."""
    for slot in range(len(orders)):
        end(book, orders, slot, False)
    change = -book.position
    worse = slipped(price, 1 if change > 0.0 else -1, rules, 0.0)
    settle(
        book, rules, bar, time, change, worse, book.tiers.taker + rules.liquidation_fee, LIQUIDATION, 0, 0.0, 0,
        fills, trades,
    )  # fmt: skip
    if is_nothing(book.position, change):
        book.position = 0.0
    book.liquidations += 1
    book.held_target = 0.0

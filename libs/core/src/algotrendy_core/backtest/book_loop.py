"""The loop over a recorded book: events change it, requests reach it, and the strategy looks every so often.

Copied for each strategy by ``compilation``, which binds ``step_of``. Whatever is due at one time: what the venue made
first, then requests that reach it, then the strategy's look.
"""

from typing import Any

from algotrendy_core.backtest.bar_path import carry, liquidate, liquidation_price
from algotrendy_core.backtest.book_events import CLEAR, LEVEL, QUOTE, TRADE
from algotrendy_core.backtest.execution import Rules
from algotrendy_core.backtest.ladder_loop import holding_of, mark
from algotrendy_core.backtest.queueing import arrive, crossed, level_changed, price_at, traded
from algotrendy_core.backtest.tiers import at_time
from algotrendy_core.backtest.unbound import step_of
from algotrendy_core.backtest.working import ask_ladder, ask_target, hear, tell
from algotrendy_core.strategies.interface import BookView


def run_book(
    givens: Any, states: Any, ladder: Any, rungs: int, book: Any, rules: Rules, orders: Any, requests: Any,
    clock: Any, best: Any, depth: Any, lasts: Any, lowest: int, interval: int, share: float, start: int, events: Any,
    funding: Any, equity: Any, fills: Any, trades: Any,
) -> int:  # fmt: skip
    """Run from event ``start`` until they end or ``fills`` has no room; where it stopped.

    ``clock`` holds the next look and the number of looks taken, ``best`` the best bid's and ask's ticks, ``depth``
    what stands by tick on both sides, ``lasts`` the last trade's price.
    """
    book.fills, book.trades = 0, 0
    times, kinds, sides, ticks, quantities = events
    for i in range(start, len(times)):
        now = times[i]
        while clock[0] < now or (book.heard < book.asked and requests[book.heard % len(requests)].due < now):
            if book.fills + 4 * len(orders) * (1 + len(orders)) > len(fills):
                return i
            due = requests[book.heard % len(requests)].due if book.heard < book.asked else now
            if due <= clock[0] and due < now:
                listen(book, rules, orders, requests, clock, best, depth, lasts, lowest, due, funding, fills, trades)
                continue
            look(
                givens, states, ladder, rungs, book, rules, orders, requests, clock, best, depth, lasts, lowest,
                equity, interval,
            )  # fmt: skip
        if book.fills + 4 * len(orders) * (1 + len(orders)) > len(fills):
            return i
        change(
            book, rules, orders, clock, best, depth, lasts, lowest, share, now, kinds[i], sides[i], ticks[i],
            quantities[i], fills, trades,
        )  # fmt: skip
        if rules.leverage > 0.0 and book.position != 0.0:
            guard_margin(book, rules, orders, clock, best, depth, lowest, now, fills, trades)
    return len(times)


def listen(
    book: Any, rules: Rules, orders: Any, requests: Any, clock: Any, best: Any, depth: Any, lasts: Any, lowest: int,
    now: int, funding: Any, fills: Any, trades: Any,
) -> None:  # fmt: skip
    book.sequence += 1
    if best[0] >= 0 and best[1] < len(depth[1]):
        middle = (price_at(best[0], lowest, rules) + price_at(best[1], lowest, rules)) * 0.5
        carry(book, rules, now, middle, funding[0], funding[1])
    at_time(book.tiers, now, book.traded_value)
    hear(book, orders, requests, now)
    arrive(book, rules, orders, depth, best, lowest, clock[1], now, lasts[0], fills, trades)


def guard_margin(
    book: Any, rules: Rules, orders: Any, clock: Any, best: Any, depth: Any, lowest: int, now: int, fills: Any,
    trades: Any,
) -> None:  # fmt: skip
    """Liquidate where the middle has come to where equity is the maintenance margin: at the best price on offer."""
    if best[0] < 0 or best[1] >= len(depth[1]):
        return
    bid, ask = price_at(best[0], lowest, rules), price_at(best[1], lowest, rules)
    middle = (bid + ask) * 0.5
    limit = liquidation_price(book, rules)
    if (middle <= limit) if book.position > 0.0 else (middle >= limit > 0.0):
        liquidate(book, rules, orders, clock[1], now, bid if book.position > 0.0 else ask, fills, trades)


def look(
    givens: Any, states: Any, ladder: Any, rungs: int, book: Any, rules: Rules, orders: Any, requests: Any,
    clock: Any, best: Any, depth: Any, lasts: Any, lowest: int, equity: Any, interval: int,
) -> None:  # fmt: skip
    """Let the strategy see the book and ask for what it wants. Before both sides are known there is nothing to see."""
    time = clock[0]
    clock[0] += interval
    index = clock[1]
    clock[1] += 1
    bid, ask = best[0], best[1]
    if bid < 0 or ask >= len(depth[1]):
        equity[index] = book.cash if index == 0 else equity[index - 1]
        return
    bid_price, ask_price = price_at(bid, lowest, rules), price_at(ask, lowest, rules)
    middle = (bid_price + ask_price) * 0.5
    worth = mark(book, rules, middle)
    equity[index] = worth
    capital = worth * rules.capital_share
    tell(orders, ladder, rungs)
    view = BookView(time, bid_price, depth[0][bid], ask_price, depth[1][ask], lasts[0])
    target, reason = step_of(0, givens, states, view, holding_of(book, rules, capital), ladder)
    due = time + rules.latency
    ask_ladder(book, rules, orders, requests, ladder, rungs, reason, due)
    ask_target(book, rules, orders, requests, target, reason, capital, middle, due)


def change(
    book: Any, rules: Rules, orders: Any, clock: Any, best: Any, depth: Any, lasts: Any, lowest: int, share: float,
    now: int, kind: int, side: int, tick: int, quantity: float, fills: Any, trades: Any,
) -> None:  # fmt: skip
    """Take in one recorded event."""
    working = False
    for slot in range(len(orders)):
        if orders[slot].kind != 0:
            working = True
    if kind == TRADE:
        price = price_at(tick, lowest, rules)
        lasts[0] = price
        if working:
            traded(
                book, rules, orders, depth, best, lowest, clock[1], now, side, price, quantity, fills, trades
            )  # fmt: skip
        return
    own = 0 if side == 1 else 1
    levels = depth[own]
    if kind == CLEAR:
        for each in range(len(levels)):
            levels[each] = 0.0
        best[own] = -1 if side == 1 else len(levels)
        return
    if kind == QUOTE:
        while (best[0] > tick) if side == 1 else (best[1] < tick):
            if 0 <= best[own] < len(levels):
                levels[best[own]] = 0.0
            best[own] -= side
    was = levels[tick]
    levels[tick] = quantity
    if working and kind == LEVEL and quantity < was:
        level_changed(orders, rules, lowest, side, tick, was, quantity, share)
    if quantity > 0.0:
        if (tick > best[0]) if side == 1 else (tick < best[1]):
            best[own] = tick
            if working:
                crossed(book, rules, orders, best, lowest, clock[1], now, fills, trades)
    elif tick == best[own]:
        while 0 <= best[own] < len(levels) and levels[best[own]] == 0.0:
            best[own] -= side

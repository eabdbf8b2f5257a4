"""The loop over the merged events of several lanes on one account. A lane is one strategy on one series of bars.

Copied for each set of strategies by ``compilation``, which binds ``step_of``. Cash is handed to the lane whose event
it is and taken back. What others hold of the same instrument is one position with its own, as it is at the venue; what
they hold of other instruments counts, at the last prices seen, as the account's other holdings.
"""

from typing import Any

from algotrendy_core.backtest.bar_path import work_bar
from algotrendy_core.backtest.ladder_loop import holding_of
from algotrendy_core.backtest.unbound import step_of
from algotrendy_core.backtest.working import ask_ladder, ask_target, tell
from algotrendy_core.bars import Candle

DECIDE = 0
WORK = 1
"""Kinds of an event: a bar is over, or an event of its path begins. At one time what is over is decided on first."""


def run_events(
    givens: Any, states: Any, ladders: Any, rungs: Any, books: Any, rules: Any, orders: Any, requests: Any,
    account: Any, marks: Any, intervals: Any, alike: Any, start: int, events: Any, bars: Any, paths: Any, funding: Any,
    equity: Any, held: Any, fills: Any, trades: Any,
) -> int:  # fmt: skip
    """Run from event ``start`` until they end or a lane's ``fills`` have no room; where it stopped.

    ``alike`` has for each lane the first that trades the same instrument.
    """
    for lane in range(len(books)):
        books[lane].fills = 0
        books[lane].trades = 0
    kinds, lanes, rows, files = events
    for at in range(start, len(kinds)):
        lane, row = lanes[at], rows[at]
        book = books[lane]
        if book.fills + len(orders[lane]) + 2 > len(fills[lane]):
            return at
        book.cash = account[0]
        look_around(books, lane, marks, alike)
        if kinds[at] == WORK:
            time, open_, high, low, close, volume = paths
            work_bar(
                book, rules[lane], orders[lane], requests[lane], files[at], time[row], open_[row], high[row],
                low[row], close[row], volume[row], funding[0][lane], funding[1][lane], fills[lane], trades[lane],
            )  # fmt: skip
            marks[lane] = close[row]
            account[0] = book.cash
            continue
        time, open_, high, low, close, volume = bars
        marks[lane] = close[row]
        worth = book.cash + book.position * close[row] + book.other_position * close[row] + book.other_value
        equity[files[at]] = worth
        most = max(abs(book.position), abs(book.other_position))
        holds = most >= rules[lane].quantity_step or book.other_exposure > 0.0
        held[files[at]] = 1 if holds else 0
        capital = worth * rules[lane].capital_share
        tell(orders[lane], ladders[lane], rungs[lane])
        candle = Candle(time[row], open_[row], high[row], low[row], close[row], volume[row])
        holding = holding_of(book, rules[lane], capital)
        target, reason = step_of(lane, givens, states, candle, holding, ladders[lane])
        due = time[row] + intervals[lane] + rules[lane].latency
        ask_ladder(book, rules[lane], orders[lane], requests[lane], ladders[lane], rungs[lane], reason, due)
        ask_target(book, rules[lane], orders[lane], requests[lane], target, reason, capital, close[row], due)
    return len(kinds)


def look_around(books: Any, lane: int, marks: Any, alike: Any) -> None:
    """What the account holds beside this lane's position: of the same instrument, and of each other one, netted."""
    book = books[lane]
    book.other_position, book.other_value, book.other_exposure = 0.0, 0.0, 0.0
    for first in range(len(books)):
        if alike[first] != first:
            continue
        value = 0.0
        for other in range(first, len(books)):
            if other == lane or alike[other] != first:
                continue
            if first == alike[lane]:
                book.other_position += books[other].position
            else:
                value += books[other].position * marks[other]
        book.other_value += value
        book.other_exposure += abs(value)

"""The loop over bars in which every order has a life of its own: work the bars through, decide, ask.

Copied for each strategy by ``compilation``, which binds ``step`` and ``parameters_from``. Two loops: one for strategies
with a ladder, one for strategies that work by targets alone.
"""

from typing import Any

from algotrendy_core.backtest.bar_path import work_bar
from algotrendy_core.backtest.execution import Rules
from algotrendy_core.backtest.unbound import parameters_from, step
from algotrendy_core.backtest.working import ask_ladder, ask_target, tell
from algotrendy_core.bars import Candle
from algotrendy_core.strategies.interface import Holding


def run_ladder(
    given: Any, state: Any, ladder: Any, rungs: int, book: Any, rules: Rules, orders: Any, requests: Any, first: int,
    start: int, interval: int, bars: Any, path: Any, offsets: Any, funding: Any, equity: Any, fills: Any, trades: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Run from bar ``start`` until the bars end or ``fills`` has no room for another bar.

    Where it stopped, and how many fills and trades it wrote.
    """
    parameters = parameters_from(given)
    book.fills, book.trades = 0, 0
    time, open_, high, low, close, volume = bars
    for i in range(start, len(close)):
        if book.fills + (len(orders) + 2) * (offsets[i + 1] - offsets[i]) > len(fills):
            return i, book.fills, book.trades
        work_path(book, rules, orders, requests, first + i, offsets[i], offsets[i + 1], path, funding, fills, trades)
        worth = mark(book, rules, close[i])
        equity[i] = worth
        capital = (worth + book.other_value) * rules.capital_share
        tell(orders, ladder, rungs)
        candle = Candle(time[i], open_[i], high[i], low[i], close[i], volume[i])
        decision = step(parameters, state, candle, holding_of(book, rules, capital), ladder)
        due = time[i] + interval + rules.latency
        ask_ladder(book, rules, orders, requests, ladder, rungs, decision.reason, due)
        ask_target(book, rules, orders, requests, decision.target, decision.reason, capital, close[i], due)
    return len(close), book.fills, book.trades


def run_targets(
    given: Any, state: Any, ladder: Any, rungs: int, book: Any, rules: Rules, orders: Any, requests: Any, first: int,
    start: int, interval: int, bars: Any, path: Any, offsets: Any, funding: Any, equity: Any, fills: Any, trades: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """The same without a ladder: ``ladder`` and ``rungs`` are not looked at."""
    parameters = parameters_from(given)
    book.fills, book.trades = 0, 0
    time, open_, high, low, close, volume = bars
    for i in range(start, len(close)):
        if book.fills + (len(orders) + 2) * (offsets[i + 1] - offsets[i]) > len(fills):
            return i, book.fills, book.trades
        work_path(book, rules, orders, requests, first + i, offsets[i], offsets[i + 1], path, funding, fills, trades)
        worth = mark(book, rules, close[i])
        equity[i] = worth
        capital = (worth + book.other_value) * rules.capital_share
        decision = step(parameters, state, Candle(time[i], open_[i], high[i], low[i], close[i], volume[i]))
        due = time[i] + interval + rules.latency
        ask_target(book, rules, orders, requests, decision.target, decision.reason, capital, close[i], due)
    return len(close), book.fills, book.trades


def work_path(
    book: Any, rules: Rules, orders: Any, requests: Any, bar: int, start: int, stop: int, path: Any, funding: Any,
    fills: Any, trades: Any,
) -> None:  # fmt: skip
    """Work through a bar by the finer bars or trades it is made of."""
    time, open_, high, low, close, volume = path
    for j in range(start, stop):
        work_bar(
            book, rules, orders, requests, bar, time[j], open_[j], high[j], low[j], close[j], volume[j], funding[0],
            funding[1], fills, trades,
        )  # fmt: skip


def mark(book: Any, rules: Rules, price: float) -> float:
    """The account's own worth at ``price``, and whether it holds something."""
    if abs(book.position) >= rules.quantity_step:
        book.bars_with_position += 1
    worth: float = book.cash + book.position * price
    return worth


def holding_of(book: Any, rules: Rules, capital: float) -> Holding:
    """What the strategy is told of itself; less than a step of base is flat."""
    if abs(book.position) < rules.quantity_step:
        return Holding(book.position, 0.0, capital)
    return Holding(book.position, book.cost / book.position, capital)

"""Several symbols, timeframes and strategies on one account.

Each lane is one strategy on one series; all share the cash, and with leverage the margin. Events are merged by time;
at one time bars that are over are decided on before events that begin are worked, and among equals the lane that was
named first comes first. Invariant: one lane alone has the run that ``run_backtest`` gives it; the outcome follows from
the lanes, their order and the config. Lanes on one instrument are one position for margin, as at a venue that keeps one
a symbol: a long and a short offset each other. A liquidation closes the lane whose price brought it about, and the next
one at its own next event where that was not enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core import kernels
from algotrendy_core.backtest import manifest as manifests
from algotrendy_core.backtest.compilation import NotCompilable, bound_to_lanes, given
from algotrendy_core.backtest.config import BacktestConfig, checked, rules_of, tiers_for
from algotrendy_core.backtest.decisions import as_record
from algotrendy_core.backtest.events import NO_RATES, Rates, Trades, path_through
from algotrendy_core.backtest.execution import FILL, TRADE, Book
from algotrendy_core.backtest.general import columns, rows
from algotrendy_core.backtest.portfolio_loop import DECIDE, WORK, run_events
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.backtest.working import Request, WorkingOrder, in_flight
from algotrendy_core.instruments import Instrument
from algotrendy_core.kernels import Floats
from algotrendy_core.performance import Statistics, statistics
from algotrendy_core.strategies.interface import AnyStrategy, Parameters, Rung

_ROOM = 4096
"""Fills of a lane written before they are carried off."""


@dataclass(frozen=True, eq=False)
class Lane:
    strategy: AnyStrategy
    parameters: Parameters
    bars: BarSeries
    instrument: Instrument
    share: Decimal
    """What a target of 1 stands for, of the account's equity."""
    path: BarSeries | Trades | None = None
    funding: Rates | None = None


@dataclass(frozen=True, eq=False)
class PortfolioResult:
    """``equity`` is the account's at each of ``times``, the closes (ms) at which a lane decided; the rest by lane."""

    lanes: tuple[Lane, ...]
    config: BacktestConfig
    times: NDArray[np.int64]
    equity: Floats
    held: NDArray[np.int64]
    """1 where the account held something."""
    fills: tuple[NDArray[Any], ...]
    trades: tuple[NDArray[Any], ...]
    books: tuple[Book, ...]
    """By lane; ``cash`` is the account's in every one."""
    compiled: bool
    not_compiled_because: str | None

    @cached_property
    def statistics(self) -> Statistics:
        """Of the account; a bar is one of the shortest timeframe."""
        return statistics(
            self.equity,
            self.times,
            initial=float(self.config.initial_cash),
            bar_seconds=min(lane.bars.timeframe.seconds for lane in self.lanes),
            profits=np.concatenate([trades["profit"] for trades in self.trades]),
            traded_value=sum(book.traded_value for book in self.books),
            fees=sum(book.fees for book in self.books),
            bars_with_position=int(self.held.sum()),
        )

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Everything that decided the outcome; equal manifests have equal result hashes."""
        return {"lanes": [_described(lane) for lane in self.lanes], "config": self.config.as_dict()}

    @cached_property
    def result_hash(self) -> str:
        return manifests.content_hash(self.times, self.equity, *self.fills, *self.trades)


def run_portfolio(lanes: Sequence[Lane], config: BacktestConfig, *, compiled: bool = True) -> PortfolioResult:
    """Run all lanes on one account. Raises Refused for no lanes, a lane without bars, or a model out of its range."""
    checked(config)
    if not lanes or not all(len(lane.bars) for lane in lanes):
        raise Refused("no_bars", "a portfolio needs lanes, and every lane bars")
    if not compiled:
        return _run(tuple(lanes), config, compiled=False, reason_not=None)
    try:
        return _run(tuple(lanes), config, compiled=True, reason_not=None)
    except NotCompilable as error:
        return _run(tuple(lanes), config, compiled=False, reason_not=str(error))


def _run(lanes: tuple[Lane, ...], config: BacktestConfig, *, compiled: bool, reason_not: str | None) -> PortfolioResult:
    events, bars, paths, times = _merged(lanes)
    count = len(lanes)
    rules = tuple(rules_of(lane.instrument, config, lane.share) for lane in lanes)
    rungs = [lane.strategy.rungs(lane.parameters) if lane.strategy.rungs else 0 for lane in lanes]
    intervals = [lane.bars.timeframe.seconds * 1000 for lane in lanes]
    slots = max(rungs) + 1
    flight = max(in_flight(slots, rule.latency, interval) for rule, interval in zip(rules, intervals, strict=True))
    books: Any = [Book(cash=0.0, tiers=tiers_for(lane.instrument, config)) for lane in lanes]
    states: Any = [lane.strategy.initial_state(lane.parameters) for lane in lanes]
    live = np.array([kernels.to_record(book) for book in books]) if compiled else books
    states = tuple(as_record(state) if compiled else state for state in states)
    width = _ROOM + slots + 2
    fills, trades = np.empty((count, width), dtype=FILL), np.empty((count, 2 * width), dtype=TRADE)
    account, marks = np.array([float(config.initial_cash)]), np.zeros(count)
    equity, held = np.empty(len(times)), np.zeros(len(times), dtype=np.int64)
    rates = [lane.funding or NO_RATES for lane in lanes]
    loop = bound_to_lanes(run_events, tuple(lane.strategy for lane in lanes), compiled=compiled)
    arguments: list[Any] = [
        tuple(given(lane.parameters) for lane in lanes), states, _table(Rung, count, max(slots - 1, 1), compiled),
        np.array(rungs) if compiled else rungs, live, rules, _table(WorkingOrder, count, slots, compiled),
        _table(Request, count, flight, compiled), account if compiled else account.tolist(),
        marks if compiled else marks.tolist(), np.array(intervals) if compiled else intervals,
        np.array(_alike(lanes)) if compiled else _alike(lanes),
    ]  # fmt: skip
    data: list[Any] = [
        columns(*events, compiled=compiled), columns(*bars, compiled=compiled), columns(*paths, compiled=compiled),
        (
            tuple(columns(*(rate.time for rate in rates), compiled=compiled)),
            tuple(columns(*(rate.rate for rate in rates), compiled=compiled)),
        ), equity, held, fills, trades,
    ]  # fmt: skip
    all_fills: list[list[NDArray[Any]]] = [[] for _ in lanes]
    all_trades: list[list[NDArray[Any]]] = [[] for _ in lanes]
    start = 0
    while start < len(events[0]):
        start = _called(loop, [*arguments, start, *data])
        for lane in range(count):
            written, closed = _written(live[lane], compiled)
            all_fills[lane].append(fills[lane, :written].copy())
            all_trades[lane].append(trades[lane, :closed].copy())
    for lane in range(count):
        if compiled:
            kernels.from_record(live[lane], books[lane])
        books[lane].cash = float(arguments[8][0])
    return PortfolioResult(
        lanes, config, times, equity, held, tuple(map(np.concatenate, all_fills)),
        tuple(map(np.concatenate, all_trades)), tuple(books), compiled, reason_not,
    )  # fmt: skip


def _alike(lanes: tuple[Lane, ...]) -> list[int]:
    """Of each lane the first that trades the same instrument."""
    names = [(lane.instrument.venue, lane.instrument.symbol) for lane in lanes]
    return [names.index(name) for name in names]


def _called(loop: Any, arguments: list[Any]) -> int:
    try:
        stopped: int = loop(*arguments)
    except Exception as error:
        # numba is imported only where something was compiled; its errors are told by where they come from.
        if type(error).__module__.startswith("numba."):
            raise NotCompilable(str(error)) from error
        raise
    return stopped


def _written(book: Any, compiled: bool) -> tuple[int, int]:
    return (int(book["fills"]), int(book["trades"])) if compiled else (book.fills, book.trades)


def _table(kind: Any, count: int, width: int, compiled: bool) -> Any:
    made = [rows(kind, width, compiled=compiled) for _ in range(count)]
    return np.stack(made) if compiled else made


def _merged(lanes: tuple[Lane, ...]) -> tuple[tuple[NDArray[Any], ...], Any, Any, NDArray[np.int64]]:
    """All events in order (kind, lane, row, and the bar or the point of the curve they are filed under); the data."""
    kinds, owners, indices, files, moments = [], [], [], [], []
    paths: list[tuple[NDArray[Any], ...]] = []
    closes = [lane.bars.time + lane.bars.timeframe.seconds * 1000 for lane in lanes]
    times = np.unique(np.concatenate(closes))
    first_bar = first_event = 0
    for number, lane in enumerate(lanes):
        path, offsets = path_through(lane.bars, lane.path)
        paths.append(path)
        worked, decided = len(path[0]), len(lane.bars)
        kinds += [np.full(worked, WORK), np.full(decided, DECIDE)]
        owners += [np.full(worked + decided, number)]
        indices += [first_event + np.arange(worked), first_bar + np.arange(decided)]
        files += [np.repeat(np.arange(decided), np.diff(offsets)), np.searchsorted(times, closes[number])]
        moments += [path[0], closes[number]]
        first_event += worked
        first_bar += decided
    order = np.lexsort((np.concatenate(owners), np.concatenate(kinds), np.concatenate(moments)))
    events = tuple(np.concatenate(each)[order].astype(np.int64) for each in (kinds, owners, indices, files))
    bars = tuple(np.concatenate(each) for each in zip(*(lane.bars.columns for lane in lanes), strict=True))
    return events, bars, tuple(np.concatenate(each) for each in zip(*paths, strict=True)), times


def _described(lane: Lane) -> dict[str, Any]:
    return {
        "data": {
            "hash": lane.bars.hash,
            "bars": len(lane.bars),
            "timeframe": lane.bars.timeframe.value,
            "path_hash": lane.path.hash if lane.path is not None else None,
            "funding_hash": lane.funding.hash if lane.funding is not None else None,
        },
        "code": manifests.code_hash(lane.strategy),
        "strategy": lane.strategy.name,
        "parameters": lane.parameters.model_dump(mode="json"),
        "instrument": lane.instrument.model_dump(mode="json"),
        "share": str(lane.share),
    }

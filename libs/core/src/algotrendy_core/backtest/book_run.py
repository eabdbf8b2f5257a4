"""A backtest over recorded book events: queue positions, book walks, latency of feed and of order.

The strategy looks at stated intervals of its own clock, which is behind the venue by the feed's latency; a look at
venue time t sees everything up to t, and what it asks for is at the venue ``feed_latency_ms + latency_ms`` later.
Invariant: nothing but the arguments decides the outcome, and compiled or not it is the same to the last bit.
"""

from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Any

import numpy as np
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core import kernels
from algotrendy_core.backtest import manifest as manifests
from algotrendy_core.backtest.book_events import BookEvents, ticks_of
from algotrendy_core.backtest.book_loop import run_book
from algotrendy_core.backtest.compilation import NotCompilable, bound_to_lanes, given
from algotrendy_core.backtest.config import BacktestConfig, checked, rules_of, tiers_for
from algotrendy_core.backtest.decisions import as_record
from algotrendy_core.backtest.events import NO_RATES, Rates
from algotrendy_core.backtest.execution import FILL, TRADE, Book
from algotrendy_core.backtest.general import columns, rows
from algotrendy_core.backtest.working import Request, WorkingOrder, in_flight
from algotrendy_core.instruments import Instrument
from algotrendy_core.kernels import Floats
from algotrendy_core.strategies.interface import AnyStrategy, Parameters, Rung

_ROOM = 16_384


@dataclass(frozen=True, eq=False)
class BookResult:
    """``equity`` is one value a look, at the middle price; a fill's ``bar`` is the number of the next look."""

    strategy: AnyStrategy
    parameters: Parameters
    events: BookEvents
    instrument: Instrument
    config: BacktestConfig
    interval_ms: int
    times: NDArray[np.int64]
    equity: Floats
    fills: NDArray[Any]
    trades: NDArray[Any]
    book: Book
    compiled: bool
    not_compiled_because: str | None = None

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Everything that decided the outcome; equal manifests have equal result hashes."""
        return {
            "data": {"hash": self.events.hash, "events": len(self.events), "interval_ms": self.interval_ms},
            "code": manifests.code_hash(self.strategy),
            "strategy": self.strategy.name,
            "parameters": self.parameters.model_dump(mode="json"),
            "instrument": self.instrument.model_dump(mode="json"),
            "config": self.config.as_dict(),
        }

    @cached_property
    def result_hash(self) -> str:
        return manifests.content_hash(self.equity, self.fills, self.trades)


def run_book_backtest(
    strategy: AnyStrategy,
    parameters: Parameters,
    events: BookEvents,
    instrument: Instrument,
    config: BacktestConfig,
    *,
    interval_ms: int = 100,
    compiled: bool = True,
    funding: Rates | None = None,
) -> BookResult:
    """Run a strategy that reads the book, looking every ``interval_ms``.

    Slippage and volume share do not apply: the book says what there was. With leverage a position is liquidated as soon
    as the middle of the book asks for it, at the best price on the other side. Raises Refused for a strategy that reads
    bars, and events that are not possible.
    """
    checked(config)
    if strategy.reads != "book" or interval_ms < 1:
        raise Refused("not_for_books", "a book run needs a strategy that reads the book, and looks every so often")
    prepared = ticks_of(events, float(instrument.price_step))
    arguments = (strategy, parameters, events, prepared, instrument, config, interval_ms, funding or NO_RATES)
    if compiled:
        try:
            return _run(*arguments, compiled=True, reason_not=None)
        except NotCompilable as error:
            return _run(*arguments, compiled=False, reason_not=str(error))
    return _run(*arguments, compiled=False, reason_not=None)


def _run(
    strategy: AnyStrategy,
    parameters: Parameters,
    events: BookEvents,
    prepared: tuple[NDArray[np.int64], int, int],
    instrument: Instrument,
    config: BacktestConfig,
    interval_ms: int,
    funding: Rates,
    *,
    compiled: bool,
    reason_not: str | None,
) -> BookResult:
    ticks, lowest, levels = prepared
    rules = rules_of(instrument, config)._replace(slippage=0.0, impact=0.0, volume_share=0.0, through=0.0)
    rungs = strategy.rungs(parameters) if strategy.rungs else 0
    kept = Book(cash=float(config.initial_cash), tiers=tiers_for(instrument, config))
    state = strategy.initial_state(parameters)
    first = int(events.time[0]) - int(events.time[0]) % interval_ms + interval_ms
    looks = max((int(events.time[-1]) - first - 1) // interval_ms + 1, 0)
    clock, best, lasts = np.array([first, 0]), np.array([-1, levels]), np.array([nan])
    depth, equity = np.zeros((2, levels)), np.empty(looks)
    room = _ROOM + 4 * (rungs + 1) * (rungs + 2)
    fills, trades = np.empty(room, dtype=FILL), np.empty(2 * room, dtype=TRADE)
    live: Any = kernels.to_record(kept) if compiled else kept
    memory = (clock, best, depth, lasts)
    arguments = [
        (given(parameters),), (as_record(state) if compiled else state,),
        rows(Rung, max(rungs, 1), compiled=compiled), rungs, live, rules,
        rows(WorkingOrder, rungs + 1, compiled=compiled),
        rows(Request, in_flight(rungs + 1, rules.latency, interval_ms), compiled=compiled),
        *(memory if compiled else (each.tolist() for each in memory)), lowest, interval_ms,
        float(config.queue_cancels_ahead),
    ]  # fmt: skip
    data = [
        columns(events.time, events.kind, events.side, ticks, events.quantity, compiled=compiled),
        columns(funding.time, funding.rate, compiled=compiled), equity, fills, trades,
    ]  # fmt: skip
    loop = bound_to_lanes(run_book, (strategy,), compiled=compiled)
    all_fills, all_trades, start = [], [], 0
    while start < len(events):
        start = _called(loop, [*arguments, start, *data])
        filled, closed = (int(live["fills"]), int(live["trades"])) if compiled else (kept.fills, kept.trades)
        all_fills.append(fills[:filled].copy())
        all_trades.append(trades[:closed].copy())
    if compiled:
        kernels.from_record(live, kept)
    return BookResult(
        strategy, parameters, events, instrument, config, interval_ms, first + interval_ms * np.arange(looks), equity,
        np.concatenate(all_fills), np.concatenate(all_trades), kept, compiled, reason_not,
    )  # fmt: skip


def _called(loop: Any, arguments: list[Any]) -> int:
    try:
        stopped: int = loop(*arguments)
    except Exception as error:
        # numba is imported only where something was compiled; its errors are told by where they come from.
        if type(error).__module__.startswith("numba."):
            raise NotCompilable(str(error)) from error
        raise
    return stopped

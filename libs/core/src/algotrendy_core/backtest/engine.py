"""One backtest: a strategy over a series of bars on one instrument.

Invariant: nothing but the arguments decides the outcome; the run can be repeated from its manifest, compiled or not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core import kernels
from algotrendy_core.backtest import manifest as manifests
from algotrendy_core.backtest.config import BacktestConfig, checked, rules_of
from algotrendy_core.backtest.decisions import Decider, NotCompilable
from algotrendy_core.backtest.events import Rates, Trades, check_events
from algotrendy_core.backtest.execution import FILL, TRADE, Book, execute
from algotrendy_core.backtest.general import GeneralRun
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from algotrendy_core.kernels import Floats
from algotrendy_core.performance import Statistics, statistics
from algotrendy_core.strategies.interface import AnyStrategy, Parameters

__all__ = ["BacktestConfig", "BacktestResult", "Progress", "run_backtest"]

_CHUNK = 65536
"""Bars decided and executed at a time: targets stay in the processor's cache, and memory beside the result is flat."""

Progress = Callable[[int, int], None]
"""Called with bars done and bars in all; raising from it ends the run."""


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """``equity`` is one value a bar, at its close; ``fills`` and ``trades`` are arrays of ``FILL`` and ``TRADE``.

    What is read off them (statistics, manifest, hash) is worked out when it is first asked for.
    """

    strategy: AnyStrategy
    parameters: Parameters
    bars: BarSeries
    instrument: Instrument
    config: BacktestConfig
    equity: Floats
    fills: NDArray[Any]
    trades: NDArray[Any]
    book: Book
    """The account after the last bar; what it still holds is in equity at the last close."""
    compiled: bool
    not_compiled_because: str | None = None
    path: BarSeries | Trades | None = None
    """The finer data that the fills were found in."""
    funding: Rates | None = None

    @cached_property
    def statistics(self) -> Statistics:
        return statistics(
            self.equity,
            self.bars.time,
            initial=float(self.config.initial_cash),
            bar_seconds=self.bars.timeframe.seconds,
            profits=self.trades["profit"],
            traded_value=self.book.traded_value,
            fees=self.book.fees,
            bars_with_position=self.book.bars_with_position,
        )

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Everything that decided the outcome; equal manifests have equal result hashes."""
        return _manifest(self)

    @cached_property
    def result_hash(self) -> str:
        return manifests.content_hash(self.equity, self.fills, self.trades)


def run_backtest(
    strategy: AnyStrategy,
    parameters: Parameters,
    bars: BarSeries,
    instrument: Instrument,
    config: BacktestConfig,
    *,
    compiled: bool = True,
    progress: Progress | None = None,
    path: BarSeries | Trades | None = None,
    funding: Rates | None = None,
) -> BacktestResult:
    """Run ``strategy`` over ``bars``. With ``compiled`` false, or where numba cannot, in plain Python: same results.

    ``path``, finer bars or trades of the same time, says what happened inside each bar; ``funding`` what a perpetual's
    holders paid. Raises Refused on an empty series, no cash, or a model out of its range.
    """
    if not len(bars):
        raise Refused("no_bars", "there are no bars to run on")
    checked(config)
    for events in (path, funding):
        if isinstance(events, (Trades, Rates)):
            check_events(events)
    plainly = strategy.rungs is None and config.fills_at_opens_only and path is None and funding is None
    if plainly:
        decider, reason_not = _or_plain(lambda how: Decider(strategy, parameters, compiled=how), compiled)
        done = _run(decider, bars, instrument, config, compiled, progress)
    else:
        interval = bars.timeframe.seconds * 1000
        run, reason_not = _or_plain(
            lambda how: GeneralRun(strategy, parameters, instrument, config, interval, funding, compiled=how), compiled
        )
        done = _run_general(run, bars, path, progress)
    book, equity, fills, trades = done
    return BacktestResult(
        strategy=strategy,
        parameters=parameters,
        bars=bars,
        instrument=instrument,
        config=config,
        equity=equity,
        fills=fills,
        trades=trades,
        book=book,
        compiled=compiled and reason_not is None,
        not_compiled_because=reason_not,
        path=path,
        funding=funding,
    )


def _or_plain[T](make: Callable[[bool], T], compiled: bool) -> tuple[T, str | None]:
    """What ``make`` makes, compiled if asked for and possible, and why not where it was not possible."""
    if not compiled:
        return make(False), None
    try:
        return make(True), None
    except NotCompilable as error:
        return make(False), str(error)


def _run_general(
    run: GeneralRun, bars: BarSeries, path: BarSeries | Trades | None, progress: Progress | None
) -> tuple[Book, Floats, NDArray[Any], NDArray[Any]]:
    equity = np.empty(len(bars))
    all_fills, all_trades = [np.empty(0, dtype=FILL)], [np.empty(0, dtype=TRADE)]
    for start in range(0, len(bars), _CHUNK):
        part = bars.slice(start, start + _CHUNK)
        fills, trades = run.advance(part, path, start, equity[start : start + len(part)])
        all_fills += fills
        all_trades += trades
        if progress is not None:
            progress(start + len(part), len(bars))
    return run.book, equity, np.concatenate(all_fills), np.concatenate(all_trades)


def _run(
    decider: Decider,
    bars: BarSeries,
    instrument: Instrument,
    config: BacktestConfig,
    compiled: bool,
    progress: Progress | None,
) -> tuple[Book, Floats, NDArray[Any], NDArray[Any]]:
    book, rules = Book(cash=float(config.initial_cash)), rules_of(instrument, config)
    state = kernels.to_record(book) if compiled else book
    step: kernels.Step = kernels.compiled(execute, on_disk=True) if compiled else execute
    equity = np.empty(len(bars))
    room = min(_CHUNK, len(bars)) + 1
    target, reason = np.empty(room), np.empty(room, dtype=np.int64)
    fills_out, trades_out = np.empty(room, dtype=FILL), np.empty(room, dtype=TRADE)
    all_fills, all_trades = [], []
    for start in range(0, len(bars), _CHUNK):
        part = bars.slice(start, start + _CHUNK)
        count = len(part)
        decider.decide(part, target[:count], reason[:count])
        columns: list[Any] = [part.time, part.open, part.close, target[:count], reason[:count]]
        if not compiled:
            columns = [column.tolist() for column in columns]
        n_fills, n_trades = step(state, rules, start, *columns, equity[start : start + count], fills_out, trades_out)
        all_fills.append(fills_out[:n_fills].copy())
        all_trades.append(trades_out[:n_trades].copy())
        if progress is not None:
            progress(start + count, len(bars))
    if compiled:
        kernels.from_record(state, book)
    return book, equity, np.concatenate(all_fills), np.concatenate(all_trades)


def _manifest(result: BacktestResult) -> dict[str, Any]:
    bars = result.bars
    data = {
        "hash": bars.hash,
        "bars": len(bars),
        "timeframe": bars.timeframe.value,
        "first_ms": int(bars.time[0]),
        "last_ms": int(bars.time[-1]),
    }
    if result.path is not None:
        data |= {"path_hash": result.path.hash, "path_events": len(result.path)}
    if result.funding is not None:
        data |= {"funding_hash": result.funding.hash}
    return {
        "data": data,
        "code": manifests.code_hash(result.strategy),
        "strategy": result.strategy.name,
        "parameters": result.parameters.model_dump(mode="json"),
        "instrument": result.instrument.model_dump(mode="json"),
        "config": result.config.as_dict(),
        "fills": "decided at a close, filled by later events; inside a bar: open, nearer extreme, other extreme, close",
    }

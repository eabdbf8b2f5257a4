"""One backtest: a strategy over a series of bars on one instrument.

Invariant: nothing but the arguments decides the outcome; the run can be repeated from its manifest, compiled or not.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core.backtest import manifest as manifests
from algotrendy_core.backtest.compilation import NotCompilable
from algotrendy_core.backtest.config import BacktestConfig, checked
from algotrendy_core.backtest.events import Rates, Trades, check_events
from algotrendy_core.backtest.execution import FILL, TRADE, Book
from algotrendy_core.backtest.general import GeneralRun
from algotrendy_core.backtest.manifest import ContentHash
from algotrendy_core.backtest.plain_run import Buffers, PlainRun
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.backtest.streaming import Joints, Kept, RunningCurve, Spool, Streamed
from algotrendy_core.instruments import Instrument
from algotrendy_core.kernels import Floats
from algotrendy_core.performance import Statistics, statistics
from algotrendy_core.strategies.interface import AnyStrategy, Parameters

__all__ = ["BacktestConfig", "BacktestResult", "Progress", "run_backtest"]

_CHUNK = 65_536
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
    streamed: Streamed | None = None
    """Of a run over a stream of bars, whose ``bars`` and ``equity`` are thinned."""

    @cached_property
    def statistics(self) -> Statistics:
        if self.streamed is not None:
            return self.streamed.curve.statistics(
                self.bars.timeframe.seconds,
                self.trades["profit"],
                self.book.traded_value,
                self.book.fees,
                self.book.bars_with_position,
            )
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
        equity = self.equity if self.streamed is None else self.streamed.equity
        return manifests.content_hash(equity, self.fills, self.trades)


def run_backtest(
    strategy: AnyStrategy,
    parameters: Parameters,
    bars: BarSeries | Iterable[BarSeries],
    instrument: Instrument,
    config: BacktestConfig,
    *,
    compiled: bool = True,
    progress: Progress | None = None,
    path: BarSeries | Trades | None = None,
    funding: Rates | None = None,
) -> BacktestResult:
    """Run ``strategy`` over ``bars``. With ``compiled`` false, or where numba cannot, in plain Python: same results.

    ``bars`` may come in pieces, one after the other: then memory does not grow with them (``streaming`` says what is
    kept), and ``progress`` is told the bars done for the bars in all, which nobody knows. ``path``, finer bars or
    trades of the same time, says what happened inside each bar; ``funding`` what a perpetual's holders paid. Raises
    Refused on no bars, no cash, or a model out of its range.
    """
    checked(config)
    for events in (path, funding):
        if isinstance(events, (Trades, Rates)):
            check_events(events)
    if isinstance(bars, BarSeries):
        if not len(bars):
            raise Refused("no_bars", "there are no bars to run on")
        made = _Made(strategy, parameters, bars.timeframe, instrument, config, path, funding, compiled)
        done = _run(made, bars, progress)
    else:
        done = _run_stream(
            lambda timeframe: _Made(strategy, parameters, timeframe, instrument, config, path, funding, compiled),
            bars,
            float(config.initial_cash),
            progress,
        )
    return BacktestResult(
        strategy=strategy,
        parameters=parameters,
        instrument=instrument,
        config=config,
        path=path,
        funding=funding,
        **done,
    )


class _Made:
    """The run of the gear that the wishes need, compiled where that is asked for and possible."""

    def __init__(
        self,
        strategy: AnyStrategy,
        parameters: Parameters,
        timeframe: Timeframe,
        instrument: Instrument,
        config: BacktestConfig,
        path: BarSeries | Trades | None,
        funding: Rates | None,
        compiled: bool,
    ) -> None:
        self._path = path
        self._run: PlainRun | GeneralRun
        if strategy.rungs is None and config.fills_at_opens_only and path is None and funding is None:
            self._run, self.reason_not = _or_plain(
                lambda how: PlainRun(strategy, parameters, instrument, config, Buffers(_CHUNK), compiled=how), compiled
            )
        else:
            interval = timeframe.seconds * 1000
            self._run, self.reason_not = _or_plain(
                lambda how: GeneralRun(strategy, parameters, instrument, config, interval, funding, compiled=how),
                compiled,
            )
        self.compiled = compiled and self.reason_not is None

    @property
    def book(self) -> Book:
        return self._run.book

    def advance(self, bars: BarSeries, first: int, equity: Floats) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        if isinstance(self._run, PlainRun):
            return self._run.advance(bars, first, equity)
        return self._run.advance(bars, self._path, first, equity)


def _run(made: _Made, bars: BarSeries, progress: Progress | None) -> dict[str, Any]:
    equity = np.empty(len(bars))
    all_fills, all_trades = [np.empty(0, dtype=FILL)], [np.empty(0, dtype=TRADE)]
    for start in range(0, len(bars), _CHUNK):
        part = bars.slice(start, start + _CHUNK)
        fills, trades = made.advance(part, start, equity[start : start + len(part)])
        all_fills += fills
        all_trades += trades
        if progress is not None:
            progress(start + len(part), len(bars))
    return {
        "bars": bars,
        "equity": equity,
        "fills": np.concatenate(all_fills),
        "trades": np.concatenate(all_trades),
        "book": made.book,
        "compiled": made.compiled,
        "not_compiled_because": made.reason_not,
    }


def _run_stream(
    make: Callable[[Timeframe], _Made], pieces: Iterable[BarSeries], initial: float, progress: Progress | None
) -> dict[str, Any]:
    made: _Made | None = None
    joints, kept, fills, trades = Joints(), Kept(), Spool(FILL), Spool(TRADE)
    curve, equity_hash = RunningCurve(initial), ContentHash()
    room = np.empty(_CHUNK)
    for piece in pieces:
        if not len(piece):
            continue
        first = joints.bars
        joints.add(piece)
        made = made or make(piece.timeframe)
        for start in range(0, len(piece), _CHUNK):
            part = piece.slice(start, start + _CHUNK)
            equity = room[: len(part)]
            new_fills, new_trades = made.advance(part, first + start, equity)
            fills.add(new_fills)
            trades.add(new_trades)
            kept.add(part, equity)
            curve.add(part.time, equity)
            equity_hash.add(equity)
        if progress is not None:
            progress(joints.bars, joints.bars)
    if made is None or joints.first is None or joints.hash is None:
        raise Refused("no_bars", "there are no bars to run on")
    *columns, thinned = kept.columns()
    return {
        "bars": BarSeries(joints.first.timeframe, *columns),
        "equity": thinned,
        "fills": fills.rows(),
        "trades": trades.rows(),
        "book": made.book,
        "compiled": made.compiled,
        "not_compiled_because": made.reason_not,
        "streamed": Streamed(joints.bars, kept.every, joints.hash.hexdigest(), equity_hash, curve),
    }


def _or_plain[T](make: Callable[[bool], T], compiled: bool) -> tuple[T, str | None]:
    """What ``make`` makes, compiled if asked for and possible, and why not where it was not possible."""
    if not compiled:
        return make(False), None
    try:
        return make(True), None
    except NotCompilable as error:
        return make(False), str(error)


def _manifest(result: BacktestResult) -> dict[str, Any]:
    bars, streamed = result.bars, result.streamed
    data = {
        "hash": streamed.data_hash if streamed else bars.hash,
        "bars": streamed.bars if streamed else len(bars),
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

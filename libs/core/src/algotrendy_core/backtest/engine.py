"""One backtest: a strategy over a series of bars on one instrument.

Invariant: nothing but the arguments decides the outcome; the run can be repeated from its manifest, compiled or not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO, plain
from numpy.typing import NDArray

from algotrendy_core import kernels
from algotrendy_core.backtest import manifest as manifests
from algotrendy_core.backtest.decisions import Decider, NotCompilable
from algotrendy_core.backtest.execution import FILL, TRADE, Book, Rules, execute
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.fees import ChargedIn
from algotrendy_core.instruments import Instrument
from algotrendy_core.kernels import Floats
from algotrendy_core.performance import Statistics, statistics
from algotrendy_core.sizing import DEFAULT_RESERVE
from algotrendy_core.strategies.interface import AnyStrategy, Parameters

_CHUNK = 65536
"""Bars decided and executed at a time: targets stay in the processor's cache, and memory beside the result is flat."""

Progress = Callable[[int, int], None]
"""Called with bars done and bars in all; raising from it ends the run."""


@dataclass(frozen=True, slots=True)
class BacktestConfig:
    """``slippage_bps``: hundredths of a percent by which each fill is worse than the open."""

    initial_cash: Decimal
    slippage_bps: Decimal = ZERO
    reserve: Decimal = DEFAULT_RESERVE
    fees_charged_in: ChargedIn = ChargedIn.RECEIVED
    allow_short: bool = False
    seed: int = 0
    """Part of the manifest; these fills draw no random numbers."""


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
        return _manifest(self.strategy, self.parameters, self.bars, self.instrument, self.config)

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
) -> BacktestResult:
    """Run ``strategy`` over ``bars``. With ``compiled`` false, or where numba cannot, in plain Python: same results.

    Raises Refused on an empty series or no cash.
    """
    if not len(bars):
        raise Refused("no_bars", "there are no bars to run on")
    if config.initial_cash <= 0:
        raise Refused("no_cash", "a backtest needs cash to begin with", initial_cash=plain(config.initial_cash))
    decider, reason_not = _decider(strategy, parameters, compiled=compiled)
    book, equity, fills, trades = _run(decider, bars, _rules(instrument, config), config, compiled, progress)
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
    )


def _decider(strategy: AnyStrategy, parameters: Parameters, *, compiled: bool) -> tuple[Decider, str | None]:
    if not compiled:
        return Decider(strategy, parameters, compiled=False), None
    try:
        return Decider(strategy, parameters, compiled=True), None
    except NotCompilable as error:
        return Decider(strategy, parameters, compiled=False), str(error)


def _run(
    decider: Decider, bars: BarSeries, rules: Rules, config: BacktestConfig, compiled: bool, progress: Progress | None
) -> tuple[Book, Floats, NDArray[Any], NDArray[Any]]:
    book = Book(cash=float(config.initial_cash))
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


def _rules(instrument: Instrument, config: BacktestConfig) -> Rules:
    return Rules(
        fee_ratio=float(instrument.taker_fee),
        fee_in_base=config.fees_charged_in is ChargedIn.RECEIVED,
        slippage=float(config.slippage_bps) / 10_000.0,
        price_step=float(instrument.price_step),
        prices_per_unit=_per_unit(instrument.price_step),
        quantity_step=float(instrument.quantity_step),
        quantities_per_unit=_per_unit(instrument.quantity_step),
        min_quantity=float(instrument.min_quantity),
        max_quantity=float(instrument.max_quantity),
        min_notional=float(instrument.min_notional),
        reserve=float(config.reserve),
        allow_short=config.allow_short,
    )


def _per_unit(step: Decimal) -> float:
    per_unit = 1 / step
    return float(per_unit) if per_unit == per_unit.to_integral_value() else 0.0


def _manifest(
    strategy: AnyStrategy, parameters: Parameters, bars: BarSeries, instrument: Instrument, config: BacktestConfig
) -> dict[str, Any]:
    return {
        "data": {
            "hash": bars.hash,
            "bars": len(bars),
            "timeframe": bars.timeframe.value,
            "first_ms": int(bars.time[0]),
            "last_ms": int(bars.time[-1]),
        },
        "code": manifests.code_hash(strategy),
        "strategy": strategy.name,
        "parameters": parameters.model_dump(mode="json"),
        "instrument": instrument.model_dump(mode="json"),
        "config": {
            "initial_cash": plain(config.initial_cash),
            "slippage_bps": plain(config.slippage_bps),
            "reserve": plain(config.reserve),
            "fees_charged_in": config.fees_charged_in.value,
            "allow_short": config.allow_short,
            "seed": config.seed,
        },
        "fills": "sized at the close, filled at the next open as a taker",
    }

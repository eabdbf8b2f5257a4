"""Runs as values: what a spec means, and a result in the exact numbers that are stored and sent.

Invariant: every float of a result passes ``money.from_float`` on its way out, at the instrument's own steps.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

import numpy as np
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side
from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_common.money import from_float
from algotrendy_common.rpc.backtest import RunEquity, RunTrade
from algotrendy_core.backtest.engine import BacktestConfig, BacktestResult, run_backtest
from algotrendy_core.backtest.engine import Progress as EngineProgress
from algotrendy_core.backtest.fee_tables import fees_named
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.fees import FEE_STEP
from algotrendy_core.instruments import Instrument
from algotrendy_core.kernels import Floats
from algotrendy_core.strategies.interface import AnyStrategy, Parameters
from algotrendy_core.strategies.registry import parameters_of, strategy_named

EQUITY_POINTS = 500
COMPILED_FROM_BARS = 300_000
"""Fewer bars are done in plain Python sooner than numba compiles; the results are the same to the last bit."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that this worker may compute; ``attempt`` counts from 1."""

    run_id: str
    spec: BacktestSpec
    request: str
    """The event that asked for it, as JSON."""
    attempt: int


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """From flat to flat. Prices are averages over the fills; ``profit`` is net of ``fees``, in the quote currency."""

    entry_time: datetime
    exit_time: datetime
    side: str
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    profit: Decimal


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is kept of a run."""

    statistics: dict[str, float | int | str | None]
    fills: tuple[RunTrade, ...]
    equity: tuple[RunEquity, ...]
    manifest: dict[str, Any]
    result_hash: str
    round_trips: tuple[RoundTrip, ...] = ()
    not_compiled_because: str | None = None


def checked(spec: BacktestSpec) -> tuple[AnyStrategy, Parameters]:
    """The strategy and its parameters; raises Refused where there is no such thing."""
    strategy = strategy_named(spec.strategy_kind)
    return strategy, parameters_of(strategy, spec.parameters)


def config_of(spec: BacktestSpec) -> BacktestConfig:
    """The engine's configuration. Fees are the instrument's affair, but for tiers: see ``at_the_fees_of``."""
    return BacktestConfig(
        spec.initial_cash,
        slippage_bps=spec.slippage_bps,
        allow_short=spec.allow_short,
        seed=spec.seed,
        latency_ms=spec.latency_ms,
        leverage=spec.leverage,
        borrow_rate=spec.borrow_rate,
        volume_share=spec.volume_share,
        impact=spec.impact,
        fee_tiers=fees_named(spec.fees).tiers if spec.fees else (),
    )


def at_the_fees_of(spec: BacktestSpec, instrument: Instrument) -> Instrument:
    """The instrument with the spec's fees where it names any; raises Refused where it names them twice."""
    fees = {"maker_fee": spec.maker_fee, "taker_fee": spec.taker_fee}
    if spec.fees is not None:
        if any(fee is not None for fee in fees.values()):
            raise Refused("fees_twice", "fees come from a venue's table or are given, not both", table=spec.fees)
        named = fees_named(spec.fees)
        fees = {"maker_fee": named.maker, "taker_fee": named.taker}
    return instrument.model_copy(update={name: fee for name, fee in fees.items() if fee is not None})


def compute(spec: BacktestSpec, instrument: Instrument, bars: BarSeries, progress: EngineProgress) -> Outcome:
    """The whole run, from spec to what is kept of it; raises Refused for what is wrong with it."""
    strategy, parameters = checked(spec)
    instrument = at_the_fees_of(spec, instrument)
    compiled = len(bars) >= COMPILED_FROM_BARS
    result = run_backtest(strategy, parameters, bars, instrument, config_of(spec), compiled=compiled, progress=progress)
    return outcome_of(result, spec)


def outcome_of(result: BacktestResult, spec: BacktestSpec) -> Outcome:
    return Outcome(
        statistics=statistics_of(result),
        fills=_fills(result, result.instrument),
        equity=equity_points(result.equity, result.bars),
        manifest=result.manifest | {"venue": spec.venue, "symbol": spec.symbol},
        result_hash=result.result_hash,
        round_trips=_round_trips(result, result.instrument),
        not_compiled_because=result.not_compiled_because,
    )


def statistics_of(result: BacktestResult) -> dict[str, float | int | str | None]:
    return {
        **result.statistics.as_dict(),
        "orders_short_of_cash": result.book.short_of_cash,
        "bars_below_minimum": result.book.below_minimum,
        "compiled": int(result.compiled),
    }


def _fills(result: BacktestResult, instrument: Instrument) -> tuple[RunTrade, ...]:
    fills = result.fills
    columns = zip(
        map(from_ms, fills["time"].tolist()),
        fills["side"].tolist(),
        _amounts(fills["price"], instrument.price_step),
        _amounts(fills["quantity"], instrument.quantity_step),
        _amounts(fills["fee"], FEE_STEP),
        _amounts(fills["realised"], FEE_STEP),
        strict=True,
    )
    buy, sell = Side.BUY.value, Side.SELL.value
    return tuple(
        RunTrade(time=time, side=buy if side > 0 else sell, price=price, quantity=quantity, fee=fee, pnl=pnl)
        for time, side, price, quantity, fee, pnl in columns
    )


def _round_trips(result: BacktestResult, instrument: Instrument) -> tuple[RoundTrip, ...]:
    # An average over fills lies between the steps of the venue's prices.
    price_step = instrument.price_step / 1_000_000
    trades = result.trades
    return tuple(
        map(
            RoundTrip,
            map(from_ms, trades["entry_time"].tolist()),
            map(from_ms, trades["exit_time"].tolist()),
            ("long" if side > 0 else "short" for side in trades["side"].tolist()),
            _amounts(trades["quantity"], instrument.quantity_step),
            _amounts(trades["entry_price"], price_step),
            _amounts(trades["exit_price"], price_step),
            _amounts(trades["fees"], FEE_STEP),
            _amounts(trades["profit"], FEE_STEP),
        )
    )


def _amounts(column: Any, step: Decimal) -> list[Decimal]:
    """``from_float`` over a column. Where the step is a power of ten the same number is found in half the time."""
    tenth = step.as_tuple().digits == (1,)
    return [_at_power_of_ten(value, step) if tenth else from_float(value, step) for value in column.tolist()]


def _at_power_of_ten(value: float, step: Decimal) -> Decimal:
    try:
        return Decimal(repr(value)).quantize(step, ROUND_HALF_EVEN)
    except InvalidOperation:  # no number, or one of more digits than there is room for
        return from_float(value, step)


def equity_points(equity: Floats, bars: BarSeries, most: int = EQUITY_POINTS) -> tuple[RunEquity, ...]:
    """At bar closes, evenly thinned to at most ``most``, first and last included."""
    kept = np.unique(np.linspace(0, len(bars) - 1, min(most, len(bars))).astype(np.int64))
    length_ms = bars.timeframe.seconds * 1000
    return tuple(
        RunEquity(
            time=from_ms(int(bars.time[index]) + length_ms),
            equity=from_float(equity[index], Decimal("0.00000001")),
        )
        for index in kept
    )

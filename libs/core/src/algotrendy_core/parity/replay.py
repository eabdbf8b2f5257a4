"""The backtest's half: what the same step decides on the recorded candles, and how the engine fills it.

Invariant: the step sees every bar that the live one saw, in order, and the engine trades on none outside the day.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Side
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO, from_float

from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.engine import BacktestResult, run_backtest
from algotrendy_core.backtest.series import series_of_bars
from algotrendy_core.bars import Candle
from algotrendy_core.parity.records import LiveDay
from algotrendy_core.strategies.interface import UNDECIDED, AnyStrategy, Decision
from algotrendy_core.strategies.running import StrategyRun


@dataclass(frozen=True, slots=True)
class Decided:
    """What the step wants after a bar; without an opinion of its own it stays with the last one."""

    bar_time: datetime
    target: Decimal | None
    """None before the first opinion."""
    reason: str
    fresh: bool
    """It had an opinion on this very bar."""


@dataclass(frozen=True, slots=True)
class BacktestOrder:
    """An order of the engine's with its fill."""

    bar_time: datetime
    """Of the bar that decided it."""
    side: Side
    target: Decimal
    quantity: Decimal
    """As the engine sized it, by its own equity."""
    open: Decimal
    """Of the bar that filled it; the last price known where there is none yet."""
    price: Decimal
    """With slippage."""


def decisions(day: LiveDay) -> list[Decided]:
    """One for each bar of the day."""
    run = StrategyRun(day.strategy, day.parameters)
    found: list[Decided] = []
    target, reason = None, ""
    for bar in day.bars:
        if bar.open_time > day.closing:
            break
        signal = run.on_bar(bar)
        if signal is not None:
            target, reason = Decimal(repr(signal.target)), signal.reason
        if bar.open_time >= day.opening:
            found.append(Decided(bar.open_time, target, reason, signal is not None))
    return found


def backtest_orders(day: LiveDay, config: BacktestConfig) -> list[BacktestOrder]:
    """The engine's over the day, oldest first. Raises Refused where the day cannot be run."""
    if day.strategy.rungs is not None:
        raise Refused("ladder_not_compared", f"{day.strategy.name} keeps orders at rest; only targets are compared")
    before = [bar for bar in day.bars if bar.open_time < day.opening]
    within = [bar for bar in day.bars if day.opening <= bar.open_time <= day.closing]
    if not within:
        raise Refused("no_bars", f"there are no candles of the day of {day.strategy_id}")
    held = next((signal.target for signal in reversed(day.signals) if signal.bar_time < day.opening), ZERO)
    if held and not before:
        raise Refused("no_bars", "the day begins with a position and there is no candle before it to enter it at")
    strategy = _within_the_day(day, before[-1].open_time if held else None, held)
    bars = series_of_bars(within[0].timeframe, day.bars)
    result = run_backtest(strategy, day.parameters, bars, day.instrument, config, compiled=False)
    return [order for order in _orders(day, result) if order.bar_time >= day.opening]


def _within_the_day(day: LiveDay, entry: datetime | None, held: Decimal) -> AnyStrategy:
    """The same step, with an opinion on the bars of the day alone; at ``entry`` it takes what the day begins with."""
    step = day.strategy.step
    first, last, enters = to_ms(day.opening), to_ms(day.closing), to_ms(entry) if entry else None

    def gated(parameters: Any, state: Any, candle: Candle) -> Decision:
        decision = step(parameters, state, candle)
        if candle.time == enters:
            return Decision(float(held), decision.reason)
        return decision if first <= candle.time <= last else UNDECIDED

    return replace(day.strategy, step=gated)


def _orders(day: LiveDay, result: BacktestResult) -> list[BacktestOrder]:
    instrument, made = day.instrument, []
    for row in result.fills:
        number = int(row["bar"])
        made.append(
            BacktestOrder(
                bar_time=day.bars[number - 1].open_time,
                side=Side.BUY if row["side"] > 0 else Side.SELL,
                target=Decimal(repr(float(row["target"]))),
                quantity=from_float(row["quantity"], instrument.quantity_step),
                open=day.bars[number].open,
                price=from_float(row["price"], instrument.price_step),
            )
        )
    waiting = from_float(result.book.pending, instrument.quantity_step)
    if waiting:
        last = day.bars[-1]
        side = Side.BUY if waiting > 0 else Side.SELL
        target = Decimal(repr(float(result.book.pending_target)))
        made.append(BacktestOrder(last.open_time, side, target, abs(waiting), last.close, last.close))
    return made

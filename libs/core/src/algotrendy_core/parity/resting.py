"""Orders that rest: what the engine makes of an order that stood at the venue, while it stood there.

For rungs of a ladder and for exits that guard a position alike. The order is placed in the engine at the close of the
bar before it stood, alone, over the candles of its time; what fills it is the engine's own path through each bar.
Invariant: nothing of a bar that opened before the order stood, or after it was over, is looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import nan
from typing import Any

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO, from_float

from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.engine import run_backtest
from algotrendy_core.backtest.series import series_of_bars
from algotrendy_core.bars import Bar, Candle
from algotrendy_core.fees import FEE_STEP, ChargedIn
from algotrendy_core.instruments import Instrument
from algotrendy_core.parity.records import LiveFill
from algotrendy_core.parity.split import Filled, Split, Traded, live_pnl, split
from algotrendy_core.strategies.interface import LIMIT, Decision, Holding, Parameters, Strategy

_PLENTY = Decimal(10) ** 15
"""Cash: what one order may spend is not what is compared."""


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """``kind`` as of a rung; ``price`` a limit, a trigger or, of a trailing stop, a fraction."""

    order_id: str
    side: Side
    kind: int
    price: Decimal
    quantity: Decimal
    stood_from: datetime
    stood_until: datetime
    fills: tuple[LiveFill, ...] = ()
    rung: int = -1
    """-1: an exit that guards a position."""

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), ZERO)


@dataclass(frozen=True, slots=True)
class RestingRow:
    order: RestingOrder
    backtest: Filled
    live_pnl: Decimal
    """At the report's mark, as is ``backtest_pnl``."""
    backtest_pnl: Decimal
    split: Split

    @property
    def filled_alike(self) -> bool:
        """Whether both traded, or neither did."""
        return bool(self.order.filled) == bool(self.backtest.quantity)

    @property
    def difference(self) -> Decimal:
        return self.live_pnl - self.backtest_pnl


def compare_resting(
    orders: Sequence[RestingOrder], bars: Sequence[Bar], instrument: Instrument, config: BacktestConfig, mark: Decimal
) -> tuple[RestingRow, ...]:
    """A row for each order, in their order; its split adds up to its difference."""
    return tuple(row_of(order, played(order, bars, instrument, config), mark) for order in orders)


def row_of(order: RestingOrder, backtest: Filled, mark: Decimal, ordered: Decimal | None = None) -> RestingRow:
    """``ordered``: what live asked for beside the backtest's wish; None where they wanted the same."""
    trades = [Traded(fill, order.price if order.kind == LIMIT else fill.price) for fill in order.fills]
    asked = backtest.quantity if ordered is None else ordered
    return RestingRow(
        order=order,
        backtest=backtest,
        live_pnl=live_pnl(order.side, order.fills, mark),
        backtest_pnl=backtest.pnl(order.side, mark),
        split=split(order.side, asked, trades, backtest, mark),
    )


def played(order: RestingOrder, bars: Sequence[Bar], instrument: Instrument, config: BacktestConfig) -> Filled:
    """What the engine fills of it, at the average of its prices; nothing where there is no candle of its time."""
    step = timedelta(seconds=bars[0].timeframe.seconds) if bars else timedelta()
    within = [bar for bar in bars if order.stood_from <= bar.open_time + step and bar.open_time < order.stood_until]
    # The first of them only places it: by its close the order is on its way.
    nothing = Filled(ZERO, order.price, order.price)
    if len(within) < 2:
        return nothing
    series = series_of_bars(within[0].timeframe, within)
    # On margin without end: whether the account could is a question of the account, and answered where it is compared.
    account = replace(config, initial_cash=_PLENTY, leverage=Decimal(100), allow_short=True)
    fills = run_backtest(_placing(order, within[0]), Parameters(), series, instrument, account, compiled=False).fills
    if not len(fills):
        return nothing
    quantity = sum((from_float(each, instrument.quantity_step) for each in fills["quantity"]), ZERO)
    value = sum(
        (
            from_float(price, instrument.price_step) * from_float(each, instrument.quantity_step)
            for price, each in zip(fills["price"], fills["quantity"], strict=True)
        ),
        ZERO,
    )
    fee = sum((from_float(each, FEE_STEP) for each in fills["fee"]), ZERO)
    price = value / quantity
    in_base = config.fees_charged_in is ChargedIn.RECEIVED and order.side is Side.BUY
    if in_base and config.leverage is None:
        return Filled(quantity, price, price, fee_base=fee / price)
    return Filled(quantity, price, price, fee_quote=fee)


def _placing(order: RestingOrder, first: Bar) -> Strategy[Any, Any]:
    """A strategy that places the order after its first bar, and nothing more."""
    begins = to_ms(first.open_time)

    def step(parameters: Any, state: Any, candle: Candle, holding: Holding, ladder: Any) -> Decision:
        rung = ladder[0]
        if candle.time == begins:
            rung.kind, rung.side, rung.generation = order.kind, order.side.sign, 1
            rung.price, rung.quantity = float(order.price), float(order.quantity)
        return Decision(nan, 0)

    return Strategy(
        "resting", "One order at rest", Parameters, lambda parameters: None, step, lambda parameters: 1, ("",),
        rungs=lambda parameters: 1,
    )  # fmt: skip

"""Where an order's difference in profit or loss comes from, exactly.

P&L is what trading was worth at one mark, for live and backtest the same: ``side × quantity × (mark − price) − fees``.
With ``Q`` filled live at ``p`` having arrived at ``a``, and ``q`` in the backtest at ``b``, which is the open ``o``
with its slippage:

    signal    side × (ordered − q) × (mark − b)           decided, or sized, differently
    missed    side × (Q − ordered) × (mark − b)           not filled
    latency   side × Σ fills × (o − a)                    the price moved before the order was there
    slippage  side × (Σ fills × (a − p) − Q × (o − b))    worse than on arrival, beyond what the backtest assumes
    fees      backtest's − live's

Invariant: the five add up to live − backtest to the last digit of the context; nothing is rounded.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Self

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO

from algotrendy_core.parity.records import LiveFill


@dataclass(frozen=True, slots=True)
class Split:
    """In quote; negative where live earned less."""

    signal: Decimal = ZERO
    latency: Decimal = ZERO
    slippage: Decimal = ZERO
    fees: Decimal = ZERO
    missed: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return sum((getattr(self, field.name) for field in fields(self)), ZERO)

    def __add__(self, other: Self) -> "Split":
        return Split(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Traded:
    """One fill, and the price at which its order arrived."""

    fill: LiveFill
    arrival: Decimal


@dataclass(frozen=True, slots=True)
class Filled:
    """The backtest's."""

    quantity: Decimal
    open: Decimal
    price: Decimal
    fee_quote: Decimal = ZERO
    fee_base: Decimal = ZERO

    def fees(self, mark: Decimal) -> Decimal:
        return self.fee_quote + self.fee_base * mark

    def pnl(self, side: Side, mark: Decimal) -> Decimal:
        return side.sign * self.quantity * (mark - self.price) - self.fees(mark)


def live_pnl(side: Side, fills: Iterable[LiveFill], mark: Decimal) -> Decimal:
    """What a fee in base took is worth the mark: it would have been held."""
    return sum((side.sign * fill.quantity * (mark - fill.price) - fees_of(fill, mark) for fill in fills), ZERO)


def fees_of(fill: LiveFill, mark: Decimal) -> Decimal:
    return fill.fee_quote + fill.fee_base * mark


def split(side: Side, ordered: Decimal, live: Iterable[Traded], backtest: Filled, mark: Decimal) -> Split:
    """``ordered``: the quantity that live asked for; 0 with nothing in ``live`` where it asked for nothing."""
    trades = list(live)
    sign, b, o = side.sign, backtest.price, backtest.open
    filled = sum((one.fill.quantity for one in trades), ZERO)
    paid = sum((fees_of(one.fill, mark) for one in trades), ZERO)
    after_arrival = sum((one.fill.quantity * (one.arrival - one.fill.price) for one in trades), ZERO)
    return Split(
        signal=sign * (ordered - backtest.quantity) * (mark - b),
        latency=sign * sum((one.fill.quantity * (o - one.arrival) for one in trades), ZERO),
        slippage=sign * (after_arrival - filled * (o - b)),
        fees=backtest.fees(mark) - paid,
        missed=sign * (filled - ordered) * (mark - b),
    )

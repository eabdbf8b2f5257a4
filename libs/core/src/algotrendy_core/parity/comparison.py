"""Decision by decision and order by order: what live did beside what the backtest does.

An order of the backtest's and the live ones that followed from it are one row: live may need several, where one was
refused or filled in part and the next bar tried again. The backtest's quantity is what ``sizing`` makes of the numbers
that the live order was sized by, so that equity, which several strategies share, is no difference.

Invariant: every live order is in exactly one row, and a row's split adds up to its difference.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import Liquidity, Side
from algotrendy_common.money import ZERO

from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.fees import fill_fee
from algotrendy_core.instruments import Instrument
from algotrendy_core.parity.records import LiveDay, LiveOrder, LiveSignal
from algotrendy_core.parity.replay import BacktestOrder, Decided, backtest_orders, decisions
from algotrendy_core.parity.split import Filled, Split, Traded, fees_of, live_pnl, split
from algotrendy_core.sizing import DEFAULT_RESERVE, SizedOrder, size_order


class Kind(StrEnum):
    SAME = "same"
    LATER = "later"
    """Live ordered the same on a later bar."""
    QUANTITY = "quantity"
    """Live asked for another quantity than its own numbers give."""
    NOT_ORDERED = "not ordered"
    """Live wanted the same and did not order: halted, paused, an order under way, no equity known."""
    NOT_DECIDED = "not decided"
    """Live wanted something else."""
    LIVE_ONLY = "live only"

    @property
    def decided_differently(self) -> bool:
        return self in (Kind.QUANTITY, Kind.NOT_DECIDED, Kind.LIVE_ONLY)


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A bar on which the two wanted different things."""

    bar_time: datetime
    live: Decimal | None
    backtest: Decimal | None
    live_reason: str
    backtest_reason: str


@dataclass(frozen=True, slots=True)
class OrderRow:
    kind: Kind
    bar_time: datetime
    side: Side
    target: Decimal
    backtest: Filled | None
    live: tuple[LiveOrder, ...]
    live_pnl: Decimal
    """At the report's mark, as is ``backtest_pnl``."""
    backtest_pnl: Decimal
    split: Split

    @property
    def difference(self) -> Decimal:
        return self.live_pnl - self.backtest_pnl

    @property
    def live_quantity(self) -> Decimal:
        """Filled."""
        return sum((order.filled for order in self.live), ZERO)

    @property
    def live_price(self) -> Decimal | None:
        """The average; None where nothing was filled."""
        value = sum((fill.price * fill.quantity for order in self.live for fill in order.fills), ZERO)
        return value / self.live_quantity if self.live_quantity else None

    def live_fees(self, mark: Decimal) -> Decimal:
        return sum((fees_of(fill, mark) for order in self.live for fill in order.fills), ZERO)


@dataclass(frozen=True, slots=True)
class ParityReport:
    day: LiveDay
    mark: Decimal
    """The last close: what everything traded is valued at."""
    bars: int
    signals: int
    """Of the day."""
    signals_same: int
    """Target and reason were the backtest's on the same bar."""
    decisions: tuple[DecisionRow, ...]
    """Those that differ."""
    orders: tuple[OrderRow, ...]

    @property
    def decided_differently(self) -> bool:
        differs = any(row.kind.decided_differently for row in self.orders)
        return bool(self.decisions) or self.signals_same != self.signals or differs

    @property
    def same(self) -> bool:
        """Every decision and every order; P&L may differ by latency, slippage, fees and what was not filled."""
        return not self.decided_differently and all(row.kind is Kind.SAME for row in self.orders)

    @property
    def split(self) -> Split:
        return sum((row.split for row in self.orders), Split())

    @property
    def live_pnl(self) -> Decimal:
        return sum((row.live_pnl for row in self.orders), ZERO)

    @property
    def backtest_pnl(self) -> Decimal:
        return sum((row.backtest_pnl for row in self.orders), ZERO)


def compare(day: LiveDay, slippage_bps: Decimal = ZERO) -> ParityReport:
    """Raises Refused where the day cannot be run again."""
    sized = next((order.sized_from for order in day.orders if order.sized_from), None)
    config = BacktestConfig(
        initial_cash=sized.capital if sized and sized.capital > 0 else Decimal(10_000),
        slippage_bps=slippage_bps,
        reserve=sized.reserve if sized else DEFAULT_RESERVE,
    )
    mark, decided = day.bars[-1].close, decisions(day)
    today = [signal for signal in day.signals if day.opening <= signal.bar_time <= day.closing]
    at = {one.bar_time: one for one in decided}
    return ParityReport(
        day=day,
        mark=mark,
        bars=len(decided),
        signals=len(today),
        signals_same=sum(_same_signal(signal, at.get(signal.bar_time)) for signal in today),
        decisions=tuple(_differing(decided, day.signals)),
        orders=tuple(_rows(day, backtest_orders(day, config), config, mark)),
    )


def _same_signal(signal: LiveSignal, decided: Decided | None) -> bool:
    return decided is not None and decided.fresh and (decided.target, decided.reason) == (signal.target, signal.reason)


def _differing(decided: Sequence[Decided], signals: Sequence[LiveSignal]) -> Iterator[DecisionRow]:
    for one in decided:
        standing = _standing(signals, one.bar_time)
        live = standing.target if standing else None
        if live != one.target:
            reason = standing.reason if standing else ""
            yield DecisionRow(one.bar_time, live, one.target, reason, one.reason)


def _standing(signals: Sequence[LiveSignal], time: datetime) -> LiveSignal | None:
    """What live wanted after the bar that opened at ``time``."""
    return next((signal for signal in reversed(signals) if signal.bar_time <= time), None)


# -- orders ----------------------------------------------------------------------------------------------------


def _rows(day: LiveDay, made: list[BacktestOrder], config: BacktestConfig, mark: Decimal) -> list[OrderRow]:
    following: list[list[LiveOrder]] = [[] for _ in made]
    rows = []
    for order in day.orders:
        number = sum(one.bar_time <= order.bar_time for one in made) - 1
        if number >= 0 and (made[number].side, made[number].target) == (order.side, order.target):
            following[number].append(order)
        else:
            rows.append(_live_only(order, mark))
    rows += [_row(day, one, live, config, mark) for one, live in zip(made, following, strict=True)]
    return sorted(rows, key=lambda row: row.bar_time)


def _live_only(order: LiveOrder, mark: Decimal) -> OrderRow:
    earned = live_pnl(order.side, order.fills, mark)
    split_ = Split(signal=earned)
    return OrderRow(Kind.LIVE_ONLY, order.bar_time, order.side, order.target, None, (order,), earned, ZERO, split_)


def _row(day: LiveDay, made: BacktestOrder, live: list[LiveOrder], config: BacktestConfig, mark: Decimal) -> OrderRow:
    kind, quantity, ordered = _judged(day, made, live)
    filled = _filled(made, quantity, day.instrument, config)
    trades = [Traded(fill, order.arrival_price or fill.price) for order in live for fill in order.fills]
    return OrderRow(
        kind=kind,
        bar_time=made.bar_time,
        side=made.side,
        target=made.target,
        backtest=filled,
        live=tuple(live),
        live_pnl=live_pnl(made.side, (one.fill for one in trades), mark),
        backtest_pnl=filled.pnl(made.side, mark),
        split=split(made.side, ordered, trades, filled, mark),
    )


def _judged(day: LiveDay, made: BacktestOrder, live: list[LiveOrder]) -> tuple[Kind, Decimal, Decimal]:
    """What became of an order of the backtest's, its quantity, and the quantity that live meant to trade."""
    if not live:
        standing = _standing(day.signals, made.bar_time)
        if standing is not None and standing.target == made.target:
            return Kind.NOT_ORDERED, made.quantity, made.quantity
        return Kind.NOT_DECIDED, made.quantity, ZERO
    first = live[0]
    quantity = _sized_again(first, day.instrument)
    if quantity != first.quantity:
        return Kind.QUANTITY, quantity, first.quantity
    return (Kind.SAME if first.bar_time == made.bar_time else Kind.LATER), quantity, quantity


def _sized_again(order: LiveOrder, instrument: Instrument) -> Decimal:
    basis = order.sized_from
    if basis is None:
        return order.quantity
    sized = size_order(
        basis.target,
        capital=basis.capital,
        price=basis.price,
        position=basis.position,
        instrument=instrument,
        reserve=basis.reserve,
    )
    return sized.quantity if isinstance(sized, SizedOrder) and sized.side is order.side else ZERO


def _filled(made: BacktestOrder, quantity: Decimal, instrument: Instrument, config: BacktestConfig) -> Filled:
    if not quantity:
        return Filled(ZERO, made.open, made.price)
    fee = fill_fee(instrument, made.side, made.price, quantity, Liquidity.TAKER, config.fees_charged_in)
    if fee.asset == instrument.base:
        return Filled(quantity, made.open, made.price, fee_base=fee.amount)
    return Filled(quantity, made.open, made.price, fee_quote=fee.amount)

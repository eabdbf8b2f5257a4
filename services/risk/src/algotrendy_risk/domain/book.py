"""An account's book: everything that risk knows of it, and how each event changes it.

Invariant: a book never changes, a change makes a new one; the store saves what differs between the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from algotrendy_common.events.account import (
    AccountReconciled,
    BalanceChanged,
    PositionChanged,
    ReconciliationDifference,
)
from algotrendy_common.events.order import OrderFilled, OrderUpdated
from algotrendy_common.events.risk import TradingState
from algotrendy_common.money import ZERO
from algotrendy_core.limits import RecentOrder, margined
from algotrendy_core.positions import PositionKey

from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.ledger import Holding, flat
from algotrendy_risk.domain.reservations import Reservation, adopted


@dataclass(frozen=True, slots=True)
class Day:
    """What the day's profit and loss is measured from; ``date`` by our clock, UTC."""

    date: date
    opening_equity: Decimal
    opening_realised: Decimal
    opening_fees: Decimal
    loss_breached: bool = False
    """The breach of the daily loss limit was told of already."""


@dataclass(frozen=True, slots=True)
class Unattended:
    """Notional let through without a person on one day (UTC), by strategy; ``""`` is everybody else."""

    day: date
    by_strategy: Mapping[str, Decimal]

    def of(self, strategy: str | None, today: date) -> Decimal:
        return self.by_strategy.get(strategy or "", ZERO) if self.day == today else ZERO

    def plus(self, strategy: str | None, notional: Decimal, today: date) -> "Unattended":
        before = self.by_strategy if self.day == today else {}
        key = strategy or ""
        return Unattended(today, {**before, key: before.get(key, ZERO) + notional})


@dataclass(frozen=True, slots=True)
class AccountBook:
    account: str
    venue: str
    quote: str
    version: int
    """Rises with each saved change; a writer that does not know the newest one writes nothing."""
    moved_at: datetime
    """When a holding or the cash last changed, by our clock."""
    limits: AccountLimits | None = None
    anchored: bool = False
    """The fills' book was taken over from the venue's at least once; before, equity is not known."""
    cash: Decimal | None = None
    """Quote currency, moved by fills."""
    observed_cash: Decimal | None = None
    """Quote currency, as the broker gateway last said."""
    balance_at: datetime | None = None
    holdings: Mapping[PositionKey, Holding] = field(default_factory=dict)
    reservations: Mapping[str, Reservation] = field(default_factory=dict)
    """Open ones, by order id."""
    recent: tuple[RecentOrder, ...] = ()
    """Let through lately, oldest first."""
    unattended: Unattended | None = None
    """None until the first order of an account's life was let through."""
    reconciled: bool = False
    reconciled_at: datetime | None = None
    day: Day | None = None
    high_water: Decimal | None = None
    flows: Decimal = ZERO
    """Equity that came from outside since the account is kept: no profit."""

    def trading_state(self, confirmed_at: datetime | None, now: datetime) -> TradingState:
        """But for halts; books that nobody confirmed lately are being reconciled."""
        if not self.reconciled or confirmed_at is None or self.limits is None:
            return TradingState.RECONCILING
        if now - confirmed_at > self.limits.max_account_age:
            return TradingState.RECONCILING
        return TradingState.ACTIVE

    def holding(self, venue: str, symbol: str) -> Holding:
        return self.holdings.get((venue, symbol)) or flat(venue, symbol, self.quote)

    # -- what happens to it ------------------------------------------------------------------------------------

    def with_reservation(self, reservation: Reservation) -> "AccountBook":
        """Added, replaced, or dropped once nothing more can come of it."""
        rest = {key: value for key, value in self.reservations.items() if key != reservation.terms.order_id}
        if reservation.open:
            rest[reservation.terms.order_id] = reservation
        return replace(self, reservations=rest)

    def without(self, order_id: str) -> "AccountBook":
        """As if the order were gone already."""
        return replace(self, reservations={key: row for key, row in self.reservations.items() if key != order_id})

    def with_approval(
        self, reservation: Reservation, keep_recent: timedelta, unattended: Decimal = ZERO
    ) -> "AccountBook":
        """``unattended`` is the notional where no person agreed to it."""
        now = reservation.approved_at
        recent = tuple(order for order in self.recent if now - order.at < keep_recent)
        newest = RecentOrder(reservation.terms, now, reservation.strategy)
        before = self.unattended or Unattended(now.date(), {})
        return replace(
            self.with_reservation(reservation),
            recent=(*recent, newest),
            unattended=before.plus(reservation.strategy, unattended, now.date()),
        )

    def with_update(
        self, update: OrderUpdated, known: Reservation | None, mark: Decimal | None, fee_ratio: Decimal
    ) -> tuple["AccountBook", Reservation]:
        """``known`` is the reservation as stored, open or not; None where there never was one."""
        after = known.with_update(update) if known else adopted(update, mark, fee_ratio, self.limits)
        return (self, after) if after is known else (self.with_reservation(after), after)

    def with_fill(
        self, fill: OrderFilled, known: Reservation | None, now: datetime
    ) -> tuple["AccountBook", Reservation | None]:
        """The caller sees to it that a fill comes once (by venue, symbol and trade id)."""
        holding = self.holding(fill.venue, fill.symbol)
        traded = holding.with_fill(fill, known is not None and margined(known.terms))
        cash = self.cash
        if cash is not None:
            if traded.margined:
                cash += traded.derived.realised_pnl - holding.derived.realised_pnl
            else:
                cash -= fill.side.sign * fill.price * fill.quantity
            if fill.fee_currency == self.quote:
                cash -= fill.fee
        after = replace(
            self,
            cash=cash,
            holdings={**self.holdings, (fill.venue, fill.symbol): traded},
            moved_at=now,
        )
        if known is None:
            return after, None
        reservation = known.with_fill(fill.quantity)
        return after.with_reservation(reservation), reservation

    def with_position(self, event: PositionChanged, now: datetime) -> "AccountBook":
        before = self.holding(event.venue, event.symbol)
        after = before.with_position(event)
        if after is before:
            return self
        moved = after.observed.quantity != before.observed.quantity
        return replace(
            self,
            holdings={**self.holdings, (event.venue, event.symbol): after},
            moved_at=now if moved else self.moved_at,
        )

    def with_balance(self, event: BalanceChanged, now: datetime) -> "AccountBook":
        if self.balance_at is not None and event.received_time <= self.balance_at:
            return self
        row = next((row for row in event.balances if row.asset == self.quote), None)
        total = row.total if row else Decimal(0)
        moved = total != self.observed_cash
        return replace(
            self,
            observed_cash=total,
            cash=total if self.cash is None else self.cash,
            balance_at=event.received_time,
            moved_at=now if moved else self.moved_at,
        )

    def with_reconciliation(self, event: AccountReconciled, now: datetime) -> "AccountBook":
        """``received_time`` is used, not the venue's: it is compared with our clock.

        Funding moves the cash as a fee does: it is profit or loss, and no money from outside.
        """
        if self.reconciled_at is not None and event.received_time <= self.reconciled_at:
            return self
        after = replace(self, reconciled=event.ok, reconciled_at=event.received_time)
        paid = sum((_amount(row) for row in event.differences if row.what == "funding" and row.key == self.quote), ZERO)
        if self.cash is None or not paid:
            return after
        return replace(after, cash=self.cash + paid, moved_at=now)


def _amount(row: ReconciliationDifference) -> Decimal:
    return Decimal(row.venues) - Decimal(row.ours)

"""What an order may still do to the account, from its approval until nothing more can happen to it.

Invariant: a quantity is either reserved or in the ledger, never in neither: a fill moves it from one to the other, and
an order that ended stays reserved for fills that were reported but have not been seen yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import OrderSource, OrderStatus
from algotrendy_common.events.order import OrderTerms, OrderUpdated
from algotrendy_common.money import ZERO
from algotrendy_core.limits import cash_ratio, valuation_price

from algotrendy_risk.domain.account_limits import AccountLimits


@dataclass(frozen=True, slots=True)
class Reservation:
    terms: OrderTerms
    price: Decimal | None
    """What a unit is reserved at, quote currency; None where an order from outside could not be valued."""
    cash_ratio: Decimal
    """Cash that a unit of its value takes: fee, room for the price, leverage. Zero where it frees cash."""
    approved_at: datetime
    expires_at: datetime | None
    """Of the approval; None for an order that was made outside and adopted."""
    status: OrderStatus = OrderStatus.APPROVED
    revision: int = 0
    filled: Decimal = ZERO
    """By the fills seen."""
    reported_filled: Decimal = ZERO
    """By the order's own latest state."""
    source: OrderSource = OrderSource.STRATEGY
    strategy: str | None = None

    @property
    def protective(self) -> bool:
        """The gateway's own guard of a position. It gives way to any other reduction, so it takes no room."""
        return self.source is OrderSource.PROTECTION

    @property
    def outstanding(self) -> Decimal:
        """Quantity that may still be traded, or was traded without its fill having been seen. ``LOST`` and
        ``OUTCOME_UNKNOWN`` are not terminal, so they count in full."""
        final = self.reported_filled if self.status.terminal else self.terms.quantity
        return max(final - self.filled, ZERO)

    @property
    def open(self) -> bool:
        return not self.status.terminal or self.outstanding > 0

    @property
    def notional(self) -> Decimal | None:
        return None if self.price is None else self.outstanding * self.price

    @property
    def cash(self) -> Decimal | None:
        """What filling the rest would take out of the cash."""
        if not self.cash_ratio or not self.outstanding:
            return ZERO
        return None if self.price is None else self.outstanding * self.price * self.cash_ratio

    def with_update(self, update: OrderUpdated) -> "Reservation":
        """The same object where the update is not newer than what is known."""
        if update.revision <= self.revision:
            return self
        return replace(self, status=update.status, revision=update.revision, reported_filled=update.filled_quantity)

    def with_fill(self, quantity: Decimal) -> "Reservation":
        return replace(self, filled=self.filled + quantity)


def adopted(
    update: OrderUpdated, mark: Decimal | None, fee_ratio: Decimal, limits: AccountLimits | None
) -> Reservation:
    """An order that this service never approved: made outside, or approved by an installation whose books are gone."""
    terms, origin = update.terms, update.origin
    if mark is not None:
        price: Decimal | None = valuation_price(terms, mark)
    else:
        price = terms.limit_price or terms.trigger_price or update.average_price
    protective = origin.source is OrderSource.PROTECTION
    ratio = 1 + fee_ratio if limits is None else cash_ratio(terms, limits.pre_trade(), fee_ratio)
    return Reservation(
        terms,
        price,
        ZERO if protective else ratio,
        approved_at=update.created_at,
        expires_at=None,
        status=update.status,
        revision=update.revision,
        reported_filled=update.filled_quantity,
        source=origin.source,
        strategy=origin.strategy,
    )


def counted(rows: Iterable[Reservation]) -> tuple[Reservation, ...]:
    """Those that take room: none that guards a position, and of an order and the one it amends only the larger.

    The amended one is gone before the other leaves, and what it filled is not traded again: together they can do no
    more than the larger quantity at the dearer price.
    """
    kept = {row.terms.order_id: row for row in rows if not row.protective}
    for row in sorted(kept.values(), key=lambda row: row.approved_at):
        before = kept.get(row.terms.replaces) if row.terms.replaces is not None else None
        if before is None or row.terms.order_id not in kept:
            continue
        smaller, larger = sorted((before, row), key=lambda one: one.outstanding)
        del kept[smaller.terms.order_id]
        known = smaller.price is not None and larger.price is not None
        kept[larger.terms.order_id] = replace(
            larger,
            price=max(smaller.price, larger.price) if known else None,  # type: ignore[type-var]
            cash_ratio=max(smaller.cash_ratio, larger.cash_ratio),
        )
    return tuple(kept.values())

"""What a venue says about an order, whichever way it said it: an answer, a stream message or a query.

Invariant: a report holds only what the venue said; ``steps_of`` turns it into the order machine's own reports, so
that every way in leads through one door.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import MarginMode, OrderType, Side, TimeInForce
from algotrendy_core.fills import Fill
from algotrendy_core.order_states import (
    AcceptedByVenue,
    CancelledAtVenue,
    EndedLegFilled,
    FilledAtVenue,
    LegEnded,
    RejectedByVenue,
    Report,
)


class Standing(StrEnum):
    """An order's standing at the venue."""

    WORKING = "working"
    DONE = "done"
    """Traded in full."""
    CANCELLED = "cancelled"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue has it; ``client_id`` is what the venue shows, which only for our orders is our id."""

    venue_order_id: str
    client_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    executed_quantity: Decimal
    standing: Standing
    reason: str
    created_at: datetime
    updated_at: datetime
    trigger_price: Decimal | None = None
    trailing_ratio: Decimal | None = None
    waiting: bool = False
    """A triggered order whose price has not come yet."""
    reduce_only: bool = False
    margin_mode: MarginMode = MarginMode.NONE
    leverage: Decimal | None = None
    liquidation: bool = False
    """The venue made it, to close a position whose margin was gone."""


@dataclass(frozen=True, slots=True)
class VenueReport:
    """An order and those of its fills that came with it; not necessarily all of them."""

    order: VenueOrder
    fills: tuple[Fill, ...] = ()


def late_steps_of(report: VenueReport) -> tuple[Report, ...]:
    """Of a leg that has ended: only what it traded matters."""
    return tuple(EndedLegFilled(fill) for fill in report.fills)


def steps_of(report: VenueReport, *, switching: bool = False) -> tuple[Report, ...]:
    """What the order machine is told: accepted first, then what traded, then how it ended.

    ``switching``: a cancellation ends the leg that worked, not the order.
    """
    order = report.order
    if order.standing is Standing.REJECTED:
        return (RejectedByVenue("venue_rejected", order.reason or "rejected by the venue"),)
    steps: list[Report] = [AcceptedByVenue(order.venue_order_id)]
    steps += [FilledAtVenue(fill) for fill in report.fills]
    if order.standing is Standing.CANCELLED and switching:
        steps.append(LegEnded())
    elif order.standing is Standing.CANCELLED:
        steps.append(CancelledAtVenue(order.venue_order_id, order.reason or "cancelled"))
    return tuple(steps)

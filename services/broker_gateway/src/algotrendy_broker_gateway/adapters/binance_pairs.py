"""Binance's order lists as one order: two legs with ids of their own are one pair with one id for us.

The pair's id at the venue is ``list:<orderListId>``, which is on every leg, trade and message, so nothing has to be
remembered to know to which pair something belongs. Invariant: only one leg ever trades, because the venue ends the
other one first; a pair has ended when both legs have.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from algotrendy_common.enums import OrderType

from algotrendy_broker_gateway.adapters.binance_requests import STOP_LEG
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport

_PREFIX = "list:"
_NO_LIST = -1


def venue_order_id(order_id: Any, list_id: Any) -> str:
    """A pair's id for whatever belongs to one, else the order's own."""
    return str(int(order_id)) if int(list_id) == _NO_LIST else f"{_PREFIX}{int(list_id)}"


def list_id(venue_order_id: str) -> str | None:
    """The list of a pair's id; None for a single order's."""
    return venue_order_id.removeprefix(_PREFIX) if venue_order_id.startswith(_PREFIX) else None


def as_pair(order: VenueOrder) -> VenueOrder:
    """A leg as the pair it belongs to; the stop leg says where the stop is, the other one where the take-profit is."""
    if list_id(order.venue_order_id) is None:
        return order
    stop = order.trigger_price is not None
    return replace(
        order,
        client_id=order.client_id.removesuffix(STOP_LEG) if stop else order.client_id,
        type=OrderType.OCO,
        limit_price=None if stop else order.limit_price,
        waiting=False,
    )


def merged(legs: Iterable[VenueReport]) -> tuple[VenueReport, ...]:
    """Reports of single orders as they are, and the two legs of a pair as one."""
    single: list[VenueReport] = []
    pairs: dict[str, list[VenueReport]] = {}
    for leg in legs:
        if list_id(leg.order.venue_order_id) is None:
            single.append(leg)
        else:
            pairs.setdefault(leg.order.venue_order_id, []).append(leg)
    return (*single, *(_merged_pair(each) for each in pairs.values()))


def _merged_pair(legs: list[VenueReport]) -> VenueReport:
    telling = max(legs, key=lambda leg: (_weight(leg.order), leg.order.executed_quantity))
    limit = next((leg.order.limit_price for leg in legs if leg.order.limit_price is not None), None)
    trigger = next((leg.order.trigger_price for leg in legs if leg.order.trigger_price is not None), None)
    order = replace(
        telling.order,
        limit_price=limit,
        trigger_price=trigger,
        created_at=min(leg.order.created_at for leg in legs),
        updated_at=max(leg.order.updated_at for leg in legs),
    )
    return VenueReport(order, tuple(fill for leg in legs for fill in leg.fills))


def _weight(order: VenueOrder) -> int:
    """The leg that speaks for the pair: one that has traded in full, then one that works, then one that ended."""
    return {Standing.DONE: 2, Standing.WORKING: 1}.get(order.standing, 0)


class Endings:
    """What the stream has told of pairs' ends. A leg that expires has usually only made way for the other one, so that
    ends the pair with the other's expiry alone; a leg is cancelled only with its pair."""

    def __init__(self) -> None:
        self._expired: dict[str, str] = {}
        """The one leg of a pair that is known to have expired."""
        self._over: set[str] = set()

    def tells(self, message: Mapping[str, Any]) -> bool:
        """Whether an ``executionReport`` says something about its order, or only that a pair has lost a leg."""
        pair, leg = venue_order_id(message["i"], message["g"]), str(message["i"])
        status = message["X"]
        if list_id(pair) is None or status in ("NEW", "PARTIALLY_FILLED"):
            return True
        if pair in self._over:
            return False
        if status not in ("FILLED", "CANCELED", "REJECTED") and self._expired.setdefault(pair, leg) == leg:
            return False
        self._expired.pop(pair, None)
        self._over.add(pair)
        return True

"""Orders and trades that a venue tells on two channels, put together again.

Invariant: each trade comes out once, with a state of its order that already counts it; a trade whose order has not been
told that far waits for it. Nothing is made up: what never comes is left to the questions that follow.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from algotrendy_common.money import ZERO
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport

_ORDERS_KEPT = 10_000
_ENDED = frozenset({Standing.DONE, Standing.CANCELLED, Standing.REJECTED})


@dataclass(slots=True)
class _Paired:
    order: VenueOrder | None = None
    waiting: list[Fill] = field(default_factory=list)
    told: Decimal = ZERO
    trade_ids: set[str] = field(default_factory=set)

    def ready(self) -> tuple[Fill, ...]:
        """The waiting fills that the order already counts, in the order they came."""
        if self.order is None:
            return ()
        found = []
        while self.waiting and self.told + self.waiting[0].quantity <= self.order.executed_quantity:
            fill = self.waiting.pop(0)
            self.told += fill.quantity
            found.append(fill)
        return tuple(found)


class PairedStream:
    def __init__(self) -> None:
        self._paired: dict[str, _Paired] = {}

    def clear(self) -> None:
        """The stream has begun anew: what was missed is asked for."""
        self._paired.clear()

    def orders(self, orders: Iterable[VenueOrder]) -> tuple[VenueReport, ...]:
        return tuple(self._order(order) for order in orders)

    def trades(self, fills: Iterable[Fill]) -> tuple[VenueReport, ...]:
        """The reports that became whole by these."""
        found = (self._trade(fill) for fill in fills)
        return tuple(report for report in found if report is not None)

    def _order(self, order: VenueOrder) -> VenueReport:
        paired = self._of(order.venue_order_id)
        if paired.order is None:
            # What had traded before this stream began comes by the questions, not here.
            arrived = sum((fill.quantity for fill in paired.waiting), ZERO)
            paired.told = max(ZERO, order.executed_quantity - arrived) if paired.waiting else ZERO
        if paired.order is None or order.executed_quantity >= paired.order.executed_quantity:
            paired.order = order
        return VenueReport(order, paired.ready())

    def _trade(self, fill: Fill) -> VenueReport | None:
        paired = self._of(fill.venue_order_id)
        if fill.trade_id in paired.trade_ids:
            return None
        paired.trade_ids.add(fill.trade_id)
        paired.waiting.append(fill)
        ready = paired.ready()
        return VenueReport(paired.order, ready) if ready and paired.order is not None else None

    def _of(self, venue_order_id: str) -> _Paired:
        if len(self._paired) >= _ORDERS_KEPT and venue_order_id not in self._paired:
            self._forget_one()
        return self._paired.setdefault(venue_order_id, _Paired())

    def _forget_one(self) -> None:
        """The oldest order that has ended, else the oldest."""
        ended = (name for name, one in self._paired.items() if one.order is not None and one.order.standing in _ENDED)
        del self._paired[next(ended, next(iter(self._paired)))]

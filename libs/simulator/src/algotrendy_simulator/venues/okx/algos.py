"""OKX's algo orders over the exchange's waiting ones: what waits is an algo order, what it sets off an ordinary one.

An algo order has an id and a client id of its own; the ordinary order it makes has another id, no client id, and names
the algo order. A pair is one algo order over both legs. Invariant: pure; nothing is remembered here, an algo order is
read off the exchange's orders each time.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from algotrendy_common.enums import OrderType

from algotrendy_simulator.orders import Order, VenueStatus

ID_OFFSET = 10**15
"""Algo ids are not order ids: a caller who mixes them up finds nothing."""
LIVE, EFFECTIVE, CANCELED, FAILED = "live", "effective", "canceled", "order_failed"


@dataclass(frozen=True, slots=True)
class Algo:
    legs: tuple[Order, ...]
    """One, or of a pair the limit leg and then the stop leg."""

    @property
    def head(self) -> Order:
        return self.legs[0]

    @property
    def algo_id(self) -> str:
        return str(ID_OFFSET + self.head.order_id)

    @property
    def kind(self) -> str:
        """Its ``ordType``."""
        if len(self.legs) == 2:
            return "oco"
        return "move_order_stop" if self.head.type is OrderType.TRAILING_STOP else "conditional"

    @property
    def child(self) -> Order | None:
        """The ordinary order it has become: the leg that was set off, or the one of a pair that has traded."""
        for leg in self.legs:
            set_off = leg.trigger_price is not None and leg.status.open and not leg.waiting
            if leg.filled or set_off:
                return leg
        return None

    @property
    def state(self) -> str:
        if self.child is not None:
            return EFFECTIVE
        if any(leg.status.open for leg in self.legs):
            return LIVE
        return FAILED if all(leg.status is VenueStatus.EXPIRED for leg in self.legs) else CANCELED

    @property
    def stop(self) -> Order:
        return self.legs[-1]


def is_leg(order: Order) -> bool:
    """Whether an order of the exchange is, or came from, an algo order."""
    return order.trigger_price is not None or order.sibling is not None


def algo_of(order: Order, orders: dict[int, Order]) -> Algo:
    """The algo order that a leg belongs to."""
    if order.sibling is None:
        return Algo((order,))
    first, second = sorted((order.order_id, order.sibling))
    return Algo((orders[first], orders[second]))


def algos(found: Iterable[Order], orders: dict[int, Order]) -> list[Algo]:
    """Each algo order of the legs among ``found`` once, in the order of their ids."""
    by_id = {algo.algo_id: algo for order in found if is_leg(order) for algo in (algo_of(order, orders),)}
    return sorted(by_id.values(), key=lambda algo: algo.head.order_id)


def is_ordinary(order: Order, orders: dict[int, Order]) -> bool:
    """Whether an order is to be seen among the ordinary ones."""
    return not is_leg(order) or algo_of(order, orders).child is order

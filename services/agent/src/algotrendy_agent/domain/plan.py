"""What follows from what a strategy wants: a signal where it changed its mind, an order where the position differs.

Invariant: at most one order is under way, its id follows from the strategy, the symbol and the bar alone, and a paused
strategy only ever reduces.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import OrderType, StrategyStatus
from algotrendy_common.events.order import OrderTerms, SizedFrom
from algotrendy_common.ids import derived_id
from algotrendy_core.instruments import Instrument
from algotrendy_core.sizing import NoOrder, NothingToSend, SizedOrder, size_order

from algotrendy_agent.domain.instance import Instance
from algotrendy_agent.domain.own_orders import OwnOrder
from algotrendy_agent.domain.places import Exit, Place


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What sizing needs to know; None means unknown, and then nothing is proposed."""

    price: Decimal
    """The newest quote's middle, or the bar's close where there is no quote."""
    equity: Decimal | None
    instrument: Instrument | None
    reserve: Decimal
    """Fraction of the capital kept back for the fee and for the price moving before the fill."""
    place: Place | None = None
    """Where all of this is so; None is the strategy's own account."""
    exits: tuple[Exit, ...] = ()
    """Where something is held that can be sold now, in the order in which it is to be."""
    away: tuple[str, ...] = ()
    """Accounts where something is held that nothing can be done about now."""


@dataclass(frozen=True, slots=True)
class Proposal:
    terms: OrderTerms
    order: OwnOrder
    price: Decimal
    """Of the venue where it goes."""
    sized_from: SizedFrom


@dataclass(frozen=True, slots=True)
class Nothing:
    """No order, and why; ``at_target`` says that the position already is what is wanted."""

    detail: str
    at_target: bool = False


Plan = Proposal | Nothing


def changed_mind(instance: Instance, target: Decimal) -> bool:
    return instance.last_signal is None or instance.last_signal.target != target


def plan(instance: Instance, target: Decimal, *, bar_time: datetime, around: Surroundings, now: datetime) -> Plan:
    """``target`` is the wanted fraction of the strategy's capital, decided on the bar that opened at ``bar_time``."""
    if instance.order is not None:
        return Nothing(f"an order is {instance.order.status.value}")
    if instance.held_target == target:
        return Nothing("", at_target=True)
    if around.equity is None:
        return Nothing("the account's equity is not known yet")
    if around.instrument is None:
        venue = around.place.venue if around.place else instance.config.venue
        return Nothing(f"nothing is known of {instance.config.symbol} on {venue} yet")
    sized = size_order(
        target,
        capital=around.equity * instance.config.capital_share,
        price=around.price,
        position=instance.held,
        instrument=around.instrument,
        reserve=around.reserve,
    )
    match sized:
        case NothingToSend(reason=NoOrder.AT_TARGET):
            return Nothing("", at_target=True)
        case NothingToSend():
            return Nothing(f"no order: {sized.message}")
        case SizedOrder():
            if instance.status is StrategyStatus.PAUSED and not sized.reduce_only:
                return Nothing("paused: an entry was held back")
            home = Place(instance.config.account, instance.config.venue)
            if not sized.reduce_only or not (around.exits or around.away):
                place = around.place or home
                return _proposal(instance, target, sized, place, around.price, around, bar_time, now)
            return _exit(instance, target, sized, around, bar_time, now)


def _exit(
    instance: Instance, target: Decimal, sized: SizedOrder, around: Surroundings, bar_time: datetime, now: datetime
) -> Plan:
    """Reduce where it is held. What one place does not hold counts as clipped: the next bar reduces the next."""
    for leaving in around.exits:
        quantity = leaving.reduced_by(sized)
        if quantity is not None:
            part = SizedOrder(sized.side, quantity, True, sized.clipped or quantity < sized.quantity)
            return _proposal(instance, target, part, leaving.place, leaving.price, around, bar_time, now)
    where = ", ".join(around.away) or "its accounts"
    return Nothing(f"no order: what is held on {where} cannot be sold now")


def _proposal(
    instance: Instance,
    target: Decimal,
    sized: SizedOrder,
    place: Place,
    price: Decimal,
    around: Surroundings,
    bar_time: datetime,
    now: datetime,
) -> Proposal:
    config = instance.config
    assert around.equity is not None  # or nothing would have been sized
    sized_from = SizedFrom(
        bar_time=bar_time,
        target=target,
        capital=around.equity * config.capital_share,
        position=instance.held,
        price=around.price,
        reserve=around.reserve,
    )
    order_id = order_id_of(config.strategy, config.symbol, bar_time)
    terms = OrderTerms(
        order_id=order_id,
        account=place.account,
        venue=place.venue,
        symbol=config.symbol,
        side=sized.side,
        type=OrderType.MARKET,
        quantity=sized.quantity,
        reduce_only=sized.reduce_only,
    )
    own = OwnOrder(order_id, bar_time, target, sized.clipped, proposed_at=now)
    return Proposal(terms, own, price, sized_from)


def order_id_of(strategy: str, symbol: str, bar_time: datetime, sequence: int = 0) -> str:
    """The same for the same bar on any machine and after any restart, so that a bar can never order twice."""
    return derived_id(strategy, symbol, bar_time.isoformat(), sequence)

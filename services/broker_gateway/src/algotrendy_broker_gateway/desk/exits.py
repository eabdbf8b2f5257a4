"""What a look at one symbol finds, and the orders and events that follow from it.

Invariant: pure; an exit made here only ever takes from the position, and its id follows from the symbol and a number
that is stored with it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import HeldBy, OrderSource, OrderStatus, OrderType, ProtectionState, Side, TimeInForce
from algotrendy_common.events.account import ProtectionChanged
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderOrigin, OrderTerms
from algotrendy_common.ids import client_order_id, derived_id
from algotrendy_common.money import ZERO
from algotrendy_core.instruments import Instrument
from algotrendy_core.order_states import Held, OrderState, Submitting

from algotrendy_broker_gateway.domain.capabilities import Capabilities
from algotrendy_broker_gateway.domain.handling import Handling, handling
from algotrendy_broker_gateway.domain.margin import Margin
from algotrendy_broker_gateway.domain.order_record import OrderRecord
from algotrendy_broker_gateway.domain.protection import SLIPPAGE, Bracket, Exit, LiveExit, Plan, state_of
from algotrendy_broker_gateway.domain.triggers import Watch, watch_of
from algotrendy_broker_gateway.store.guards import OpenBracket, Standing

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


@dataclass(frozen=True, slots=True)
class Found:
    """One symbol as the books have it, under the account's lock."""

    account: str
    instrument: Instrument
    position: Decimal
    average_price: Decimal | None
    strategies: tuple[str, ...]
    live: tuple[OrderRecord, ...]
    brackets: tuple[Bracket, ...]
    entries: dict[str, OpenBracket]
    standing: Standing
    leaving: Decimal
    """Of the position, by orders that are no exits: on spot they and an exit cannot share the same money."""
    now: datetime
    margin: Margin
    """How the position is paid for: its exits are on the same margin, or they would sell what nobody holds."""

    @property
    def side(self) -> Side:
        """Of whatever reduces the position."""
        return Side.SELL if self.position > ZERO else Side.BUY

    @property
    def exits(self) -> tuple[LiveExit, ...]:
        return tuple(
            LiveExit(order.order_id, _exit_of(order), order.rest, order.held or order.working)
            for order in self.live
            if is_exit(order) and order.rest
        )


def is_exit(order: OrderRecord) -> bool:
    """An order that waits to reduce; a flattening does not wait."""
    return order.protective and order.terms.type is not OrderType.MARKET


def _exit_of(order: OrderRecord) -> Exit:
    terms = order.terms
    match terms.type:
        case OrderType.STOP | OrderType.STOP_LIMIT:
            return Exit(order.origin.parent, terms.trigger_price, None)
        case OrderType.OCO:
            return Exit(order.origin.parent, terms.trigger_price, terms.limit_price)
        case _:
            return Exit(order.origin.parent, None, terms.limit_price)


def leaving(
    live: tuple[OrderRecord, ...],
    rooms: Collection[str],
    position: Decimal,
    spare_base: Decimal,
    *,
    locks: bool,
) -> Decimal:
    """What orders that are no exits take off the position; ``rooms`` are those about to leave.

    ``locks``: the position is the asset itself, which an order that waits at the venue has locked.
    ``spare_base`` is what the account holds beside the position: an order that only rests at the venue leaves the
    position guarded as long as that is enough for both. A reduction is no such order, whatever else is held: it and an
    exit of the same quantity would together sell more than the position.
    """
    at_once = resting = ZERO
    for order in live:
        if is_exit(order) or order.terms.side.sign * position >= ZERO:
            continue
        if order.protective:
            at_once += order.rest
        elif locks and (_at_venue(order) or order.order_id in rooms):
            if _may_rest(order) and not order.terms.reduce_only:
                resting += order.rest
            else:
                at_once += order.rest
    return at_once + max(resting - spare_base, ZERO)


def _at_venue(order: OrderRecord) -> bool:
    return not order.held and order.status is not OrderStatus.APPROVED


def _may_rest(order: OrderRecord) -> bool:
    """Not sure to trade at once: it may stand in the book for days."""
    return order.terms.type is not OrderType.MARKET and order.terms.time_in_force not in _AT_ONCE


def exit_order(
    found: Found, wish: Exit | None, quantity: Decimal, generation: int, can: Capabilities, at_market: bool
) -> tuple[OrderRecord, Watch | None]:
    """``wish`` None is a flattening."""
    entry = found.entries.get(wish.entry_id) if wish is not None and wish.entry_id is not None else None
    strategy = entry.strategy if entry is not None else None
    if strategy is None and len(found.strategies) == 1:
        strategy = found.strategies[0]
    instrument = found.instrument
    order_id = derived_id("protection", found.account, instrument.venue, instrument.symbol, generation)
    terms = OrderTerms(
        order_id=order_id,
        account=found.account,
        venue=instrument.venue,
        symbol=instrument.symbol,
        side=found.side,
        type=OrderType.MARKET,
        quantity=quantity,
        reduce_only=True,
        margin_mode=found.margin.mode,
    )
    if wish is not None and not at_market:
        terms = terms.model_copy(update=_prices(wish, found, can))
    held = handling(terms, can) is Handling.HELD
    watch = None
    if held or handling(terms, can) is Handling.LEGS:
        watch = watch_of(terms, stop_rests=not held)
    state: OrderState = Held(terms) if held else Submitting(terms, 1)
    client_id = client_order_id(order_id)
    record = OrderRecord(
        client_order_id=client_id,
        venue_client_id=client_id,
        approval_id=None,
        notional=None,
        expires_at=None,
        origin=OrderOrigin(
            source=OrderSource.PROTECTION,
            strategy=strategy,
            reason=_why(wish, at_market),
            parent=wish.entry_id if wish is not None else None,
        ),
        state=state,
        revision=1,
        created_at=found.now,
        submitted_at=None if held else found.now,
    )
    return record, watch


def _prices(wish: Exit, found: Found, can: Capabilities) -> dict[str, object]:
    if wish.type is OrderType.STOP and OrderType.STOP not in can.resting and OrderType.STOP_LIMIT in can.resting:
        assert wish.stop is not None
        worst = wish.stop * (1 + found.side.sign * SLIPPAGE)
        return {
            "type": OrderType.STOP_LIMIT,
            "trigger_price": wish.stop,
            "limit_price": found.instrument.round_price_passively(worst, found.side.opposite),
        }
    return {"type": wish.type, "trigger_price": wish.stop, "limit_price": wish.take}


def _why(wish: Exit | None, at_market: bool) -> str:
    if wish is None:
        return "flattens a position that could not be guarded"
    if at_market:
        return "its stop has been passed already"
    return f"guards order {wish.entry_id}" if wish.entry_id is not None else "guards what no entry brought exits for"


def protection_changed(
    events: EventFactory, found: Found, asked: Plan, guarded: bool, revision: int
) -> ProtectionChanged:
    instrument = found.instrument
    settled = [one for one in found.exits if one.settled]
    by_id = {order.order_id: order for order in found.live}
    covered = min(sum((one.rest for one in settled), ZERO), abs(found.position))
    state = state_of(found.position, covered, asked, found.leaving, guarded)
    held = [by_id[one.order_id].held for one in settled]
    stops = [one.exit.stop for one in settled if one.exit.stop is not None]
    takes = [one.exit.take for one in settled if one.exit.take is not None]
    ratios = [
        bracket.protection.trailing_ratio for bracket in found.brackets if bracket.protection.trailing_ratio is not None
    ]
    nearest = max if found.position > ZERO else min
    return events.make(
        ProtectionChanged,
        account=found.account,
        venue=instrument.venue,
        symbol=instrument.symbol,
        revision=revision,
        state=state,
        held_by=None if not held else HeldBy.GATEWAY if any(held) else HeldBy.VENUE,
        position_quantity=found.position,
        protected_quantity=covered,
        stop_price=nearest(stops) if stops else None,
        take_profit_price=takes[0] if takes else None,
        trailing_ratio=ratios[0] if ratios else None,
        order_ids=tuple(one.order_id for one in found.exits),
        detail=_detail(state, found, asked),
    )


def _detail(state: ProtectionState, found: Found, asked: Plan) -> str:
    if state is ProtectionState.DUST:
        return f"{asked.dust} is less than the venue takes in an order"
    if found.leaving and found.position:
        return f"{found.leaving} of it is in orders that reduce it"
    return ""


def same(before: ProtectionChanged | None, after: ProtectionChanged) -> bool:
    """True where nothing worth telling has changed."""
    if before is None:
        return after.state in (ProtectionState.FLAT, ProtectionState.NOT_REQUIRED)
    ignored = {"event_id", "event_time", "received_time", "traceparent", "revision"}
    return before.model_dump(exclude=ignored) == after.model_dump(exclude=ignored)

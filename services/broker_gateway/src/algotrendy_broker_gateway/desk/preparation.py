"""What has to be done before an order may leave: the order it replaces gone, a reduction not larger than what there is,
room made on spot where an exit has the money locked.

Invariant: a plain order needs nothing of it, and pays nothing; whatever has to go first is confirmed gone by the venue
before the order is committed as leaving. An order that cannot be made ready waits, approved, until its approval ends.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from algotrendy_common.database import Database, Transaction
from algotrendy_common.enums import MarginMode, OrderStatus, Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_core import orders
from algotrendy_core.exit_feasibility import exit_violations, sellable
from algotrendy_core.fees import ChargedIn
from algotrendy_core.order_states import CancelledAtVenue

from algotrendy_broker_gateway.desk.books import Books
from algotrendy_broker_gateway.desk.cancellation import Cancellation
from algotrendy_broker_gateway.desk.persistence import until_stored
from algotrendy_broker_gateway.domain.handling import Handling, handling, objection, unfit
from algotrendy_broker_gateway.domain.margin import borrows, effective_mode
from algotrendy_broker_gateway.domain.order_record import OrderRecord
from algotrendy_broker_gateway.domain.outbound_count import ProtectiveCount
from algotrendy_broker_gateway.domain.protection import ProtectionPolicy
from algotrendy_broker_gateway.domain.triggers import Watch, watch_of
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused
from algotrendy_broker_gateway.ports import Venue, VenuePosition
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.guards import GuardStore
from algotrendy_broker_gateway.store.orders import OrderStore

_CANCEL_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Ready:
    """What may be committed now. ``quantity`` is None for all of it."""

    quantity: Decimal | None = None
    hold: bool = False
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """Code and words, as they go into the order's end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Room:
    """What exits have to leave free for an order."""

    symbol: str
    side: Side
    quantity: Decimal
    reduces: bool
    """It was to take from a guarded position and no more when room was asked for: that it stays, whatever happens
    then, and though nothing is left to be guarded."""


class Preparation:
    """One account's."""

    def __init__(
        self,
        database: Database,
        order_store: OrderStore,
        accounts: AccountStore,
        guards: GuardStore,
        books: Books,
        cancellation: Cancellation,
        held: ProtectiveCount,
        policy: ProtectionPolicy,
        venue: Venue,
        leverage: Decimal | None,
        margin_mode: MarginMode,
    ) -> None:
        self._database = database
        self._orders = order_store
        self._accounts = accounts
        self._guards = guards
        self._books = books
        self._cancellation = cancellation
        self._held = held
        self._policy = policy
        self._venue = venue
        self._leverage = leverage
        self._margin_mode = margin_mode
        self._leverages: dict[str, tuple[Decimal, MarginMode]] = {}
        """As this process has set them at the venue."""
        self.rooms: dict[str, Room] = {}
        """By order that is about to leave."""
        self.guarded: Callable[[str], bool] = lambda symbol: False
        """True where exits may have the symbol's money locked."""
        self.make_room: Callable[[str], Awaitable[None]] = _nothing

    # -- at the door -------------------------------------------------------------------------------------------

    def refusal(self, terms: OrderTerms, notional: Decimal, now: datetime) -> str | None:
        """Why the order can never leave, told before it is committed; pure, and without waiting."""
        try:
            instrument = self._venue.instrument(terms.symbol)
        except VenueRefused:
            return None  # not connected yet, or not listed: the venue says which
        found = objection(terms, self._venue.capabilities, now) or unfit(terms, instrument)
        if found is not None:
            return str(found)
        if terms.reduce_only or (terms.side is Side.SELL and not borrows(terms)):
            return None
        price = terms.limit_price or terms.trigger_price or notional / terms.quantity
        stop = terms.protection.stop_price if terms.protection is not None else None
        worst = stop or price * (1 - terms.side.sign * self._policy.default_stop_ratio)
        broken = exit_violations(
            instrument,
            terms.side,
            terms.quantity,
            min(worst, price),
            self._held.held(terms.symbol),
            ChargedIn.QUOTE if borrows(terms) else ChargedIn.RECEIVED,
        )
        if broken:
            rules = ", ".join(f"{one.rule} {one.limit}, not {one.observed}" for one in broken)
            return f"exit_infeasible: what it buys could not be sold again: {rules}"
        return None

    def plain(self, terms: OrderTerms) -> bool:
        """True where the order may be committed and sent at once."""
        can = self._venue.capabilities
        if self._leverage_of(terms) != self._leverages.get(terms.symbol):
            return False
        if terms.replaces is not None or handling(terms, can) is not Handling.DIRECT:
            return False
        paid_in_full = not borrows(terms)
        if terms.reduce_only and (paid_in_full or not can.reduce_only):
            return False
        return not (paid_in_full and terms.side is Side.SELL and self.guarded(terms.symbol))

    def _leverage_of(self, terms: OrderTerms) -> tuple[Decimal, MarginMode] | None:
        """What has to be set at the venue before the order leaves; None where nothing is borrowed."""
        mode = effective_mode(terms, self._margin_mode)
        leverage = terms.leverage if terms.leverage is not None else self._leverage
        if terms.reduce_only or leverage is None or mode is MarginMode.NONE:
            return self._leverages.get(terms.symbol)
        return leverage, mode

    def heard(self, positions: Iterable[VenuePosition]) -> None:
        """What a person has set otherwise at the venue is set again before the next order."""
        for held in positions:
            known = self._leverages.get(held.symbol)
            if known is not None and held.leverage is not None and known != (held.leverage, held.margin_mode):
                del self._leverages[held.symbol]

    # -- one order ---------------------------------------------------------------------------------------------

    async def ready(self, order: OrderRecord, now: datetime) -> Ready | Never | None:
        """None where it has to wait. Inside ``room_for``."""
        terms, can = order.terms, self._venue.capabilities
        try:
            found = objection(terms, can, now) or unfit(terms, self._venue.instrument(terms.symbol))
        except VenueRefused as no:
            return Never(f"{no.code}: {no}")
        if found is not None:
            return Never(str(found))
        quantity: Decimal | None = None
        if terms.replaces is not None:
            replaced = await self._replace(terms)
            if not isinstance(replaced, Decimal):
                return replaced
            quantity = replaced
        wanted = self._leverage_of(terms)
        if wanted is not None and wanted != self._leverages.get(terms.symbol):
            try:
                await self._venue.set_leverage(terms.symbol, *wanted)
            except VenueRefused as no:
                return Never(f"leverage_refused: {no}")
            except OutcomeUnknown:
                return None  # asked again: setting it twice changes nothing
            self._leverages[terms.symbol] = wanted
        match handling(terms, can):
            case Handling.HELD:
                return Ready(quantity, hold=True, watch=watch_of(terms))
            case Handling.LEGS:
                return Ready(quantity, watch=watch_of(terms, stop_rests=True))
            case Handling.DIRECT:
                return Ready(quantity)

    async def _replace(self, terms: OrderTerms) -> Decimal | Never | None:
        """What is left to trade once the replaced order is gone."""
        assert terms.replaces is not None
        old = await self._orders.now(terms.replaces)
        if old is None:
            return Never(f"replaced_unknown: no order {terms.replaces} here")
        mine, theirs = terms, old.terms
        if (mine.account, mine.symbol, mine.side) != (theirs.account, theirs.symbol, theirs.side):
            return Never("replaced_differs: an order can only be replaced on its own account, symbol and side")
        if not old.status.terminal:
            found = await self._end(old)
            if found is None or not found.status.terminal:
                return None
            old = found
        if old.status is OrderStatus.FILLED:
            return Never("replaced_filled: the order it replaces has traded in full")
        rest = terms.quantity - orders.filled_quantity(old.state)
        price = terms.limit_price or terms.trigger_price
        instrument = self._venue.instrument(terms.symbol)
        if rest < instrument.min_quantity or (price is not None and not sellable(instrument, rest, price)):
            return Never(f"replaced_nearly_filled: {rest} is left, less than the venue takes in an order")
        return rest

    async def _end(self, old: OrderRecord) -> OrderRecord | None:
        if old.status is OrderStatus.APPROVED or old.held:
            await until_stored(lambda: self._end_waiting(old))
        else:
            async with self._database.transaction() as tx:
                await self._orders.want_cancelled(tx, old.order_id)
        return await self._cancellation.gone(old.order_id, _CANCEL_PATIENCE_S)

    async def _end_waiting(self, old: OrderRecord) -> None:
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            found = await self._orders.by_id(tx, old.order_id)
            if found is not None and (found.status is OrderStatus.APPROVED or found.held):
                await self._books.tell_within(tx, old.order_id, CancelledAtVenue(None, "replaced by another order"))

    # -- reductions --------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def room_for(self, order: OrderRecord) -> AsyncIterator[None]:
        """While inside, exits keep away from what the order is about to sell."""
        terms = order.terms
        if order.protective or terms.side is Side.BUY or borrows(terms):
            yield
            return
        guarded = self.guarded(terms.symbol)
        reduces = guarded and order.rest <= self._held.held(terms.symbol)
        self.rooms[order.order_id] = Room(terms.symbol, terms.side, order.rest, reduces)
        try:
            if guarded:
                await self.make_room(terms.symbol)
            yield
        finally:
            self.rooms.pop(order.order_id, None)

    async def reducible(
        self, tx: Transaction, order: OrderRecord, quantity: Decimal | None = None, *, only_reduces: bool = False
    ) -> tuple[Decimal | None, str | None]:
        """What the whole order may come to, None for all of it; or why nothing may. Under the account's lock.
        ``only_reduces``: it may do nothing else now, whatever its terms allow.

        A reduction never sells more than the position less what other orders at the venue may sell of it, exits that
        could not make room among them; nor does an order that was to sell part of a guarded position, whose stop was
        hit while room was made.
        """
        terms = order.terms
        if self._venue.capabilities.reduce_only and borrows(terms):
            return quantity, None
        room = self.rooms.get(order.order_id)
        only_reduces |= terms.reduce_only
        if not only_reduces and (room is None or not room.reduces):
            return quantity, None
        position, _, _ = await self._guards.position(tx, terms.symbol)
        there = abs(position) if position * terms.side.sign < ZERO else ZERO
        others = await self._orders.of_symbol(tx, terms.symbol) if only_reduces else ()
        for other in others:
            leaves = other.terms.side is terms.side and other.order_id != order.order_id and not other.held
            if leaves and other.status is not OrderStatus.APPROVED:
                there -= other.rest
        traded = orders.filled_quantity(order.state)
        rest = (quantity if quantity is not None else terms.quantity) - traded
        if rest <= there:
            return quantity, None
        rounded = self._venue.instrument(terms.symbol).round_quantity(max(there, ZERO))
        if not rounded:
            return None, f"nothing_to_reduce: the position is {position}, of which {max(there, ZERO)} is not being sold"
        return traded + rounded, None


async def _nothing(symbol: str) -> None:
    return None

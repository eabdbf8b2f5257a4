"""Exits that match positions: what should guard a symbol is compared with what does, and the difference is made good.

Invariant: what is decided and what it was decided on are one transaction under the account's lock; nothing is placed
while something has to go first. It needs no memory: whenever it is asked (a fill, an order's end, a start, a timer) it
works from the books alone, so that it does not matter what was under way when a process died.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from algotrendy_common.clock import Clock, monotonic_s
from algotrendy_common.database import Database, Transaction
from algotrendy_common.enums import MarginMode, OrderStatus, ProtectionState, Side
from algotrendy_common.events.account import ProtectionChanged
from algotrendy_common.events.event import EventFactory
from algotrendy_common.money import ZERO
from algotrendy_common.telemetry import log
from algotrendy_core.instruments import Instrument, InstrumentKind
from algotrendy_core.orders import filled_quantity
from prometheus_client import Counter

from algotrendy_broker_gateway.desk import announcements
from algotrendy_broker_gateway.desk.books import Taken
from algotrendy_broker_gateway.desk.cancellation import Cancellation
from algotrendy_broker_gateway.desk.exits import Found, exit_order, leaving, protection_changed, same
from algotrendy_broker_gateway.desk.gate import TradingGate
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY, until_stored
from algotrendy_broker_gateway.desk.preparation import Preparation
from algotrendy_broker_gateway.desk.submission import Submission
from algotrendy_broker_gateway.domain.order_record import OrderRecord, reason_of
from algotrendy_broker_gateway.domain.protection import (
    MOVE_SHARE,
    Bracket,
    Exit,
    Plan,
    ProtectionPolicy,
    better,
    plan,
    reductions,
    spare_exit,
)
from algotrendy_broker_gateway.domain.triggers import Watch, price_for
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.guards import GuardStore, OpenBracket
from algotrendy_broker_gateway.store.orders import OrderStore

EXITS = Counter("algotrendy_exits_placed_total", "Orders that guard a position", ["account", "type"])
_ROUNDS = 12
_PATIENCE_S = 10.0
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_BARE = (ProtectionState.NAKED, ProtectionState.PARTIAL)
_PASSED = ("trigger immediately", "relationship of the prices")
"""How a venue that has no code of its own says that an exit's price lies on the wrong side of the market."""
_UNGUARDED = (None, ProtectionState.FLAT, ProtectionState.NOT_REQUIRED)


@dataclass(frozen=True, slots=True)
class Closing:
    """Somebody wants the position closed: all of it, or what one strategy has of it."""

    reason: str
    strategy: str | None


@dataclass(slots=True)
class _Memory:
    """What is known of a symbol beside the books; losing it costs a repetition and no more."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    bid: Decimal | None = None
    ask: Decimal | None = None
    refusals: int = 0
    not_before_s: float = 0.0
    passed: bool = False
    """The venue said that a stop's price has been passed already."""
    state: ProtectionState | None = None
    trailing: dict[str, Bracket] = field(default_factory=dict)
    closing: Closing | None = None


def _came_to_nothing(order: OrderRecord) -> bool:
    """Refused, or ended by the venue unasked before it traded."""
    if order.status is OrderStatus.REJECTED:
        return True
    return order.status is OrderStatus.CANCELLED and not order.cancel_requested and not filled_quantity(order.state)


@dataclass(frozen=True, slots=True)
class _Step:
    cancel: tuple[str, ...] = ()
    placed: tuple[tuple[OrderRecord, Watch | None], ...] = ()


class Guard:
    """One account's."""

    def __init__(
        self,
        account: str,
        database: Database,
        orders: OrderStore,
        accounts: AccountStore,
        guards: GuardStore,
        cancellation: Cancellation,
        preparation: Preparation,
        submission: Submission,
        gate: TradingGate,
        policy: ProtectionPolicy,
        venue: Venue,
        events: EventFactory,
        clock: Clock,
    ) -> None:
        self._account = account
        self._database = database
        self._orders = orders
        self._accounts = accounts
        self._guards = guards
        self._cancellation = cancellation
        self._preparation = preparation
        self._submission = submission
        self._gate = gate
        self._policy = policy
        self._venue = venue
        self._events = events
        self._clock = clock
        self._log = log("guard")
        self._memories: dict[str, _Memory] = {}
        self.on_watch: Callable[[Watch], None] = lambda watch: None
        """Told of a price that is to be waited for."""
        self.on_doubt: Callable[[], None] = lambda: None
        """Told that the answer of a commit was lost: a price that is to be waited for may be in the store alone."""
        self.on_wanted: Callable[[str], None] = lambda symbol: None
        """Told of a symbol that is worth looking at."""

    # -- what is heard -----------------------------------------------------------------------------------------

    def changed(self, taken: Taken) -> None:
        """Anything that may have moved a position or an exit."""
        order, symbol = taken.order, taken.order.terms.symbol
        if taken.position is not None:
            self._memory(symbol).passed = False
        if order.protective and _came_to_nothing(order):
            self._refused(order)
        elif order.protective and (order.working or taken.position is not None):
            self._memory(symbol).refusals = 0
        moved = taken.position is not None or order.status.terminal
        if order.protective or (moved and (order.terms.protection is not None or self._concerned(symbol))):
            self.on_wanted(symbol)

    def _concerned(self, symbol: str) -> bool:
        """False where nobody wants anything guarded: most accounts' fills then cost nothing here."""
        memory = self._memories.get(symbol)
        return self._policy.required or (
            memory is not None and (memory.state not in _UNGUARDED or memory.closing is not None)
        )

    def _refused(self, order: OrderRecord) -> None:
        memory = self._memory(order.terms.symbol)
        code, message = reason_of(order.state)
        self._log.error("an exit came to nothing", order_id=order.order_id, code=code, error=message)
        if code == "would_trigger" or any(words in (message or "").lower() for words in _PASSED):
            # It would have sold by now: that is done at once, and again after a while where nobody buys.
            memory.passed = True
            return
        memory.not_before_s = monotonic_s() + _RETRY_S[min(memory.refusals, len(_RETRY_S) - 1)]
        memory.refusals += 1

    def quote(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
        """A better price moves trailing stops along; small steps are not worth an order."""
        memory = self._memories.get(symbol)
        if memory is None:
            return
        memory.bid, memory.ask = bid, ask
        for bracket in memory.trailing.values():
            ratio, price = bracket.protection.trailing_ratio, price_for(bracket.side.opposite, bid, ask)
            assert ratio is not None
            step = price * ratio * MOVE_SHARE * bracket.side.sign
            if bracket.best_price is None or better(bracket.side, price, bracket.best_price + step):
                self.on_wanted(symbol)

    def guarded(self, symbol: str) -> bool:
        """True where exits may have the symbol's money locked, now or in a moment."""
        memory = self._memories.get(symbol)
        return memory is not None and (memory.lock.locked() or memory.state not in _UNGUARDED)

    async def close(self, reason: str, strategy: str | None) -> None:
        """Sell what the account (or a strategy) holds, at the market; exits make room for it."""
        for symbol in await self._guards.held_symbols(strategy or ""):
            self._log.warning("closing a position", symbol=symbol, strategy=strategy, reason=reason)
            self._memory(symbol).closing = Closing(reason, strategy)
            self.on_wanted(symbol)

    def _memory(self, symbol: str) -> _Memory:
        return self._memories.setdefault(symbol, _Memory())

    # -- the work ----------------------------------------------------------------------------------------------

    async def settle(self, symbol: str) -> ProtectionChanged:
        """Until what guards the symbol is what should, or the venue has to be waited for; how it stands then."""
        memory = self._memory(symbol)
        async with memory.lock:
            for _ in range(_ROUNDS):
                step, told = await until_stored(lambda: self._step(symbol, memory))
                memory.state = told.state
                for order, watch in step.placed:
                    EXITS.labels(self._account, order.terms.type.value).inc()
                    if watch is not None:
                        self.on_watch(watch)
                    if order.status is OrderStatus.SUBMITTING:
                        self._submission.send_exit(order)
                if step.placed:
                    await self._answered(step)
                elif not step.cancel or not await self._gone(step.cancel):
                    break
        return told

    async def make_room(self, symbol: str) -> None:
        await self.settle(symbol)

    async def _answered(self, step: _Step) -> None:
        calls = [self._submission.in_flight.get(order.order_id) for order, _ in step.placed]
        underway = [call for call in calls if call is not None]
        if underway:
            await asyncio.wait(underway, timeout=_PATIENCE_S)

    async def _gone(self, order_ids: tuple[str, ...]) -> bool:
        """True where at least one has ended, so that it is worth looking again."""
        found = await asyncio.gather(*(self._cancellation.gone(order_id, _PATIENCE_S) for order_id in order_ids))
        return any(order is not None and order.status.terminal for order in found)

    async def _step(self, symbol: str, memory: _Memory) -> tuple[_Step, ProtectionChanged]:
        try:
            with self._submission.sending() as name:
                return await self._commit(symbol, memory, name)
        except STORE_AWAY:
            self.on_doubt()
            raise

    async def _commit(
        self, symbol: str, memory: _Memory, name: Callable[[str], None]
    ) -> tuple[_Step, ProtectionChanged]:
        instrument = self._venue.instrument(symbol)
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            found = await self._find(tx, symbol, instrument, memory)
            spare = None
            if self._policy.required and found.position and found.average_price is not None:
                spare = spare_exit(found.position, found.average_price, instrument, self._policy)
            asked = plan(found.position, found.leaving, found.brackets, found.exits, instrument, spare)
            guarded = spare is not None or bool(found.brackets)
            if memory.closing is not None:
                asked = await self._closing(tx, found, asked, memory)
            placed, generation = await self._place(tx, found, asked, memory)
            for order, _ in placed:
                if not order.held:
                    name(order.order_id)
            told = await self._say(tx, found, asked, guarded, generation)
            for order_id in asked.cancel:
                await self._orders.want_cancelled(tx, order_id)
        return _Step(asked.cancel, placed), told

    async def _place(
        self, tx: Transaction, found: Found, asked: Plan, memory: _Memory
    ) -> tuple[tuple[tuple[OrderRecord, Watch | None], ...], int]:
        generation = found.standing.generation
        if asked.cancel or not self._gate.lets_reductions_out or monotonic_s() < memory.not_before_s:
            return (), generation
        wishes: list[tuple[Exit | None, Decimal]] = [
            # A halt wants nothing in the book that is no guard: a take-profit alone comes back after it.
            (wish, quantity)
            for wish, quantity in asked.place
            if wish.stop is not None or not self._gate.halting
        ]
        if asked.close:
            wishes = [(None, asked.close)]
        elif wishes and self._too_long(found):
            wishes = [(None, sum((quantity for _, quantity in wishes), ZERO))]
        placed: list[tuple[OrderRecord, Watch | None]] = []
        for wish, quantity in wishes:
            generation += 1
            at_market = wish is not None and self._passed(found, wish, memory)
            order, watch = exit_order(found, wish, quantity, generation, self._venue.capabilities, at_market=at_market)
            told = announcements.order_updated(self._events, order, found.now)
            await self._orders.add(tx, order, ((order.status.value, found.now, order.origin.reason),), told)
            await tx.emit(told)
            if watch is not None:
                await self._guards.save_watch(tx, watch)
            placed.append((order, watch))
        return tuple(placed), generation

    async def _closing(self, tx: Transaction, found: Found, asked: Plan, memory: _Memory) -> Plan:
        """Exits go first: on spot they have the money, on derivatives they would be too large afterwards."""
        closing = memory.closing
        assert closing is not None
        quantity = max(abs(found.position) - found.leaving, ZERO)
        if closing.strategy is not None:
            quantity = min(quantity, abs(await self._guards.strategy_position(tx, found.instrument, closing.strategy)))
        quantity = found.instrument.round_quantity(quantity)
        if quantity < found.instrument.min_quantity:
            memory.closing = None
            return asked
        if found.exits:
            return Plan(cancel=tuple(one.order_id for one in found.exits if one.settled), wanted=asked.wanted)
        if closing.strategy is not None:
            memory.closing = None
        return Plan(close=quantity, wanted=asked.wanted)

    def _too_long(self, found: Found) -> bool:
        since = found.standing.bare_since
        return self._policy.flatten and since is not None and found.now - since >= self._policy.flatten_after

    @staticmethod
    def _passed(found: Found, wish: Exit, memory: _Memory) -> bool:
        """The market is already where the exit would have sold: on either side of it."""
        price, sign = (memory.bid if found.side is Side.SELL else memory.ask), found.side.sign
        if memory.passed or price is None:
            return memory.passed
        stopped = wish.stop is not None and (price - wish.stop) * sign >= ZERO
        taken = wish.stop is not None and wish.take is not None and (price - wish.take) * sign <= ZERO
        return stopped or taken

    # -- what is there -----------------------------------------------------------------------------------------

    async def _find(self, tx: Transaction, symbol: str, instrument: Instrument, memory: _Memory) -> Found:
        position, average, strategies = await self._guards.position(tx, symbol)
        live = tuple(await self._orders.of_symbol(tx, symbol))
        entries = await self._guards.brackets(tx, symbol, instrument.base)
        brackets = await self._brackets(tx, entries, position, instrument, memory)
        margin = await self._guards.margin(tx, symbol)
        locks = instrument.kind is InstrumentKind.SPOT and margin.mode is MarginMode.NONE
        held = (await self._accounts.holdings(tx)).get(instrument.base, ZERO)
        spare_base = max(held - abs(position), ZERO)
        return Found(
            account=self._account,
            instrument=instrument,
            position=position,
            average_price=average,
            strategies=strategies,
            live=live,
            brackets=brackets,
            entries=entries,
            standing=await self._guards.standing(tx, symbol),
            leaving=leaving(live, self._preparation.rooms, position, spare_base, locks=locks),
            now=self._clock.now(),
            margin=margin,
        )

    async def _brackets(
        self,
        tx: Transaction,
        entries: dict[str, OpenBracket],
        position: Decimal,
        instrument: Instrument,
        memory: _Memory,
    ) -> tuple[Bracket, ...]:
        """Those that still guard something; what others sold is taken off the oldest, what is over is closed."""
        cuts = reductions([entry.bracket for entry in entries.values()], position)
        kept: list[Bracket] = []
        trailing: dict[str, Bracket] = {}
        for entry_id, entry in entries.items():
            bracket = replace(entry.bracket, left=entry.bracket.left + cuts.get(entry_id, ZERO))
            if entry.ended and bracket.open < instrument.min_quantity:
                cuts[entry_id] = cuts.get(entry_id, ZERO) + bracket.open
                await self._guards.close(tx, entry_id, self._clock.now())
                continue
            if bracket.protection.trailing_ratio is not None:
                bracket = await self._trail(tx, bracket, memory)
                trailing[entry_id] = bracket
            kept.append(bracket)
        await self._guards.reduce(tx, cuts)
        memory.trailing = trailing
        return tuple(kept)

    async def _trail(self, tx: Transaction, bracket: Bracket, memory: _Memory) -> Bracket:
        price = memory.bid if bracket.side is Side.BUY else memory.ask
        best = bracket.best_price
        if price is None:
            return bracket
        if best is None or better(bracket.side, price, best):
            await self._guards.trail(tx, bracket.entry_id, price)
            return replace(bracket, best_price=price)
        return bracket

    async def _say(
        self, tx: Transaction, found: Found, asked: Plan, guarded: bool, generation: int
    ) -> ProtectionChanged:
        before = found.standing
        revision = before.told.revision + 1 if before.told is not None else 1
        told = protection_changed(self._events, found, asked, guarded, revision)
        bare_since = (before.bare_since or found.now) if told.state in _BARE else None
        unchanged = same(before.told, told)
        if unchanged and before.told is not None:
            told = before.told
        if not unchanged or generation != before.generation or bare_since != before.bare_since:
            await self._guards.save_standing(tx, told, generation, bare_since)
        if not unchanged:
            await tx.emit(told)
        return told

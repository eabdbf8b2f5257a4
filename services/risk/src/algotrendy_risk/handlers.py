"""What risk does with the news: keeps the books, hears the market.

Invariant: an event's effect and its id are committed together; what is older than what is known changes nothing.
"""

from collections.abc import Callable

from algotrendy_common.clock import Clock
from algotrendy_common.database import Transaction
from algotrendy_common.enums import HaltLevel, ProtectionState
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.events.order import OrderFilled, OrderUpdated
from algotrendy_common.events.risk import RiskBreached
from algotrendy_common.money import plain
from algotrendy_common.telemetry import log
from algotrendy_core.fills import Fill

from algotrendy_risk.books import Books, Work
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.halts import ALL
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.portfolio import Tracks, Trade
from algotrendy_risk.halting import KillSwitch
from algotrendy_risk.ports import Announcer
from algotrendy_risk.store.books import BookStore
from algotrendy_risk.watch import Watch

_ORDER_EVENT = "risk-order-event"
_ACCOUNT = "risk-account"


class Handlers:
    def __init__(
        self,
        *,
        books: Books,
        store: BookStore,
        market: MarketView,
        watch: Watch,
        tracks: Tracks,
        kill_switch: KillSwitch,
        events: EventFactory,
        clock: Clock,
        announcer: Announcer,
    ) -> None:
        self._books = books
        self._store = store
        self._market = market
        self._watch = watch
        self._tracks = tracks
        self._kill_switch = kill_switch
        self._events = events
        self._clock = clock
        self._announcer = announcer
        self._guards: dict[tuple[str, str, str], ProtectionChanged] = {}
        self._log = log("risk")

    # -- what happens to orders and accounts -------------------------------------------------------------------

    async def on_order_updated(self, event: OrderUpdated) -> None:
        async def take(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            if not await tx.first_delivery(event, _ORDER_EVENT) or book is None:
                return book
            return await self._update(tx, book, event)

        await self._change(event.terms.account, take)

    async def take_order(self, order: OrderUpdated) -> None:
        """An order as the broker gateway answered when asked."""

        async def take(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            return None if book is None else await self._update(tx, book, order)

        await self._change(order.terms.account, take)

    async def _update(self, tx: Transaction, book: AccountBook, event: OrderUpdated) -> AccountBook:
        terms = event.terms
        known = book.reservations.get(terms.order_id) or await self._store.reservation(tx, terms.order_id)
        mark = self._market.mark(terms.venue, terms.symbol)
        after, reservation = book.with_update(event, known, mark, self._market.fee_ratio(terms.venue, terms.symbol))
        if reservation is known:
            return book
        await self._store.save_reservation(tx, reservation)
        return await self._save(tx, book, after)

    async def on_order_filled(self, event: OrderFilled) -> None:
        counted: list[AccountBook] = []

        async def take(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            counted.clear()
            if not await tx.first_delivery(event, _ORDER_EVENT) or book is None:
                return book
            if not await self._store.first_count(tx, event):
                return book
            known = book.reservations.get(event.order_id) or await self._store.reservation(tx, event.order_id)
            after, reservation = book.with_fill(event, known, self._clock.now())
            if reservation is not None:
                await self._store.save_reservation(tx, reservation)
            counted.append(book)
            return await self._save(tx, book, after)

        await self._change(event.account, take)
        if counted:
            self._tracks.take(Trade(event.account, event.strategy, Fill.of_event(event)), counted[-1].quote)

    async def on_position(self, event: PositionChanged) -> None:
        await self._keep(event, lambda book: book.with_position(event, self._clock.now()))

    async def on_balance(self, event: BalanceChanged) -> None:
        await self._keep(event, lambda book: book.with_balance(event, self._clock.now()))

    async def on_reconciled(self, event: AccountReconciled) -> None:
        await self._keep(event, lambda book: book.with_reconciliation(event, self._clock.now()))
        if event.ok:
            self._market.take_confirmation(event.account, event.received_time)

    async def take_account(self, account: str, *events: PositionChanged | BalanceChanged | AccountReconciled) -> None:
        """What the broker gateway answered when asked; older answers than what is known change nothing."""

        async def take(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            if book is None:
                return None
            after = book
            for event in events:
                match event:
                    case PositionChanged():
                        after = after.with_position(event, self._clock.now())
                    case BalanceChanged():
                        after = after.with_balance(event, self._clock.now())
                    case AccountReconciled():
                        after = after.with_reconciliation(event, self._clock.now())
            return await self._save(tx, book, after)

        await self._change(account, take)

    async def _keep(
        self, event: PositionChanged | BalanceChanged | AccountReconciled, change: Callable[[AccountBook], AccountBook]
    ) -> None:
        async def take(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            if not await tx.first_delivery(event, _ACCOUNT) or book is None:
                return book
            return await self._save(tx, book, change(book))

        await self._change(event.account, take)

    async def _change(self, account: str, take: Work) -> None:
        if await self._books.change(account, take) is None:
            self._log.warning("news of an account that is not kept", account=account)
        self._watch.wake()

    async def _save(self, tx: Transaction, before: AccountBook, after: AccountBook) -> AccountBook:
        return before if after is before else await self._store.save(tx, before, after)

    # -- the market --------------------------------------------------------------------------------------------

    async def on_quote(self, event: QuoteChanged) -> None:
        self._market.take_quote(event)

    async def on_feed(self, event: FeedHealthChanged) -> None:
        self._market.take_feed(event)

    async def on_alert(self, event: AlertRaised) -> None:
        """A stream that lost messages may have lost orders: nobody trades until a person has looked."""
        if event.code == "stream_regressed":
            await self._kill_switch.engage((HaltLevel.GLOBAL, ALL), f"{event.service} via risk", event.message)

    async def on_protection(self, event: ProtectionChanged) -> None:
        """Guarding positions is the broker gateway's affair; that one is naked is a breach that risk tells of."""
        key = (event.account, event.venue, event.symbol)
        known = self._guards.get(key)
        if known is not None and known.revision >= event.revision:
            return
        self._guards[key] = event
        if event.state is not ProtectionState.NAKED or (known is not None and known.state is ProtectionState.NAKED):
            return
        await self._announcer.publish(
            self._events.make(
                RiskBreached,
                account=event.account,
                code="position_naked",
                message=f"nothing guards the position in {event.symbol}: {event.detail}",
                limit=plain(abs(event.position_quantity)),
                observed=plain(event.protected_quantity),
            )
        )

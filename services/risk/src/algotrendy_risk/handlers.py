"""What risk does with each event: decides on proposals, keeps the books, hears the market.

Invariant: an approval leaves here only in the transaction that reserves its exposure; a proposal that cannot be judged
for whatever reason is refused, and one that cannot even be written down is not answered.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from algotrendy_common.approval import Signer
from algotrendy_common.clock import Clock
from algotrendy_common.database import Transaction
from algotrendy_common.enums import Severity
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.events.order import OrderApproved, OrderFilled, OrderProposed, OrderRefused, OrderUpdated
from algotrendy_common.ids import derived_id
from algotrendy_common.telemetry import log
from algotrendy_core.limits import Violated

from algotrendy_risk.books import Books, Work
from algotrendy_risk.domain.assessment import Approval, Decision, assess, recent_kept
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.ports import Announcer
from algotrendy_risk.store import Recorded, RiskStore
from algotrendy_risk.watch import Watch

_ORDER_EVENT = "risk-order-event"
_ACCOUNT = "risk-account"


class Handlers:
    def __init__(
        self,
        *,
        books: Books,
        store: RiskStore,
        market: MarketView,
        watch: Watch,
        events: EventFactory,
        clock: Clock,
        signer: Signer,
        announcer: Announcer,
        approval_lifetime: timedelta,
    ) -> None:
        self._books = books
        self._store = store
        self._market = market
        self._watch = watch
        self._events = events
        self._clock = clock
        self._signer = signer
        self._announcer = announcer
        self._lifetime = approval_lifetime
        self._log = log("risk")

    # -- proposals ---------------------------------------------------------------------------------------------

    async def assess(self, event: OrderProposed) -> None:
        failures: list[Exception] = []

        async def decide(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            decision = self._decide(event, book, failures)
            if isinstance(decision, Violated):
                await self._refuse(tx, event, decision)
                return book
            assert book is not None
            return await self._approve(tx, event, decision, book)

        await self._books.change(event.terms.account, decide)
        self._watch.wake()
        if failures:
            await self._announcer.alert(
                Severity.CRITICAL,
                "assessment_failed",
                f"an order was refused because judging it failed: {failures[-1]!r}",
                order_id=event.terms.order_id,
            )

    def _decide(self, event: OrderProposed, book: AccountBook | None, failures: list[Exception]) -> Decision:
        try:
            return assess(
                event.terms,
                book=book,
                market=self._market,
                proposed_at=event.received_time,
                now=self._clock.now(),
                approval_lifetime=self._lifetime,
            )
        except Exception as error:  # a judgement that breaks is a no; it is told of as an alert
            self._log.error("assessment failed", order_id=event.terms.order_id, exc_info=True)
            failures.append(error)
            return Violated("assessment_failed", "the order could not be judged")

    async def _approve(
        self, tx: Transaction, event: OrderProposed, approval: Approval, book: AccountBook
    ) -> AccountBook:
        held = approval.reservation
        assert held.expires_at is not None
        approval_id = derived_id("approval", event.terms.order_id)
        told = self._events.make(
            OrderApproved,
            event_time=event.event_time,
            approval_id=approval_id,
            terms=event.terms,
            origin=event.origin,
            notional=approval.notional,
            expires_at=held.expires_at,
            signature=self._signer.sign(approval_id, event.terms, approval.notional, held.expires_at),
        )
        recorded = await self._store.record_approval(tx, event, approval, told, book.version)
        if recorded is Recorded.KNOWN:
            return replace(book, version=book.version + 1)
        await tx.emit(told)
        self._log.info("approved", order_id=event.terms.order_id, notional=str(approval.notional))
        return replace(book.with_approval(held, recent_kept(book.limits)), version=book.version + 1)

    async def _refuse(self, tx: Transaction, event: OrderProposed, why: Violated) -> None:
        told = self._events.make(
            OrderRefused,
            event_time=event.event_time,
            terms=event.terms,
            origin=event.origin,
            code=why.code,
            message=why.message,
            limit=why.limit,
            observed=why.observed,
        )
        if await self._store.record_refusal(tx, event, told, told.received_time) is Recorded.NEW:
            await tx.emit(told)
            self._log.info("refused", order_id=event.terms.order_id, code=why.code, observed=why.observed)

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
        async def take(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            if not await tx.first_delivery(event, _ORDER_EVENT) or book is None:
                return book
            if not await self._store.first_count(tx, event):
                return book
            known = book.reservations.get(event.order_id) or await self._store.reservation(tx, event.order_id)
            after, reservation = book.with_fill(event, known, self._clock.now())
            if reservation is not None:
                await self._store.save_reservation(tx, reservation)
            return await self._save(tx, book, after)

        await self._change(event.account, take)

    async def on_position(self, event: PositionChanged) -> None:
        await self._keep(event, lambda book: book.with_position(event, self._clock.now()))

    async def on_balance(self, event: BalanceChanged) -> None:
        await self._keep(event, lambda book: book.with_balance(event, self._clock.now()))

    async def on_reconciled(self, event: AccountReconciled) -> None:
        await self._keep(event, lambda book: book.with_reconciliation(event))
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
                        after = after.with_reconciliation(event)
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
            await self._watch.halt(None, f"{event.service} via risk", event.message)

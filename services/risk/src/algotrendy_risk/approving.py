"""Orders that a person must decide on: asks, carries out the word, and takes silence for a no.

Invariant: a word binds to exactly the terms that were asked about, once, in time; then everything is judged anew.
"""

from datetime import datetime

from algotrendy_common.clock import Clock
from algotrendy_common.database import Database, Outgoing, Transaction
from algotrendy_common.enums import Severity
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderProposed
from algotrendy_common.events.risk import ApprovalDecided, ApprovalRequested
from algotrendy_common.money import plain
from algotrendy_common.telemetry import log
from algotrendy_core.limits import PersonNeeded, Violated

from algotrendy_risk.books import Books
from algotrendy_risk.domain.assessment import Approval, Asked, price_moved
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.errors import OrderIdReused
from algotrendy_risk.judging import Judge
from algotrendy_risk.ports import Announcer
from algotrendy_risk.store.decisions import PROPOSAL, Recorded, Verdict
from algotrendy_risk.store.people import ApprovalStore, Pending
from algotrendy_risk.watch import Watch

_DECIDED = "risk-approval-decided"
_VERDICT = "risk-approval-verdict"


class Approving:
    def __init__(
        self,
        *,
        books: Books,
        database: Database,
        approvals: ApprovalStore,
        judge: Judge,
        market: MarketView,
        watch: Watch,
        events: EventFactory,
        clock: Clock,
        announcer: Announcer,
    ) -> None:
        self._books = books
        self._database = database
        self._approvals = approvals
        self._judge = judge
        self._market = market
        self._watch = watch
        self._events = events
        self._clock = clock
        self._announcer = announcer
        self._log = log("risk")

    async def ask(self, event: OrderProposed, asked: Asked, book: AccountBook | None) -> None:
        request = self._request(event, asked, book, again=False)
        async with self._database.transaction() as tx:
            if not await tx.first_delivery(event, PROPOSAL):
                return
            if not await self._approvals.ask(tx, event, request):
                known = await self._approvals.known(tx, event.terms.order_id)
                if known is None or known.proposal.terms != event.terms:
                    raise OrderIdReused(event.terms.order_id)
                return
            await tx.emit(request)
        self._log.info("a person is asked", order_id=event.terms.order_id, code=asked.needed.code)

    def _request(
        self, event: OrderProposed, asked: Asked, book: AccountBook | None, *, again: bool
    ) -> ApprovalRequested:
        assert book is not None
        assert book.limits is not None
        needed = asked.needed
        return self._events.make(
            ApprovalRequested,
            event_time=event.event_time,
            terms=event.terms,
            origin=event.origin,
            notional=asked.notional,
            reference_price=asked.reference_price,
            code=needed.code,
            message=needed.message,
            limit=needed.limit,
            observed=needed.observed,
            asked_again=again,
            expires_at=self._clock.now() + book.limits.approval_timeout,
        )

    async def on_decided(self, event: ApprovalDecided) -> None:
        failures: list[Exception] = []
        ignored: list[str] = []

        async def carry_out(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            ignored.clear()
            if not await tx.first_delivery(event, _DECIDED):
                return book
            pending = await self._approvals.waiting(tx, event.order_id)
            problem = self._not_binding(event, pending, book)
            if problem is not None:
                ignored.append(problem)
                return book
            assert pending is not None
            if not event.approved:
                why = Violated("approval_refused", f"{event.decided_by} refused it: {event.reason}")
                return await self._close(tx, pending, "refused", event.decided_by, event.reason, why, book)
            decision = self._judge.judge(pending.proposal, book, failures, agreed_at=self._clock.now())
            moved = self._moved(event, pending, book) if isinstance(decision, Approval) else None
            if moved is not None:
                await self._ask_again(tx, pending, moved, book)
                return book
            assert not isinstance(decision, Asked)
            state = "refused" if isinstance(decision, Violated) else "approved"
            return await self._close(tx, pending, state, event.decided_by, event.reason, decision, book)

        await self._books.change(event.terms.account, carry_out)
        self._watch.wake()
        for problem in ignored:
            await self._announcer.alert(
                Severity.WARNING,
                "approval_ignored",
                f"the word of {event.decided_by} changes nothing: {problem}",
                order_id=event.order_id,
            )

    def _not_binding(self, event: ApprovalDecided, pending: Pending | None, book: AccountBook | None) -> str | None:
        if pending is None:
            return "the order does not wait for anybody"
        if event.order_id != pending.request.terms.order_id or event.terms != pending.request.terms:
            return "it is about other terms"
        if pending.request.expires_at <= self._clock.now():
            return "it came too late"
        proposer = pending.proposal.origin.user
        by_another = book is not None and book.limits is not None and book.limits.approval_by_another
        if event.approved and by_another and proposer is not None and proposer == event.decided_by:
            return "nobody approves what he proposed himself"
        return None

    def _moved(self, event: ApprovalDecided, pending: Pending, book: AccountBook | None) -> Asked | None:
        """Asks anew where the price has gone past the collar since it was asked about, or since the person looked."""
        assert book is not None
        assert book.limits is not None
        terms, limits = pending.request.terms, book.limits
        seen = self._market.seen_by(terms.venue, terms.symbol, terms.side, limits.drift_window, self._clock.now())
        now = seen.reference_price
        assert now is not None
        before = next(
            (
                price
                for price in (pending.request.reference_price, event.reference_price)
                if price_moved(price, now, limits.price_collar)
            ),
            None,
        )
        if before is None:
            return None
        needed = PersonNeeded(
            "price_moved",
            "the price has moved too far since it was decided on",
            plain(limits.price_collar),
            plain(abs(now / before - 1)),
        )
        return Asked(needed, terms.quantity * now, now)

    async def _ask_again(self, tx: Transaction, pending: Pending, asked: Asked, book: AccountBook | None) -> None:
        request = self._request(pending.proposal, asked, book, again=True)
        await self._approvals.ask_again(tx, request)
        await tx.emit(request)
        self._log.info("a person is asked again", order_id=request.terms.order_id)

    async def _close(
        self,
        tx: Transaction,
        pending: Pending,
        state: str,
        by: str | None,
        reason: str,
        decision: Approval | Violated,
        book: AccountBook | None,
    ) -> AccountBook | None:
        proposal = pending.proposal
        now = self._clock.now()
        await self._approvals.close(tx, proposal.terms.order_id, state, by, reason, now)
        told = self._judge.told(proposal, decision)
        outgoing: Outgoing = self._database.outgoing(told)
        verdict = Verdict(
            proposal.event_id, _VERDICT, proposal.terms, proposal.origin.strategy, outgoing, now, by_person=by
        )
        recorded, after = await self._judge.record(tx.fetch_value, verdict, told, decision, book)
        if recorded is Recorded.NEW:
            tx.outgoing.append(outgoing)
        return after

    async def expire(self, now: datetime) -> None:
        """No word in time is a refusal."""
        async with self._database.reading() as reading:
            expired = await self._approvals.expired(reading, now)
        for order_id, account in expired:
            await self._expire(order_id, account)

    async def _expire(self, order_id: str, account: str) -> None:
        async def close(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            pending = await self._approvals.waiting(tx, order_id)
            if pending is None or pending.request.expires_at > self._clock.now():
                return book
            why = Violated("approval_timeout", "nobody decided on it in time")
            return await self._close(tx, pending, "expired", None, why.message, why, book)

        await self._books.change(account, close)

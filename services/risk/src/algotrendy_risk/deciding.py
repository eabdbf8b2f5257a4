"""Decides on proposals: yes, no, or a person's affair; and carries out what a person said.

Invariant: an approval leaves here only in the statement that reserves its exposure; a proposal that cannot be judged
for whatever reason is refused, and one that cannot even be written down is not answered.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from algotrendy_common.approval import Signer
from algotrendy_common.clock import Clock
from algotrendy_common.database import Database, Outgoing, Transaction
from algotrendy_common.enums import Severity
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.order import OrderApproved, OrderProposed, OrderRefused
from algotrendy_common.events.risk import ApprovalDecided, ApprovalRequested
from algotrendy_common.ids import derived_id
from algotrendy_common.money import plain
from algotrendy_common.telemetry import log
from algotrendy_core.limits import PersonNeeded, Violated

from algotrendy_risk.books import Books
from algotrendy_risk.domain.assessment import Approval, Asked, Decision, Standing, assess, price_moved, recent_kept
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.halts import HaltBoard
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.errors import OrderIdReused
from algotrendy_risk.ports import Announcer
from algotrendy_risk.store.decisions import PROPOSAL, DecisionStore, Recorded, Run, Verdict
from algotrendy_risk.store.people import ApprovalStore, Pending
from algotrendy_risk.switches import Switches
from algotrendy_risk.watch import Watch

_DECIDED = "risk-approval-decided"
_VERDICT = "risk-approval-verdict"


class Deciding:
    def __init__(
        self,
        *,
        books: Books,
        database: Database,
        decisions: DecisionStore,
        approvals: ApprovalStore,
        market: MarketView,
        halts: HaltBoard,
        switches: Switches,
        watch: Watch,
        events: EventFactory,
        clock: Clock,
        signer: Signer,
        announcer: Announcer,
        approval_lifetime: timedelta,
    ) -> None:
        self._books = books
        self._database = database
        self._decisions = decisions
        self._approvals = approvals
        self._market = market
        self._halts = halts
        self._switches = switches
        self._watch = watch
        self._events = events
        self._clock = clock
        self._signer = signer
        self._announcer = announcer
        self._lifetime = approval_lifetime
        self._log = log("risk")

    # -- proposals ---------------------------------------------------------------------------------------------

    async def on_proposed(self, event: OrderProposed) -> None:
        failures: list[Exception] = []
        decisions: list[Decision] = []

        async def decide(book: AccountBook | None) -> AccountBook | None:
            decision = self._judge(event, book, failures)
            decisions.append(decision)
            if isinstance(decision, Asked):
                await self._ask(event, decision, book)
                return book
            told = self._told(event, decision)
            outgoing = self._database.outgoing(told)
            verdict = Verdict(event.event_id, PROPOSAL, event.terms, event.origin.strategy, outgoing, self._clock.now())
            recorded, after = await self._record(self._database.statement, verdict, told, decision, book)
            if recorded is Recorded.NEW:
                self._database.on_commit([outgoing])
            return after

        await self._books.decide(event.terms.account, decide)
        self._watch.wake()
        await self._afterwards(event, decisions[-1], failures)

    def _judge(
        self, event: OrderProposed, book: AccountBook | None, failures: list[Exception], *, agreed_at: Any = None
    ) -> Decision:
        """``agreed_at`` is when a person agreed, where one did."""
        strategy = event.origin.strategy
        try:
            return assess(
                event.terms,
                event.origin,
                book=book,
                market=self._market,
                standing=Standing(
                    self._halts.over(event.terms.account, strategy),
                    self._switches.why_off(strategy),
                    self._switches.enabled_at(strategy),
                ),
                proposed_at=agreed_at or event.received_time,
                now=self._clock.now(),
                approval_lifetime=self._lifetime,
                person_agreed=agreed_at is not None,
            )
        except Exception as error:  # a judgement that breaks is a no; it is told of as an alert
            self._log.error("assessment failed", order_id=event.terms.order_id, exc_info=True)
            failures.append(error)
            return Violated("assessment_failed", "the order could not be judged")

    async def _record(
        self, run: Run, verdict: Verdict, told: Event, decision: Approval | Violated, book: AccountBook | None
    ) -> tuple[Recorded, AccountBook | None]:
        """Write it down; and the book as it is then."""
        if isinstance(decision, Violated):
            assert isinstance(told, OrderRefused)
            recorded = await self._decisions.refuse(run, verdict, told)
            if recorded is Recorded.NEW:
                self._log.info(
                    "refused", order_id=verdict.terms.order_id, code=decision.code, observed=decision.observed
                )
            return recorded, book
        assert book is not None
        terms = verdict.terms
        past_halts = book.limits is not None and book.limits.reductions_while_halted and terms.reduce_only
        recorded = await self._decisions.approve(run, verdict, decision, book.version, past_halts=past_halts)
        if recorded is Recorded.KNOWN:
            return recorded, replace(book, version=book.version + 1)
        self._log.info("approved", order_id=terms.order_id, notional=str(decision.notional))
        after = book.with_approval(decision.reservation, recent_kept(book.limits), decision.unattended)
        return recorded, replace(after, version=book.version + 1)

    def _told(self, event: OrderProposed, decision: Approval | Violated) -> OrderApproved | OrderRefused:
        if isinstance(decision, Violated):
            return self._events.make(
                OrderRefused,
                event_time=event.event_time,
                terms=event.terms,
                origin=event.origin,
                code=decision.code,
                message=decision.message,
                limit=decision.limit,
                observed=decision.observed,
            )
        until = decision.reservation.expires_at
        assert until is not None
        approval_id = derived_id("approval", event.terms.order_id)
        return self._events.make(
            OrderApproved,
            event_time=event.event_time,
            approval_id=approval_id,
            terms=event.terms,
            origin=event.origin,
            notional=decision.notional,
            expires_at=until,
            signature=self._signer.sign(approval_id, event.terms, decision.notional, until),
        )

    async def _afterwards(self, event: OrderProposed, decision: Decision, failures: list[Exception]) -> None:
        strategy = event.origin.strategy
        if isinstance(decision, Violated) and decision.code == "execution_throttle" and strategy is not None:
            await self._switches.switch_off(strategy, event.terms.account, decision.message)
        if failures:
            await self._announcer.alert(
                Severity.CRITICAL,
                "assessment_failed",
                f"an order was refused because judging it failed: {failures[-1]!r}",
                order_id=event.terms.order_id,
            )

    # -- approvals by people -----------------------------------------------------------------------------------

    async def _ask(self, event: OrderProposed, asked: Asked, book: AccountBook | None) -> None:
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
            decision = self._judge(pending.proposal, book, failures, agreed_at=self._clock.now())
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
        told = self._told(proposal, decision)
        outgoing: Outgoing = self._database.outgoing(told)
        verdict = Verdict(
            proposal.event_id, _VERDICT, proposal.terms, proposal.origin.strategy, outgoing, now, by_person=by
        )
        recorded, after = await self._record(tx.fetch_value, verdict, told, decision, book)
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

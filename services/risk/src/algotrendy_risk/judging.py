"""Judges a proposal on everything that is known, writes the verdict down, and makes the event that tells of it.

Invariant: an approval leaves here only in the statement that reserves its exposure; a proposal that cannot be judged
for whatever reason is refused, and one that cannot even be written down is not answered.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from algotrendy_common.approval import Signer
from algotrendy_common.clock import Clock
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.order import OrderApproved, OrderProposed, OrderRefused
from algotrendy_common.ids import derived_id
from algotrendy_common.telemetry import log
from algotrendy_core.limits import Violated

from algotrendy_risk.domain.assessment import Approval, Decision, Standing, assess, recent_kept
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.halts import HaltBoard
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.store.decisions import DecisionStore, Recorded, Run, Verdict
from algotrendy_risk.switches import Switches


class Judge:
    def __init__(
        self,
        *,
        decisions: DecisionStore,
        market: MarketView,
        halts: HaltBoard,
        switches: Switches,
        events: EventFactory,
        clock: Clock,
        signer: Signer,
        approval_lifetime: timedelta,
    ) -> None:
        self._decisions = decisions
        self._market = market
        self._halts = halts
        self._switches = switches
        self._events = events
        self._clock = clock
        self._signer = signer
        self._lifetime = approval_lifetime
        self._log = log("risk")

    def judge(
        self,
        event: OrderProposed,
        book: AccountBook | None,
        failures: list[Exception],
        *,
        agreed_at: datetime | None = None,
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

    async def record(
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

    def told(self, event: OrderProposed, decision: Approval | Violated) -> OrderApproved | OrderRefused:
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

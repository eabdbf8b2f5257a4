"""Decides on proposals: yes, no, or a person's affair.

Invariant: whatever comes of a proposal is committed before its message is acknowledged.
"""

from algotrendy_common.clock import Clock
from algotrendy_common.database import Database
from algotrendy_common.enums import Severity
from algotrendy_common.events.order import OrderProposed
from algotrendy_core.limits import Violated

from algotrendy_risk.approving import Approving
from algotrendy_risk.books import Books
from algotrendy_risk.domain.assessment import Asked, Decision
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.judging import Judge
from algotrendy_risk.ports import Announcer
from algotrendy_risk.store.decisions import PROPOSAL, Recorded, Verdict
from algotrendy_risk.switches import Switches
from algotrendy_risk.watch import Watch


class Deciding:
    def __init__(
        self,
        *,
        books: Books,
        database: Database,
        judge: Judge,
        approving: Approving,
        switches: Switches,
        watch: Watch,
        clock: Clock,
        announcer: Announcer,
    ) -> None:
        self._books = books
        self._database = database
        self._judge = judge
        self._approving = approving
        self._switches = switches
        self._watch = watch
        self._clock = clock
        self._announcer = announcer

    async def on_proposed(self, event: OrderProposed) -> None:
        failures: list[Exception] = []
        decisions: list[Decision] = []

        async def decide(book: AccountBook | None) -> AccountBook | None:
            decision = self._judge.judge(event, book, failures)
            decisions.append(decision)
            if isinstance(decision, Asked):
                await self._approving.ask(event, decision, book)
                return book
            told = self._judge.told(event, decision)
            outgoing = self._database.outgoing(told)
            verdict = Verdict(event.event_id, PROPOSAL, event.terms, event.origin.strategy, outgoing, self._clock.now())
            recorded, after = await self._judge.record(self._database.statement, verdict, told, decision, book)
            if recorded is Recorded.NEW:
                self._database.on_commit([outgoing])
            return after

        await self._books.decide(event.terms.account, decide)
        self._watch.wake()
        await self._afterwards(event, decisions[-1], failures)

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

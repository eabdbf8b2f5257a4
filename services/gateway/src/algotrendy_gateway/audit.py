"""Who did what: one line in the trail and one event on the bus, in the transaction of the deed.

Invariant: what is not audited did not happen, except a halt, which nothing may delay (``Auditor.after_the_fact``).
"""

from algotrendy_common.database import Database, Transaction
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.ops import AuditRecorded
from algotrendy_common.telemetry import log

from algotrendy_gateway.store.audit import AuditTrail


class Auditor:
    def __init__(self, database: Database, trail: AuditTrail, events: EventFactory) -> None:
        self._database = database
        self._trail = trail
        self._events = events
        self._log = log("audit")

    async def record(
        self,
        transaction: Transaction,
        actor: str,
        action: str,
        target: str,
        *,
        before: str | None = None,
        after: str | None = None,
        outcome: str = "done",
    ) -> None:
        event = self._events.make(
            AuditRecorded,
            service="gateway",
            actor=actor,
            action=action,
            target=target,
            before=before,
            after=after,
            outcome=outcome,
        )
        await self._trail.append(transaction, event)
        await transaction.emit(event)

    async def alone(self, actor: str, action: str, target: str, *, after: str | None = None, outcome: str) -> None:
        """A line of its own, for deeds that another service does."""
        async with self._database.transaction() as transaction:
            await self.record(transaction, actor, action, target, after=after, outcome=outcome)

    async def after_the_fact(
        self, actor: str, action: str, target: str, *, after: str | None = None, outcome: str
    ) -> None:
        """``alone`` for what has happened already: a trail that cannot be written undoes nothing."""
        try:
            await self.alone(actor, action, target, after=after, outcome=outcome)
        except Exception:  # whatever keeps the trail from being written, trading stays halted
            self._log.critical("not audited", actor=actor, action=action, target=target, outcome=outcome, exc_info=True)

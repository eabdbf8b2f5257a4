"""What a person should know, and what persons did."""

from typing import Self

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Severity
from algotrendy_common.events.account import AccountReconciled
from algotrendy_common.events.ops import AlertRaised, MessageDeadLettered
from algotrendy_common.events.risk import RiskBreached
from algotrendy_common.ids import EventId, ServiceName

from algotrendy_gateway.domain.shape import Shape


class Alert(Shape):
    alert_id: EventId
    severity: Severity
    code: str
    message: str
    service: ServiceName
    time: Instant
    context: dict[str, str]

    @classmethod
    def of(cls, event: AlertRaised) -> Self:
        return cls(
            alert_id=event.event_id,
            severity=event.severity,
            code=event.code,
            message=event.message,
            service=event.service,
            time=event.received_time,
            context=event.context,
        )

    @classmethod
    def of_breach(cls, event: RiskBreached) -> Self:
        return cls(
            alert_id=event.event_id,
            severity=Severity.CRITICAL,
            code=event.code,
            message=event.message,
            service=event.producer,
            time=event.received_time,
            context={"account": event.account, "limit": event.limit, "observed": event.observed},
        )

    @classmethod
    def of_dead_letter(cls, event: MessageDeadLettered) -> Self:
        return cls(
            alert_id=event.event_id,
            severity=Severity.CRITICAL,
            code="dead_letter",
            message=f"{event.service} could not handle a message on {event.subject}: {event.error}",
            service=event.service,
            time=event.received_time,
            context={"subject": event.subject, "error_type": event.error_type, "deliveries": str(event.deliveries)},
        )

    @classmethod
    def of_reconciliation(cls, event: AccountReconciled) -> Self:
        what = "; ".join(f"{d.what} {d.key}: ours {d.ours}, venue's {d.venues}" for d in event.differences[:5])
        return cls(
            alert_id=event.event_id,
            severity=Severity.WARNING if event.ok else Severity.CRITICAL,
            code="reconciliation_difference",
            message=f"{event.account} differs from {event.venue} in {len(event.differences)} place(s): {what}",
            service=event.producer,
            time=event.received_time,
            context={"account": event.account, "venue": event.venue, "cause": event.cause},
        )


class AuditEntry(Shape):
    """One line of the audit trail; ``hash`` covers the line and the hash before it."""

    seq: int
    time: Instant
    actor: str
    action: str
    target: str
    before: str | None
    after: str | None
    outcome: str
    hash: str

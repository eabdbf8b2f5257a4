"""How the platform itself is."""

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Severity
from algotrendy_common.events.event import Event
from algotrendy_common.ids import ServiceName


class ServiceHealthChanged(Event):
    """A heartbeat: published on change and every few seconds."""

    service: ServiceName
    ready: bool
    detail: str
    started_at: Instant
    version: str


class AlertRaised(Event):
    service: ServiceName
    severity: Severity
    code: str
    message: str
    context: dict[str, str]


class AuditRecorded(Event):
    """Who did what; the chain of hashes is the gateway's affair."""

    service: ServiceName
    actor: str
    action: str
    target: str
    before: str | None
    after: str | None
    outcome: str


class MessageDeadLettered(Event):
    """A message that could not be handled, kept whole so that it can be replayed."""

    service: ServiceName
    consumer: str
    subject: str
    message_id: str | None
    body: str
    """As text; bytes that are not UTF-8 are escaped."""
    error_type: str
    error: str
    deliveries: int

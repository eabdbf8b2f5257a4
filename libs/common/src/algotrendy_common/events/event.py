"""What every event carries, and the factory that stamps it.

Invariant: an event never changes after it was made, and everything needed to prove where it came from is inside it.
"""

from datetime import datetime
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from algotrendy_common.clock import Clock, Instant
from algotrendy_common.ids import EventId, ServiceName, new_id
from algotrendy_common.tracing import current_traceparent


class Record(BaseModel):
    """A frozen value that travels; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(Record):
    """A fact. ``kind`` is the class's name on the wire, ``schema_version`` rises when a field changes its meaning."""

    VERSION: ClassVar[int] = 1

    kind: str
    schema_version: int
    event_id: EventId
    """Also the ``Nats-Msg-Id``."""
    event_time: Instant
    """When it happened, by the clock of whoever it happened to (the venue's for market data and fills)."""
    received_time: Instant
    """When we learnt of it, by our clock."""
    producer: ServiceName
    traceparent: str | None = None
    """W3C trace context of the work that made the event."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.model_fields["kind"].default = cls.__name__
        cls.model_fields["schema_version"].default = cls.VERSION
        cls.model_rebuild(force=True)

    def model_post_init(self, context: Any, /) -> None:
        if self.kind != type(self).__name__:
            raise ValueError(f"kind {self.kind!r} is not {type(self).__name__}")
        if self.schema_version != self.VERSION:
            raise ValueError(f"{self.kind} version {self.schema_version} is not known here, only {self.VERSION}")

    @classmethod
    def from_json(cls, body: bytes | str) -> Self:
        """Parse; raises pydantic.ValidationError on anything that is not exactly this event."""
        return cls.model_validate_json(body)

    def to_json(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self)


class EventFactory:
    """Makes a service's events: gives each an id, our time, the producer's name and the current trace."""

    def __init__(self, producer: str, clock: Clock) -> None:
        self._producer = producer
        self._clock = clock

    def make[E: Event](self, event_class: type[E], *, event_time: datetime | None = None, **fields: Any) -> E:
        """An event stamped now. ``event_time`` defaults to now: pass the venue's time where there is one.

        ``event_id``, ``received_time`` and ``traceparent`` may be given to override the stamp.
        """
        now = self._clock.now()
        stamp: dict[str, Any] = {
            "event_id": new_id(),
            "event_time": event_time or now,
            "received_time": now,
            "producer": self._producer,
            "traceparent": current_traceparent(),
        }
        return event_class(**(stamp | fields))

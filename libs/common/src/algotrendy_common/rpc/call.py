"""What a remote call is: a name, what is asked, what comes back, who answers and who may ask."""

from dataclasses import dataclass

from algotrendy_common.events.event import Record


class Nothing(Record):
    """No arguments, or no answer beyond success."""


@dataclass(frozen=True, slots=True)
class Call[Req: Record, Res: Record]:
    """``rpc.{service}.{verb}``; answers with ``response`` or raises ``Refused`` / ``Retryable`` at the caller."""

    service: str
    verb: str
    request: type[Req]
    response: type[Res]
    callers: tuple[str, ...]

    @property
    def subject(self) -> str:
        return f"rpc.{self.service}.{self.verb}"

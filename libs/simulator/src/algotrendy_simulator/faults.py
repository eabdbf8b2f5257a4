"""Faults that a test or a drill switches on, a number of calls at a time.

Invariant: a fault strikes only the calls it names and as often as it was told, then it is gone.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class FaultKind(StrEnum):
    LOST_BEFORE = "lost_before"
    """The connection is cut and the request was not processed."""
    LOST_AFTER = "lost_after"
    """The request is processed and the connection cut without an answer."""
    ERROR_BEFORE = "error_before"
    """503, not processed."""
    ERROR_AFTER = "error_after"
    """503, processed all the same."""
    DELAY = "delay"
    THROTTLE = "throttle"
    """Too many requests, in the venue's own words; not processed."""
    BAN = "ban"
    """Called on after being throttled: shut out for a while."""
    MAINTENANCE = "maintenance"
    REJECT = "reject"
    """An order call is refused though nothing is wrong with it."""
    CLOCK_SKEW = "clock_skew"
    """The venue says that the caller's clock is wrong."""


class Fault(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: FaultKind
    path: str = Field(min_length=1)
    """Path of the calls it strikes, or a beginning of it that ends in ``*``."""
    method: str | None = None
    """None strikes every method."""
    times: int = Field(1, gt=0)
    delay_ms: int = Field(0, ge=0)

    def strikes(self, method: str, path: str) -> bool:
        if self.method is not None and self.method.upper() != method:
            return False
        return path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path


class Faults:
    def __init__(self) -> None:
        self.armed: list[Fault] = []

    def arm(self, fault: Fault) -> None:
        self.armed.append(fault)

    def clear(self) -> None:
        self.armed.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this call, used up by it; None where there is none."""
        for fault in self.armed:
            if fault.strikes(method, path):
                fault.times -= 1
                if not fault.times:
                    self.armed.remove(fault)
                return fault
        return None

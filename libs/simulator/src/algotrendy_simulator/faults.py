"""Faults that a test or a drill switches on, a number of calls at a time.

Invariant: a fault strikes only the calls it names and as often as it was told, then it is gone.
"""

import math
from enum import StrEnum

from algotrendy_common.clock import monotonic_s
from pydantic import BaseModel, ConfigDict, Field

from algotrendy_simulator.spoiling import Spoiling


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


_EVERYTHING = "/*"


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
        self.maintenance = False
        """The venue is closed: every call is answered with that, until it is off again."""
        self._banned_until_s = 0.0
        self.spoiling = Spoiling()
        """Of what public sockets send."""

    def ban(self, seconds: float) -> None:
        """Shut every caller out for so long; 0 lets them in again."""
        self._banned_until_s = monotonic_s() + seconds

    @property
    def banned_for_s(self) -> int:
        """Whole seconds until callers are let in again, rounded up; 0 where they are."""
        return max(0, math.ceil(self._banned_until_s - monotonic_s()))

    def arm(self, fault: Fault) -> None:
        self.armed.append(fault)

    def clear(self) -> None:
        """Forget what is armed, and open the venue again."""
        self.armed.clear()
        self.spoiling.clear()
        self.maintenance = False
        self._banned_until_s = 0.0

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this call, used up by it where it was armed; None where there is none."""
        if self.banned_for_s:
            return Fault(kind=FaultKind.BAN, path=_EVERYTHING)
        if self.maintenance:
            return Fault(kind=FaultKind.MAINTENANCE, path=_EVERYTHING)
        for fault in self.armed:
            if fault.strikes(method, path):
                fault.times -= 1
                if not fault.times:
                    self.armed.remove(fault)
                return fault
        return None

"""The circuit breaker of one provider: when it may be called. Pure: the time is handed in, in seconds.

Invariant: it opens at the fifth failure within a minute, whatever succeeded in between; it stays open half a minute;
then calls go through one at a time until three in a row succeeded. A failure among those opens it anew.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import assert_never


@dataclass(frozen=True, slots=True)
class BreakerRules:
    failures: int = 5
    window_s: float = 60.0
    open_s: float = 30.0
    successes: int = 3


@dataclass(slots=True)
class Closed:
    failed_at: deque[float] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Open:
    until: float


@dataclass(slots=True)
class HalfOpen:
    successes: int = 0
    trying: bool = False


class Breaker:
    """Every call that ``admit`` lets through is told the end of, by one of ``succeeded``, ``failed``, ``undecided``."""

    def __init__(self, rules: BreakerRules | None = None) -> None:
        self._rules = rules or BreakerRules()
        self.state: Closed | Open | HalfOpen = Closed()

    def admit(self, now: float) -> bool:
        """Whether a call may go out now; one that may is counted as under way."""
        if isinstance(self.state, Open) and now >= self.state.until:
            self.state = HalfOpen()
        match self.state:
            case Closed():
                return True
            case Open():
                return False
            case HalfOpen() as half:
                if half.trying:
                    return False
                half.trying = True
                return True
        assert_never(self.state)

    def succeeded(self) -> None:
        if isinstance(self.state, HalfOpen):
            self.state.trying = False
            self.state.successes += 1
            if self.state.successes >= self._rules.successes:
                self.state = Closed()

    def failed(self, now: float) -> None:
        match self.state:
            case Closed(failed_at):
                failed_at.append(now)
                while failed_at[0] <= now - self._rules.window_s:
                    failed_at.popleft()
                if len(failed_at) >= self._rules.failures:
                    self.state = Open(now + self._rules.open_s)
            case HalfOpen():
                self.state = Open(now + self._rules.open_s)
            case Open():
                pass  # it was let through before the circuit opened; waiting longer for that would be unjust
            case _:
                assert_never(self.state)

    def undecided(self) -> None:
        """The call ended and says nothing about the provider's health: we cancelled it, or were too fast."""
        if isinstance(self.state, HalfOpen):
            self.state.trying = False

    def shown(self, now: float) -> str:
        """``closed``, ``open`` or ``half_open``."""
        match self.state:
            case Closed():
                return "closed"
            case Open(until):
                return "open" if now < until else "half_open"
            case HalfOpen():
                return "half_open"
        assert_never(self.state)

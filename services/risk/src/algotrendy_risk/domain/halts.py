"""The kill switch: halts of a strategy, of an account, of everything; engaged by one person, released by two.

Invariant: engaging needs nothing but memory; a release is the second, different person's word within the window, and
whatever is engaged anew forgets that anybody had asked for it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import HaltLevel
from algotrendy_common.errors import Refused

ALL = "*"

HaltKey = tuple[HaltLevel, str]


@dataclass(frozen=True, slots=True)
class Halt:
    level: HaltLevel
    key: str
    """The strategy's or account's id; ``*`` for all."""
    revision: int
    engaged: bool
    by: str
    reason: str
    flatten: bool
    since: datetime
    release_asked_by: str | None = None
    release_asked_at: datetime | None = None

    @property
    def at(self) -> HaltKey:
        return (self.level, self.key)


@dataclass(slots=True)
class HaltBoard:
    """Every halt known, engaged or released, by its newest revision."""

    halts: dict[HaltKey, Halt] = field(default_factory=dict)

    def take(self, halt: Halt) -> bool:
        """False where as new a one is known."""
        known = self.halts.get(halt.at)
        if known is not None and known.revision >= halt.revision:
            return False
        self.halts[halt.at] = halt
        return True

    def over(self, account: str, strategy: str | None = None) -> Halt | None:
        """The halt that stops an order of a strategy on an account; the widest where there are several."""
        keys = [(HaltLevel.GLOBAL, ALL), (HaltLevel.ACCOUNT, account)]
        if strategy is not None:
            keys.append((HaltLevel.STRATEGY, strategy))
        found = (self.halts.get(key) for key in keys)
        return next((halt for halt in found if halt is not None and halt.engaged), None)

    def engaged(self) -> tuple[Halt, ...]:
        return tuple(halt for halt in self.halts.values() if halt.engaged)


def halt_key(account: str | None, strategy: str | None) -> HaltKey:
    """What a command names: a strategy, else an account, else everything."""
    if strategy is not None:
        return (HaltLevel.STRATEGY, strategy)
    return (HaltLevel.ACCOUNT, account) if account is not None else (HaltLevel.GLOBAL, ALL)


def engaged(known: Halt | None, at: HaltKey, by: str, reason: str, flatten: bool, now: datetime) -> Halt:
    """The same object where it changes nothing: the first reason stays, asking to flatten is added to it."""
    level, key = at
    if known is None or not known.engaged:
        return Halt(level, key, _next(known, now), True, by, reason, flatten, now)
    if known.release_asked_by is None and (known.flatten or not flatten):
        return known
    return replace(
        known,
        revision=_next(known, now),
        flatten=known.flatten or flatten,
        release_asked_by=None,
        release_asked_at=None,
    )


def released(known: Halt | None, by: str, now: datetime, window: timedelta) -> Halt:
    """After the first person's word it is still engaged, after a second's no more. Raises ``Refused``."""
    if known is None or not known.engaged:
        raise Refused("not_halted", "there is no such halt to release")
    asked_at = known.release_asked_at
    stale = asked_at is None or now - asked_at > window
    if known.release_asked_by is None or stale:
        return replace(known, revision=_next(known, now), release_asked_by=by, release_asked_at=now)
    if known.release_asked_by == by:
        return known
    return replace(known, revision=_next(known, now), engaged=False)


def _next(known: Halt | None, now: datetime) -> int:
    """Rises over restarts and lost stores too: it is at least the time in milliseconds."""
    return max(known.revision + 1 if known else 0, to_ms(now))

"""What the rows of the topology are: programs that run, and jobs that are done once at a start.

Invariant: a row is a value; nothing runs until the supervisor is given it.
"""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

type Probe = Callable[[], Awaitable[None]]
"""Returns when the program is well; raises ``NotWell`` with the reason."""


class NotWell(Exception):
    """A program does not answer, or answers that something is wrong."""


async def _nothing_to_prepare() -> None:
    """Most programs need nothing but to be started."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system's user a program runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    command: tuple[str, ...]
    port: int
    """The one a person would want to know."""
    probe: Probe
    """Ready to work. Others that depend on the program wait for it."""
    alive: Probe | None = None
    """Not stuck, even where it is not ready because of others; failing for long, the program is killed and restarted.
    None: ``probe`` tells that too."""
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    depends_on: tuple[str, ...] = ()
    prepare: Callable[[], Awaitable[None]] = _nothing_to_prepare
    """Writes configuration and data folders; called before each start, so it must be repeatable."""
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """Sent by the system when the supervisor dies without a word."""
    stop_timeout: timedelta = timedelta(seconds=15)
    start_timeout: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Job:
    """Work between programs that ends by itself; a failure ends the start."""

    name: str
    work: Callable[[], Awaitable[str]]
    """Returns what it did, in a few words."""
    depends_on: tuple[str, ...] = ()


type Row = Program | Job

"""What a process that runs a strategy may not do: reach a network, start a program, eat memory, compute for ever.

Invariant: once confined, a process stays so; nothing it runs can lift it. What was tried is remembered even where the
strategy swallowed the refusal.
"""

import ctypes
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from types import FrameType
from typing import Any

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_FORBIDDEN = {
    "socket.__new__": "open a socket",
    "socket.connect": "connect to a network",
    "socket.bind": "listen on a network",
    "socket.getaddrinfo": "look up a host",
    "socket.gethostbyname": "look up a host",
    "subprocess.Popen": "start a program",
    "os.system": "start a program",
    "os.exec": "start a program",
    "os.posix_spawn": "start a program",
    "os.fork": "start a process",
    "os.forkpty": "start a process",
}


@dataclass(frozen=True, slots=True)
class Limits:
    memory_bytes: int = 8 * 1024**3
    """Of address space, beyond what the process has when it is confined."""
    cpu_s: float = 600.0
    """Of one task."""


class Forbidden(BaseException):
    """A strategy tried what it may not. Not an Exception, so that a strategy's own handlers let it pass."""


class OutOfTime(BaseException):
    """A task has used its CPU time; the text names the line that was being executed."""


_GRACE_S = 2
_tried: list[str] = []
_left = False


def confine(limits: Limits) -> None:
    """From here on, and for good: no network, no programs, limited memory. ``cpu_limited`` limits each task."""
    leave_the_network()
    sys.addaudithook(_refuse)
    _limit_memory(limits.memory_bytes)


def tried() -> str | None:
    """What was tried first of what is forbidden, with its line; None where nothing was."""
    return _tried[0] if _tried else None


def forget_tries() -> None:
    """Before a task of another strategy; the confinement stays."""
    _tried.clear()


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    what = _FORBIDDEN.get(event)
    if what is not None:
        said = f"it tried to {what}, {_where(sys._getframe(1))}"
        _tried.append(said)
        raise Forbidden(said)


def leave_the_network() -> None:
    """An own, empty network namespace where the kernel gives one: it holds for compiled code too.

    Called while the process has one thread: threads started later inherit it, earlier ones would not.
    """
    global _left
    if _left or sys.platform != "linux":
        return
    _left = True
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        with suppress(OSError):  # without its own id a process could not write the files of a result
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{user} {user} 1")
            _write("/proc/self/gid_map", f"{group} {group} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _limit_memory(beyond_now: int) -> None:
    with suppress(OSError, ValueError):
        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + beyond_now, now + beyond_now))


@contextmanager
def cpu_limited(seconds: float) -> Iterator[None]:
    """Raises OutOfTime in the block when it has computed for so long; only in the main thread.

    Compiled code lets no handler run: soon after, the kernel ends the process with SIGXCPU.
    """
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(time.process_time() + seconds) + _GRACE_S, hard))
    before = signal.signal(signal.SIGPROF, _out_of_time)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTime(f"it computed for too long, {_where(frame)}")


OWN_FILES: set[str] = set()
"""Names of user's strategy files as their code objects carry them: lines are looked for there first."""


def _where(frame: FrameType | None) -> str:
    innermost = frame
    while frame is not None:
        if frame.f_code.co_filename in OWN_FILES:
            return _line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    if innermost is None:
        return "line unknown"
    return _line(innermost.f_code.co_filename, innermost.f_lineno, innermost.f_code.co_name)


def where_raised(error: BaseException) -> str:
    """The line of the user's file that an error came through, or the innermost one."""
    found = traceback.extract_tb(error.__traceback__)
    if not found:
        return "line unknown"
    own = [entry for entry in found if entry.filename in OWN_FILES]
    entry = own[-1] if own else found[-1]
    return _line(entry.filename, entry.lineno or 0, entry.name)


def _line(file: str, number: int, function: str) -> str:
    return f"{os.path.basename(file)} line {number} in {function}"

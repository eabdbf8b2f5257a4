"""A running program: its start, its end, its log.

Invariant: a child never outlives its parent. Each runs in a session of its own, so that a Ctrl-C at the terminal
reaches only the supervisor, which stops children in their order; where the system can (Linux), it kills them
itself when the supervisor is killed.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from algotrendy_common import clock

from algotrendy_local.errors import ProcessDied, StackError
from algotrendy_local.program import NotWell, Program

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A pid with the instant the process was created, which a reused pid does not share."""

    pid: int
    created_s: float

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return cls(pid, 0.0)

    def find(self) -> psutil.Process | None:
        """The process, if it still runs."""
        try:
            process = psutil.Process(self.pid)
            # psutil's create_time moves by a clock tick when the boot time is re-read.
            if abs(process.create_time() - self.created_s) < 1 and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except psutil.NoSuchProcess:
            pass
        return None


class RunningProcess:
    """A started program. Not bound to an event loop: a test may start it in one and wait for it in another."""

    def __init__(self, program: Program, child: subprocess.Popen[bytes], log: Path, log_start: int) -> None:
        self.program = program
        self.id = ProcessId.of(child.pid)
        self.started_s = clock.monotonic_s()
        self._child = child
        self._log = log
        self._log_start = log_start

    @property
    def exit_status(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return self._child.poll()

    async def ended(self) -> int:
        """Wait for its end, wanted or not, and return the exit status."""
        while (status := self._child.poll()) is None:
            await _exit_event(self._child.pid)
        return status

    async def healthy(self) -> None:
        """Wait until the probe passes; raises ``ProcessDied`` or, past the start timeout, ``StackError``."""
        deadline = clock.monotonic_s() + self.program.start_timeout.total_seconds()
        while True:
            if self.exit_status is not None:
                raise ProcessDied(self.program.name, self.exit_status, self.last_lines())
            try:
                await self.program.probe()
                return
            except NotWell as reason:
                if clock.monotonic_s() > deadline:
                    limit = self.program.start_timeout.total_seconds()
                    raise StackError(
                        "not_healthy",
                        f"{self.program.name} did not become healthy within {limit:.0f} s ({reason})",
                        f"read its log: algotrendy logs {self.program.name}",
                    ) from reason
            await asyncio.sleep(_POLL_S)

    def last_lines(self) -> list[str]:
        """The last lines that this process wrote, not those of an earlier one."""
        return last_lines(self._log, since=self._log_start)

    def kill(self) -> None:
        """kill -9."""
        with suppress(ProcessLookupError):
            self._child.kill()

    async def stop(self) -> bool:
        """Ask it to stop, then kill; True when it went by itself."""
        if self.exit_status is not None:
            return True
        with suppress(ProcessLookupError):
            self._child.send_signal(self.program.stop_signal)
        try:
            async with asyncio.timeout(self.program.stop_timeout.total_seconds()):
                await self.ended()
            return True
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(self.id.pid, signal.SIGKILL)
            await self.ended()
            return False


def launch(program: Program, log: Path) -> RunningProcess:
    """Start a program whose output goes to the end of ``log``; raises ``StackError`` when it cannot be started."""
    with log.open("ab") as output:
        log_start = output.tell()
        try:
            child = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=program.folder,
                env=dict(program.environment),
                start_new_session=True,
                preexec_fn=bound_to_parent(program.orphan_signal),
                user=program.account.uid if program.account else None,
                group=program.account.gid if program.account else None,
                extra_groups=[] if program.account else None,
            )
        except OSError as error:
            raise StackError(
                "cannot_start",
                f"{program.name} cannot be started: {program.command[0]} ({error.strerror})",
                "run: algotrendy doctor",
            ) from error
    return RunningProcess(program, child, log, log_start)


def bound_to_parent(orphan_signal: signal.Signals) -> Callable[[], None] | None:
    """What a child does before its program starts, so that it dies with its parent; None where that cannot be had."""
    if sys.platform != "linux":
        return None
    # Loaded here, in the parent: after the fork nothing may be allocated or imported.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return bind


def last_lines(log: Path, count: int = 15, since: int = 0) -> list[str]:
    """The end of a log file, without reading the rest of it."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        size = log.stat().st_size
        # A log that is shorter than where it began has been rotated since.
        file.seek(max(since if since <= size else 0, size - 64 * 1024))
        lines = file.read().decode(errors="replace").splitlines()
        return lines[-count:] if count else []


async def _exit_event(pid: int) -> None:
    """Return when the process has ended, or now and then where the system cannot tell."""
    if not hasattr(os, "pidfd_open"):
        await asyncio.sleep(_POLL_S)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)

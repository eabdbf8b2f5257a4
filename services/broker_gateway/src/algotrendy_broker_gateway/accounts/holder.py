"""Who holds a lease, written so that a gateway on the same machine can tell that the holder is dead.

Invariant: ``is_dead`` is true only where the system itself says that this process has ended; a holder on another
machine, in another container or of unknown form counts as alive, and its lease has to run out.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from algotrendy_common import ids

_UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process: the machine's boot and the namespace that its number is of, the number, when it was started."""

    boot: str
    namespace: str
    pid: int
    started: str
    token: str
    """Random: two holders are never one, whatever the system says."""

    @classmethod
    def of(cls, pid: int) -> "Holder":
        return cls(_boot(), _namespace(), pid, _started(pid) or _UNKNOWN, ids.new_id())

    @classmethod
    def parsed(cls, text: str) -> "Holder | None":
        """None for what is not of this form."""
        parts = text.split("/")
        if len(parts) != 5 or not parts[2].isdecimal():
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3], parts[4])

    def __str__(self) -> str:
        return f"{self.boot}/{self.namespace}/{self.pid}/{self.started}/{self.token}"


def is_dead(holder: str) -> bool:
    found = Holder.parsed(holder)
    if found is None or _UNKNOWN in (found.boot, found.namespace, found.started):
        return False
    if (found.boot, found.namespace) != (_boot(), _namespace()):
        return False
    try:
        # Asks without sending anything; unlike /proc, which may hide what is another user's.
        os.kill(found.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    started = _started(found.pid)
    # Another process has the number by now. One that cannot be looked at counts as the holder.
    return started is not None and started != found.started


def _boot() -> str:
    return _read(Path("/proc/sys/kernel/random/boot_id")) or _UNKNOWN


def _namespace() -> str:
    try:
        # Like ``pid:[4026531836]``: no slash in it.
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return _UNKNOWN


def _started(pid: int) -> str | None:
    """In clock ticks since the boot; None where that cannot be read."""
    text = _read(Path(f"/proc/{pid}/stat"))
    # The second field, the program's name in brackets, may hold anything.
    fields = text.rpartition(")")[2].split() if text else []
    return fields[19] if len(fields) > 19 else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None

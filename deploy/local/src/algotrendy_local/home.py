"""The folder a stack keeps everything in: ``data/ logs/ run/ keys/`` under ``.algotrendy``.

Invariant: what is secret is readable by its owner alone, and a file is either whole or not there.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from algotrendy_local.errors import StackError

ENOUGH_DISK = 1024**3
"""Bytes that must be free to start: servers that fill a disk lose more than a start."""

_PASS_THROUGH = 0o711
"""A server under another account may go through to its own folder, and see nothing on the way."""


@dataclass(frozen=True, slots=True)
class Home:
    root: Path

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def demo_login(self) -> Path:
        return self.root / "demo-login.json"

    @property
    def kill_file(self) -> Path:
        """While it exists nothing is ordered: the services that let orders out watch it themselves."""
        return self.root / "KILL"

    def data(self, name: str) -> Path:
        return self.root / "data" / name

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Create the folders; raises ``StackError`` when it cannot or when the disk is full."""
        try:
            if not self.root.is_dir():  # one that exists is somebody's, with the permissions they chose
                self.root.mkdir(parents=True)
                self.root.chmod(_PASS_THROUGH)
            for folder, mode in (
                (self.root / "data", _PASS_THROUGH),
                (self.logs, 0o700),
                (self.run, 0o700),
                (self.keys, 0o700),
            ):
                folder.mkdir(exist_ok=True)
                folder.chmod(mode)
        except OSError as error:
            raise StackError(
                "home_unusable", f"cannot write to {self.root} ({error.strerror})", "choose another folder with --home"
            ) from error
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise StackError("home_unusable", f"{self.root} is not yours to write", "choose another folder with --home")
        self.check_disk()

    def check_disk(self, enough: int = ENOUGH_DISK) -> None:
        """Raises ``StackError`` when fewer than ``enough`` bytes are free."""
        free = shutil.disk_usage(self.root).free
        if free < enough:
            raise StackError(
                "disk_full",
                f"only {free / 1024**2:.0f} MB free on the disk of {self.root}",
                f"free {(enough - free) / 1024**2:.0f} MB or choose another disk with --home",
            )


def write_private(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file that only its owner may read, whole or not at all; ``durable`` also through a power cut."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)

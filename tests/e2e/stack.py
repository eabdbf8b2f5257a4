"""The whole stack as a stranger starts it, by the command, in a folder of its own on ports of its own.

Invariant: when the block ends nothing of it is running any more.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("algotrendy")


class NotStarted(Exception):
    """The command failed; its own words are the message."""


@dataclass(frozen=True)
class Stack:
    """A running stack: its page, its login, its programs."""

    home: Path
    url: str
    user: str
    password: str
    ports: dict[str, int]

    def algotrendy(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return algotrendy(self.home, *arguments, check=check)

    def status(self) -> dict[str, dict[str, Any]]:
        """Each program's row, by name."""
        told = json.loads(self.algotrendy("status", "--json", check=False).stdout)
        return {row["name"]: row for row in told["rows"]}

    @property
    def venue(self) -> str:
        return f"http://127.0.0.1:{self.ports['simulator']}"

    def seed_file(self, user: str) -> str:
        return str(self.home / "keys" / f"{user}.nkey")

    @property
    def nats_url(self) -> str:
        return f"nats://127.0.0.1:{self.ports['nats']}"


def algotrendy(home: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command; raises ``NotStarted`` with what it said where it fails and ``check`` is set."""
    ended = subprocess.run(
        [str(COMMAND), *arguments, "--home", str(home)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if check and ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip()
        raise NotStarted(f"algotrendy {' '.join(arguments)} ended with {ended.returncode}: {said}")
    return ended


@contextmanager
def running_stack(home: Path, *options: str) -> Iterator[Stack]:
    """``algotrendy up`` on free ports; ``options`` go to it."""
    home.mkdir(parents=True, exist_ok=True)
    try:
        started = algotrendy(home, "up", "--detach", "--json", "--port-base", "auto", *options)
        told = json.loads(started.stdout.strip().splitlines()[-1])
        yield Stack(home, told["url"], "ada", told["password"], told["ports"])
    finally:
        algotrendy(home, "down", check=False)


class Page:
    """The REST API as the page uses it, logged in."""

    def __init__(self, stack: Stack, user: str | None = None) -> None:
        self._http = httpx.Client(base_url=stack.url, timeout=10)
        answer = self._http.post("/api/auth/login", json={"username": user or stack.user, "password": stack.password})
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **query: str | int) -> Any:
        answer = self._http.get(f"/api/{path}", params=query)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.post(f"/api/{path}", json=body or {})
        answer.raise_for_status()
        return answer.json()

    def close(self) -> None:
        self._http.close()

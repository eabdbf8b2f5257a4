"""The ground of a drill: real servers, the simulated venue and the services that trade, private and thrown away.

Invariant: nothing of the person's own stack, settings or data is touched, and when the block ends nothing runs on.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from algotrendy_common.clock import monotonic_s
from algotrendy_simulator.testing import call_admin

from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.ports import take_block
from algotrendy_local.process import RunningProcess, launch
from algotrendy_local.program import Job, NotWell, Program, Row
from algotrendy_local.servers import unprivileged
from algotrendy_local.settings import LocalSettings
from algotrendy_local.topology import Place, needed, stack

TRADING = ("ingest", "risk", "broker_gateway")
"""What an order needs, and what these need."""
SUPERVISED_S = 0.2
"""How long the stack's supervisor waits before it starts a program again."""
IMPATIENT = {
    "ANSWER_TIMEOUT": "PT1S",
    "RECONCILE_INTERVAL": "PT2S",
    "RECONCILE_RETRY": "PT0.2S",
    "SETTLE_TIME": "PT0.5S",
    "NOT_FOUND_CHECKS": "3",
    "NOT_FOUND_SPAN": "PT1S",
    "RESOLVE_FIRST_DELAY": "PT0.1S",
    "RESOLVE_LONGEST_DELAY": "PT0.5S",
    "LEASE_TIME": "PT2S",
}
"""The broker gateway's durations, shortened so that a drill ends in seconds."""


@dataclass
class Ground:
    place: Place
    rows: dict[str, Row]
    processes: dict[str, RunningProcess] = field(default_factory=dict)

    @property
    def venue(self) -> str:
        return f"http://127.0.0.1:{self.place.ports['simulator']}"

    # ── programs ────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, name: str) -> None:
        """Start a program (again), on its old port with its old data, and wait until it is well."""
        await self.launch(name)
        await self.processes[name].healthy()

    async def launch(self, name: str) -> None:
        """Start a program without waiting for it."""
        program = self._program(name)
        await program.prepare()
        self.processes[name] = launch(program, self.place.home.log(name))

    async def kill(self, name: str) -> float:
        """kill -9; the moment, on ``monotonic_s``."""
        at_s = monotonic_s()
        self.processes[name].kill()
        await self.processes[name].ended()
        return at_s

    async def stop(self, name: str) -> None:
        await self.processes[name].stop()

    async def problem(self, name: str) -> str | None:
        """Why a program is not well; None where its probe passes now."""
        if self.processes[name].exit_status is not None:
            return f"{name} has ended"
        try:
            await self._program(name).probe()
        except (NotWell, OSError) as error:
            return f"{name}: {error}"
        return None

    async def well(self, name: str) -> bool:
        return await self.problem(name) is None

    async def until_well(self, *names: str, within_s: float = 60.0) -> None:
        """Raises StackError where one of them is not, in time. One that ended is started as a supervisor does."""
        deadline_s = monotonic_s() + within_s
        for name in names:
            while not await self.well(name):
                if self.processes[name].exit_status is not None:
                    await asyncio.sleep(SUPERVISED_S)
                    await self.launch(name)
                if monotonic_s() > deadline_s:
                    raise StackError("not_healthy", f"{name} was not well again within {within_s:.0f} s")
                await asyncio.sleep(0.02)

    def _program(self, name: str) -> Program:
        row = self.rows[name]
        assert isinstance(row, Program)
        return row

    # ── the venue ───────────────────────────────────────────────────────────────────────────────────────────────

    async def admin(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The venue's own hand: its books, its faults."""
        return await call_admin(self.venue, method, f"/admin/{path}", dict(body) if body is not None else None)

    async def fault(self, kind: str, *, method: str = "POST", times: int = 1, delay_ms: int = 0) -> None:
        """Have the venue's order calls go wrong."""
        body = {"kind": kind, "method": method, "path": "/api/v3/order", "times": times, "delay_ms": delay_ms}
        await self.admin("POST", "faults", body)

    async def heal(self) -> None:
        with suppress(aiohttp.ClientError):
            await self.admin("DELETE", "faults")
            await self.admin("POST", "sockets/mute", {"muted": False, "kind": "all"})
            await self.admin("POST", "feed/freeze", {"on": False})


@asynccontextmanager
async def running_ground(
    names: tuple[str, ...] = TRADING, environment: Mapping[str, str] | None = None, *, impatient: bool = True
) -> AsyncIterator[Ground]:
    """A stack of ``names`` and what they need; ``environment`` are settings of its programs, by their full names.

    ``impatient`` false leaves the broker gateway its own durations.
    """
    async with AsyncExitStack() as cleanup:
        told = (_impatience() if impatient else {}) | dict(environment or {})
        root = _folder()
        cleanup.callback(unprivileged.remove, root)
        Home(root).make()
        place = Place.of(Home(root), cleanup.enter_context(take_block(None)), _settings(root, told))
        ground = Ground(place, {row.name: row for row in needed(stack(place), names)})
        cleanup.push_async_callback(_stopped, ground)
        await _started(ground)
        yield ground


def _folder() -> Path:
    """Servers under another account may go through it to their own data."""
    root = Path(tempfile.mkdtemp(prefix="algotrendy-drill-"))
    root.chmod(0o711)
    return root


def _settings(root: Path, environment: Mapping[str, str]) -> LocalSettings:
    """The person's own settings are theirs: a drill is told only what it says itself."""
    settings = LocalSettings.from_environment(home=root, port_base=None, replaced={}, migrator_seed_file=None)
    return settings.model_copy(update={"environment": settings.inherited | dict(environment)})


def _impatience() -> dict[str, str]:
    return {f"ALGOTRENDY_BROKER_GATEWAY_{name}": value for name, value in IMPATIENT.items()}


async def _started(ground: Ground) -> None:
    pending = dict(ground.rows)
    while pending:
        ready = [row for row in pending.values() if not set(row.depends_on) & pending.keys()]
        await asyncio.gather(*(_start(ground, row) for row in ready))
        for row in ready:
            del pending[row.name]


async def _start(ground: Ground, row: Row) -> None:
    if isinstance(row, Job):
        await row.work()
    else:
        await ground.start(row.name)


async def _stopped(ground: Ground) -> None:
    """Services first, each before what it depends on."""
    for name in reversed(tuple(ground.rows)):
        if name in ground.processes:
            await ground.processes[name].stop()

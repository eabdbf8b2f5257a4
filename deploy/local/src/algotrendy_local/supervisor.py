"""Starts rows in their order, keeps programs running, stops them in the reverse order.

Invariant: when ``run`` returns, nothing it started runs any more, whatever happened in between.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from algotrendy_common import clock

from algotrendy_local import logs, state
from algotrendy_local.errors import ProcessDied, StackError
from algotrendy_local.home import Home
from algotrendy_local.process import ProcessId, RunningProcess, launch
from algotrendy_local.program import Job, NotWell, Program, Row
from algotrendy_local.state import Condition, Phase, RowState, StackState

WATCH_EVERY = timedelta(seconds=3)
STUCK_AFTER = timedelta(seconds=30)
"""A program whose liveness fails for so long is killed."""
STEADY_AFTER = timedelta(seconds=30)
"""A program that has run for so long has recovered: its next crash counts as the first."""
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Waits before restarts in a row; the crash after the last gives the program up."""


class Supervisor:
    """One home's programs. ``on_change`` is called with the whole state after each change of it."""

    def __init__(
        self,
        home: Home,
        rows: Sequence[Row],
        *,
        port_base: int,
        page_url: str,
        external: dict[str, str] | None = None,
        on_change: Callable[[StackState], None] = lambda state: None,
        back_off_s: Sequence[float] = BACK_OFF_S,
    ) -> None:
        self._home = home
        self._rows = {row.name: row for row in rows}
        self._on_change = on_change
        self._back_off_s = back_off_s
        own = ProcessId.of(os.getpid())
        self.state = StackState(
            phase=Phase.STARTING,
            pid=own.pid,
            created_s=own.created_s,
            started_at=state.present(),
            port_base=port_base,
            page_url=page_url,
            rows=[
                RowState(name=name, condition=Condition.EXTERNAL, detail=url) for name, url in (external or {}).items()
            ]
            + [
                RowState(name=row.name, port=row.port, stop_signal=int(row.stop_signal))
                if isinstance(row, Program)
                else RowState(name=row.name)
                for row in rows
            ],
        )
        self._ready = {name: asyncio.Event() for name in self._rows}
        self._gone = {name: asyncio.Event() for name in self._rows}
        self._processes: dict[str, RunningProcess] = {}
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Begin to stop; asked again, stop without waiting for anybody."""
        if self._stop.is_set():
            for process in self._processes.values():
                process.kill()
        self._stop.set()

    async def run(self, *, once: bool = False) -> None:
        """Start everything, keep it until ``stop`` (or not at all, if ``once``), stop everything.

        Raises ``StackError`` where the start fails.
        """
        keepers = {name: asyncio.create_task(self._keep(row), name=name) for name, row in self._rows.items()}
        housekeeping = asyncio.create_task(logs.rotate_forever(self._home))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await self._start(keepers, stopping)
            if not once:
                await _first_of(stopping, stopping, *keepers.values())
            self._phase(Phase.STOPPING)
        except BaseException as error:
            self._phase(Phase.STOPPING, str(error))
            raise
        finally:
            housekeeping.cancel()
            stopping.cancel()
            await self._end(keepers)
            self._phase(Phase.FAILED if self.state.error else Phase.STOPPED)

    async def _start(self, keepers: dict[str, asyncio.Task[None]], stopping: asyncio.Task[bool]) -> None:
        self._tell()
        all_ready = asyncio.create_task(self._all_ready())
        try:
            await _first_of(all_ready, stopping, *keepers.values())
        finally:
            all_ready.cancel()
        if not stopping.done():
            self._phase(Phase.RUNNING)

    async def _all_ready(self) -> None:
        for event in self._ready.values():
            await event.wait()

    async def _end(self, keepers: dict[str, asyncio.Task[None]]) -> None:
        for keeper in keepers.values():
            keeper.cancel()
        await asyncio.gather(*keepers.values(), return_exceptions=True)
        await asyncio.gather(*(self._stop_row(row) for row in self._rows.values()))

    async def _stop_row(self, row: Row) -> None:
        """Stop a row once all that depend on it are gone."""
        dependents = [other.name for other in self._rows.values() if row.name in other.depends_on]
        for name in dependents:
            await self._gone[name].wait()
        process = self._processes.get(row.name)
        if process is not None:
            self._set(row.name, Condition.STOPPING)
            asked = await process.stop()
            self._set(row.name, Condition.STOPPED, "" if asked else "did not stop when asked and was killed")
        elif self.state.row(row.name).condition is not Condition.FAILED:
            self._set(row.name, Condition.STOPPED)
        self._gone[row.name].set()

    # -- one row -----------------------------------------------------------------------------------------------

    async def _keep(self, row: Row) -> None:
        for name in row.depends_on:
            if name in self._ready:
                await self._ready[name].wait()
        if isinstance(row, Job):
            self._set(row.name, Condition.STARTING)
            self._set(row.name, Condition.DONE, await row.work())
            self._ready[row.name].set()
            return
        crashes = 0
        while True:
            began = clock.monotonic_s()
            try:
                await self._live(row)
            except StackError as error:
                self._forget(row)
                if clock.monotonic_s() - began > STEADY_AFTER.total_seconds():
                    crashes = 0
                if crashes == len(self._back_off_s):
                    self._give_up(row, error)
                    return
                # At a first start only a crash is worth another try: bad settings or data stay bad.
                if not self._ready[row.name].is_set() and (crashes == 2 or not _may_pass(error)):
                    self._set(row.name, Condition.FAILED, error.message, log_lines=_lines(error))
                    raise
                self._set(row.name, Condition.RESTARTING, error.message)
                await asyncio.sleep(self._back_off_s[crashes])
                crashes += 1
                self.state.row(row.name).restarts += 1

    async def _live(self, program: Program) -> None:
        """One process, from its start to its end, which is told by ``ProcessDied``."""
        self._set(program.name, Condition.STARTING)
        await program.prepare()
        process = launch(program, self._home.log(program.name))
        self._processes[program.name] = process
        row = self.state.row(program.name)
        row.pid, row.created_s, row.since = process.id.pid, process.id.created_s, state.present()
        self._set(program.name, Condition.STARTING)
        try:
            await process.healthy()
        except StackError:
            await process.stop()
            raise
        self._set(program.name, Condition.HEALTHY)
        self._ready[program.name].set()
        watch = asyncio.create_task(self._watch(program, process))
        try:
            status = await process.ended()
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
        raise ProcessDied(program.name, status, process.last_lines())

    async def _watch(self, program: Program, process: RunningProcess) -> None:
        """Ask again and again; kill what is stuck."""
        well_at = clock.monotonic_s()
        while True:
            await asyncio.sleep(WATCH_EVERY.total_seconds())
            try:
                await program.probe()
                well_at = clock.monotonic_s()
                self._set(program.name, Condition.HEALTHY)
            except (NotWell, StackError) as reason:
                self._set(program.name, Condition.UNHEALTHY, str(reason))
                if program.alive is not None:
                    with suppress(NotWell):
                        await program.alive()
                        well_at = clock.monotonic_s()
                if clock.monotonic_s() - well_at > STUCK_AFTER.total_seconds():
                    process.kill()

    def _give_up(self, program: Program, error: StackError) -> None:
        detail = f"given up after {len(self._back_off_s) + 1} crashes in a row: {error.message}"
        self._set(program.name, Condition.FAILED, detail, log_lines=_lines(error))

    def _forget(self, program: Program) -> None:
        self._processes.pop(program.name, None)
        self.state.row(program.name).pid = None

    # -- telling -----------------------------------------------------------------------------------------------

    def _phase(self, phase: Phase, error: str = "") -> None:
        self.state.phase = phase
        self.state.error = self.state.error or error
        self._tell()

    def _set(self, name: str, condition: Condition, detail: str = "", log_lines: list[str] | None = None) -> None:
        row = self.state.row(name)
        before = (row.condition, row.detail, row.pid)
        row.condition, row.detail, row.log_lines = condition, detail, log_lines or []
        if condition in (Condition.STOPPED, Condition.FAILED):
            row.pid = None
        if (condition, detail, row.pid) != before or condition is Condition.STARTING:
            self._tell()

    def _tell(self) -> None:
        state.write(self._home, self.state)
        self._on_change(self.state)


async def _first_of(either: asyncio.Future[Any], other: asyncio.Future[Any], *keepers: asyncio.Future[None]) -> None:
    """Wait for one of two; a keeper that raises meanwhile ends the wait with its error."""
    while not either.done() and not other.done():
        pending = [keeper for keeper in keepers if not keeper.done()]
        await asyncio.wait([either, other, *pending], return_when=asyncio.FIRST_COMPLETED)
        for keeper in keepers:
            if keeper.done():
                keeper.result()


def _may_pass(error: StackError) -> bool:
    """Whether another try may help: a crash may, settings that were refused (status 2) or bad data will not."""
    return isinstance(error, ProcessDied) and error.status != 2


def _lines(error: StackError) -> list[str]:
    return error.log_lines if isinstance(error, ProcessDied) else []

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from algotrendy_local import state, supervisor
from algotrendy_local.errors import ProcessDied, StackError
from algotrendy_local.home import Home
from algotrendy_local.program import Job, NotWell, Program, Row
from algotrendy_local.state import Condition, Phase
from algotrendy_local.supervisor import Supervisor


async def well() -> None:
    """A probe that passes."""


async def never_well() -> None:
    raise NotWell("never")


def program(name: str, code: str = "import time; time.sleep(600)", *depends_on: str, **fields: object) -> Program:
    return Program(
        name=name,
        command=(sys.executable, "-c", code),
        port=1,
        depends_on=depends_on,
        environment={"PATH": os.environ["PATH"]},
        **({"probe": well} | fields),  # type: ignore[arg-type]
    )


class History:
    """Every change a supervisor told of, as ``name condition``."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, now: state.StackState) -> None:
        for row in now.rows:
            line = f"{row.name} {row.condition.value}"
            if line not in self.lines:
                self.lines.append(line)

    def before(self, first: str, second: str) -> bool:
        return self.lines.index(first) < self.lines.index(second)


def supervise(home: Home, rows: list[Row], history: History | None = None) -> Supervisor:
    return Supervisor(
        home,
        rows,
        port_base=20_000,
        page_url="http://localhost:20000",
        on_change=history or History(),
        back_off_s=(0.01, 0.01, 0.01),
    )


@asynccontextmanager
async def running(supervised: Supervisor) -> AsyncIterator[None]:
    task = asyncio.create_task(supervised.run())
    await until(lambda: task.done() or supervised.state.phase is Phase.RUNNING)
    if task.done():
        await task
    yield
    supervised.stop()
    await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def kill(supervised: Supervisor, name: str) -> int:
    pid = supervised.state.row(name).pid
    assert pid is not None
    os.kill(pid, 9)
    return pid


async def test_rows_start_after_what_they_need_and_stop_before_it(home: Home) -> None:
    history = History()
    done: list[str] = []

    async def work() -> str:
        done.append("migrated")
        return "1 migration applied"

    rows: list[Row] = [
        program("service", "import time; time.sleep(600)", "migrate"),
        Job("migrate", work, depends_on=("store",)),
        program("store"),
    ]
    supervised = supervise(home, rows, history)
    async with running(supervised):
        assert done == ["migrated"]
        assert supervised.state.row("migrate").detail == "1 migration applied"
        pids = [row.process for row in supervised.state.rows if row.process]
        assert len(pids) == 2
    assert history.before("store healthy", "migrate done")
    assert history.before("migrate done", "service starting")
    assert history.before("service stopped", "store stopping")
    assert not [process for process in pids if process.find()]
    assert supervised.state.phase is Phase.STOPPED


async def test_a_killed_program_is_started_again(home: Home) -> None:
    supervised = supervise(home, [program("store")])
    async with running(supervised):
        first = kill(supervised, "store")
        await until(lambda: supervised.state.row("store").restarts == 1)
        await until(lambda: supervised.state.row("store").condition is Condition.HEALTHY)
        assert supervised.state.row("store").pid not in (None, first)


async def test_a_program_that_crashes_again_and_again_is_given_up_and_the_rest_goes_on(home: Home) -> None:
    marker = home.root / "started"
    code = f"""
import pathlib, sys, time
marker = pathlib.Path({str(marker)!r})
if marker.exists():
    print("disk on fire"); sys.exit(1)
marker.touch(); time.sleep(600)
"""
    supervised = supervise(home, [program("flaky", code), program("store")])
    async with running(supervised):
        await until(marker.exists)
        kill(supervised, "flaky")
        await until(lambda: supervised.state.row("flaky").condition is Condition.FAILED)
        flaky = supervised.state.row("flaky")
        assert "given up after 4 crashes in a row" in flaky.detail
        assert flaky.log_lines == ["disk on fire"]
        assert supervised.state.row("store").condition is Condition.HEALTHY


async def test_a_start_that_fails_stops_what_had_started_and_says_why(home: Home) -> None:
    service = program("service", "print('bad setting'); exit(2)", "store", probe=never_well)
    supervised = supervise(home, [program("store"), service])
    with pytest.raises(ProcessDied, match=r"service ended \(exit status 2\)") as died:
        await supervised.run()
    assert died.value.log_lines == ["bad setting"]
    assert supervised.state.phase is Phase.FAILED
    assert supervised.state.row("service").restarts == 0, "settings that were refused stay refused"
    assert supervised.state.row("store").condition is Condition.STOPPED
    told = state.read(home)
    assert told is not None
    assert told.error.startswith("service ended")


async def test_a_job_that_fails_ends_the_start(home: Home) -> None:
    async def work() -> str:
        raise StackError("migration_failed", "the schema of risk cannot be migrated")

    supervised = supervise(home, [program("store"), Job("migrate", work, ("store",))])
    with pytest.raises(StackError, match="the schema of risk"):
        await supervised.run()
    assert all(row.pid is None for row in supervised.state.rows)


async def test_a_stop_during_the_start_stops_everything(home: Home) -> None:
    supervised = supervise(home, [program("store", probe=never_well)])
    task = asyncio.create_task(supervised.run())
    await until(lambda: supervised.state.row("store").pid is not None)
    process = supervised.state.row("store").process
    assert process is not None
    supervised.stop()
    await task
    assert process.find() is None


async def test_what_fails_its_probe_is_shown_and_what_is_stuck_is_killed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "WATCH_EVERY", timedelta(milliseconds=10))
    monkeypatch.setattr(supervisor, "STUCK_AFTER", timedelta(milliseconds=300))
    problems: list[str] = []

    async def ready() -> None:
        if problems:
            raise NotWell(problems[0])

    unready = replace(program("service", probe=ready), alive=well)
    supervised = supervise(home, [unready, program("store", probe=ready)])
    async with running(supervised):
        problems.append("bus: not connected")
        await until(lambda: supervised.state.row("service").condition is Condition.UNHEALTHY)
        assert supervised.state.row("service").detail == "bus: not connected"
        await until(lambda: supervised.state.row("store").restarts > 0)
        assert supervised.state.row("service").restarts == 0, "it is alive, only others are missing"
        problems.clear()
        await until(lambda: supervised.state.row("service").condition is Condition.HEALTHY)


async def test_once_ends_when_all_is_done(home: Home) -> None:
    async def work() -> str:
        return "done"

    supervised = supervise(home, [program("store"), Job("migrate", work, ("store",))])
    await supervised.run(once=True)
    assert supervised.state.phase is Phase.STOPPED
    assert supervised.state.row("store").pid is None

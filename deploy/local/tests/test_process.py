import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from algotrendy_local.errors import ProcessDied, StackError
from algotrendy_local.process import ProcessId, launch
from algotrendy_local.program import NotWell, Program

type Eventually = Callable[[Callable[[], bool]], None]


async def well() -> None:
    """A probe that passes."""


async def not_well() -> None:
    raise NotWell("not yet")


def python(code: str, **fields: object) -> Program:
    environment = {"PATH": os.environ["PATH"]}
    settings = {"name": "sample", "port": 1, "probe": well, "environment": environment} | fields
    return Program(command=(sys.executable, "-c", textwrap.dedent(code)), **settings)  # type: ignore[arg-type]


STUBBORN = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    time.sleep(600)
"""


async def test_output_goes_to_the_log_and_the_end_is_told(tmp_path: Path) -> None:
    process = launch(python("print('hello'); raise SystemExit(7)"), tmp_path / "log")
    assert await process.ended() == 7
    assert process.last_lines() == ["hello"]


async def test_it_ends_when_asked(tmp_path: Path) -> None:
    process = launch(python("import time; time.sleep(600)"), tmp_path / "log")
    assert await process.stop()
    assert process.exit_status == -signal.SIGTERM
    assert process.id.find() is None


async def test_what_does_not_stop_is_killed(tmp_path: Path) -> None:
    process = launch(python(STUBBORN, stop_timeout=timedelta(milliseconds=100)), tmp_path / "log")
    while not process.last_lines():
        await process_started()
    assert not await process.stop()
    assert process.exit_status == -signal.SIGKILL


async def process_started() -> None:
    import asyncio

    await asyncio.sleep(0.02)


async def test_a_death_while_waiting_for_health_carries_the_log(tmp_path: Path) -> None:
    process = launch(python("print('no such option'); raise SystemExit(2)", probe=not_well), tmp_path / "log")
    with pytest.raises(ProcessDied, match=r"sample ended \(exit status 2\)") as died:
        await process.healthy()
    assert died.value.log_lines == ["no such option"]


async def test_waiting_for_health_ends_with_the_probes_reason(tmp_path: Path) -> None:
    program = python("import time; time.sleep(600)", probe=not_well, start_timeout=timedelta(milliseconds=200))
    process = launch(program, tmp_path / "log")
    with pytest.raises(StackError, match=r"did not become healthy within 0 s \(not yet\)"):
        await process.healthy()
    await process.stop()


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    program = Program(name="sample", command=("/no/such/program",), port=1, probe=well)
    with pytest.raises(StackError, match="sample cannot be started: /no/such/program"):
        launch(program, tmp_path / "log")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path, eventually: Eventually) -> None:
    code = f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from test_process import python, launch
        child = launch(python("import time; time.sleep(600)"), Path({str(tmp_path / "log")!r}))
        print(child.id.pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.is_running()
    parent.kill()
    parent.wait()
    eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_reused_pid_is_another_process() -> None:
    own = ProcessId.of(os.getpid())
    assert own.find() is not None
    assert ProcessId(own.pid, own.created_s - 100).find() is None

"""The command as a person calls it, on real servers."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from algotrendy_local import state
from algotrendy_local.home import Home
from algotrendy_local.process import ProcessId
from algotrendy_local.testing import Command

SOME = ("--port-base", "auto", "--only", "migrate,redis")
FEW = ("--port-base", "auto", "--only", "nats,redis")
type Eventually = Callable[[Callable[[], bool]], None]


def processes_of(home: Home) -> list[ProcessId]:
    last = state.read(home)
    assert last is not None
    return [row.process for row in last.rows if row.process]


def test_up_status_logs_and_down(algotrendy: Command) -> None:
    up = algotrendy("up", "--detach", *SOME)
    assert up.returncode == 0, up.stderr
    running = processes_of(algotrendy.home)
    assert len(running) == 3

    status = algotrendy("status")
    assert status.returncode == 0
    assert all(name in status.stdout for name in ("nats", "postgres", "redis", "migrate", "healthy"))
    assert algotrendy.json("status")["phase"] == "running"
    assert algotrendy.row("nats")["memory_bytes"] > 0

    assert "Server is ready" in algotrendy("logs", "nats").stdout
    unknown = algotrendy("logs", "nonsense")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("error: there is no log of nonsense; there are: nats")

    info = algotrendy.json("demo-info")
    assert info["users"]["ada"] == "admin"
    assert info["ports"]["gateway"] == int(info["url"].rpartition(":")[2])

    down = algotrendy("down")
    assert (down.returncode, down.stdout) == (0, "stopped\n")
    assert not [process for process in running if process.find()]
    assert algotrendy("status").returncode == 3
    assert algotrendy("down").stdout == "nothing was running\n"


def test_a_second_up_says_so_and_leaves_the_first_alone(algotrendy: Command) -> None:
    assert algotrendy("up", "--detach", *FEW).returncode == 0
    before = processes_of(algotrendy.home)
    for words in (("up",), ("up", "--detach")):
        second = algotrendy(*words, *FEW)
        assert second.returncode == 1
        assert "is already running (pid" in second.stderr
        assert len(second.stderr.splitlines()) == 1
    assert processes_of(algotrendy.home) == before
    assert all(process.find() for process in before)
    assert algotrendy("reset", "--yes").returncode == 1


def test_a_taken_port_is_one_line_and_nothing_is_left(algotrendy: Command) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        port = server.getsockname()[1]
        for words in (("up",), ("up", "--detach")):
            refused = algotrendy(*words, "--port-base", str(port), "--only", "redis")
            assert refused.returncode == 1
            lines = refused.stderr.splitlines()
            assert len(lines) == 1
            assert lines[0].startswith(f"error: port {port} (the page) is already in use by")
            assert f"(pid {os.getpid()})" in lines[0]
    assert not state.is_running(algotrendy.home)


def test_a_killed_server_is_restarted(algotrendy: Command, eventually: Eventually) -> None:
    algotrendy("up", "--detach", *SOME)
    for name in ("nats", "postgres", "redis"):
        pid = algotrendy.row(name)["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda name=name, pid=pid: algotrendy.row(name)["pid"] not in (None, pid))  # type: ignore[misc]
        eventually(lambda name=name: algotrendy.row(name)["condition"] == "healthy")  # type: ignore[misc]
        assert algotrendy.row(name)["restarts"] >= 1
    assert algotrendy("status").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_nothing_outlives_a_killed_supervisor(algotrendy: Command, eventually: Eventually) -> None:
    algotrendy("up", "--detach", *SOME)
    last = state.read(algotrendy.home)
    assert last is not None
    children = psutil.Process(last.pid).children(recursive=True)
    assert len(children) > 3
    os.kill(last.pid, signal.SIGKILL)
    eventually(lambda: not [child for child in children if child.is_running()])
    again = algotrendy("up", "--detach", *SOME)
    assert again.returncode == 0, again.stderr


def test_leftovers_of_a_dead_supervisor_are_reported_and_ended(algotrendy: Command) -> None:
    home = algotrendy.home
    algotrendy("up", "--detach", *FEW)
    algotrendy("down")
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    last = state.read(home)
    assert last is not None
    process = ProcessId.of(orphan.pid)
    row = last.row("redis")
    row.pid, row.created_s = process.pid, process.created_s
    stranger = last.row("nats")  # a pid that is in use again by somebody else
    stranger.pid, stranger.created_s = os.getpid(), 1.0
    state.write(home, last)

    finding = next(each for each in algotrendy.json("doctor") if each["check"] == "leftovers")
    assert finding["detail"] == f"an earlier stack left redis (pid {orphan.pid})"
    down = algotrendy("down")
    assert down.stdout == "stopped; ended what an earlier stack had left: redis\n"
    assert orphan.wait() == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_foreground_cleanly(algotrendy: Command, number: int) -> None:
    line = algotrendy.line("up", "--json", *FEW)
    foreground = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert foreground.stdout is not None
    assert json.loads(foreground.stdout.readline())["phase"] == "running"
    running = processes_of(algotrendy.home)
    foreground.send_signal(number)
    assert foreground.wait(60) == 0
    assert not [process for process in running if process.find()]


def test_reset_leaves_a_home_as_new(algotrendy: Command) -> None:
    algotrendy("up", "--detach", *SOME)
    algotrendy("down")
    done = algotrendy("reset", "--yes")
    assert done.returncode == 0, done.stderr
    assert list(algotrendy.home.root.iterdir()) == []
    assert algotrendy("up", "--detach", *SOME).returncode == 0


def test_migrations_go_up_and_down_without_a_running_stack(algotrendy: Command) -> None:
    first = algotrendy("migrate", "up")
    assert first.returncode == 0, first.stderr
    assert "0001.outbox" in first.stdout
    down = algotrendy("migrate", "down", "--service", "risk", "--yes")
    assert "0001.outbox" in down.stdout
    again = algotrendy("migrate", "up", "--service", "risk")
    assert "0001.outbox" in again.stdout
    assert algotrendy("migrate", "up", "--service", "risk").stdout.split() == ["risk", "nothing", "to", "do"]
    assert "rsik has no schema" in algotrendy("migrate", "up", "--service", "rsik").stderr
    assert not state.is_running(algotrendy.home)


def test_a_server_elsewhere_is_used_and_not_started(algotrendy: Command, tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
    environment = os.environ | {"ALGOTRENDY_REDIS_URL": url}
    up = algotrendy("up", "--detach", "--port-base", "auto", "--only", "migrate", environment=environment)
    assert up.returncode == 0, up.stderr
    row = algotrendy.row("redis")
    assert (row["condition"], row["detail"], row["pid"]) == ("external", url, None)


def test_wrong_settings_are_refused_together(algotrendy: Command) -> None:
    environment = os.environ | {"ALGOTRENDY_LOCAL_COLOUR": "blue"}
    refused = algotrendy("up", "--port-base", "80", environment=environment)
    assert refused.returncode == 2
    assert "colour" in refused.stderr
    assert "port_base" in refused.stderr


def test_doctor_names_what_is_wrong_and_what_to_do(algotrendy: Command) -> None:
    (algotrendy.home.data("postgres")).mkdir(parents=True)
    (algotrendy.home.data("postgres") / "PG_VERSION").write_text("12\n")
    doctor = algotrendy("doctor", "--port-base", "auto")
    assert doctor.returncode == 1
    line = next(line for line in doctor.stdout.splitlines() if " data " in line)
    assert line.startswith("✕ data")
    assert "was made by PostgreSQL 12, this stack runs 18 → move it away, or start afresh" in line
    findings = {finding["check"]: finding for finding in algotrendy.json("doctor")}
    assert findings["python"]["ok"]
    assert findings["java"]["ok"]
    assert findings["leftovers"]["ok"]


def test_the_monitor_answers_while_it_is_up(algotrendy: Command) -> None:
    algotrendy("up", "--detach", "--port-base", "auto", "--only", "nats")
    port = algotrendy.json("demo-info")["ports"]["nats_monitor"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/varz") as answer:
        assert json.load(answer)["jetstream"]["config"]["sync_always"] is True

import os
import subprocess
import sys

import pytest
from algotrendy_local import state
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.state import Lock


def test_one_home_has_one_supervisor(home: Home) -> None:
    with Lock(home) as first:
        first.take(home)
        assert state.is_running(home)
        with Lock(home) as second, pytest.raises(StackError, match="already running; algotrendy down stops it"):
            second.take(home)
    assert not state.is_running(home)


def test_the_lock_goes_with_its_process(home: Home) -> None:
    code = f"""
import pathlib, sys, time
from algotrendy_local.home import Home
from algotrendy_local.state import Lock
home = Home(pathlib.Path({str(home.root)!r}))
lock = Lock(home)
lock.take(home)
print("held", flush=True)
time.sleep(600)
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert state.is_running(home)
    holder.kill()
    holder.wait()
    assert not state.is_running(home)


@pytest.mark.parametrize("text", ["", "{", '{"phase": "dancing"}', "[]"])
def test_a_state_that_makes_no_sense_is_none(home: Home, text: str) -> None:
    state.state_file(home).write_text(text)
    assert state.read(home) is None


def test_a_home_that_never_ran_is_not_running(home: Home) -> None:
    assert state.read(home) is None
    assert not state.is_running(Home(home.root / "elsewhere"))
    assert os.listdir(home.run) == []

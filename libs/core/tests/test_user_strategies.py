"""A user's strategy file: what is refused, with which line and reason, and that the guide's file passes."""

import re
from pathlib import Path
from textwrap import dedent

import pytest
from algotrendy_common.errors import Refused
from algotrendy_core.strategies.registry import STRATEGIES
from algotrendy_core.strategies.user_file import (
    Limits,
    checked_user_strategy,
    load_user_strategy,
    user_strategies,
)

GUIDE = Path(__file__).parents[3] / "examples" / "02_write_a_strategy.py"
LIMITS = Limits(cpu_s=0.5, memory_bytes=128 * 1024 * 1024, bars=200)

SOUND = dedent(
    """\
    import math
    from dataclasses import dataclass

    from algotrendy_core.bars import Candle
    from algotrendy_core.strategies.interface import Decision, Parameters, Strategy


    class OwnParameters(Parameters):
        pass


    @dataclass(slots=True)
    class State:
        count: int = 0


    def step(parameters, state, candle):
        state.count += 1
        # here
        return Decision(1.0 if candle.close > 100 else 0.0, 1)


    OWN = Strategy(
        name="own",
        description="Long above a hundred",
        parameters=OwnParameters,
        initial_state=lambda parameters: State(),
        step=step,
        warm_up=lambda parameters: 1,
        reasons=("warming_up", "as_it_is"),
    )
    """
)
HERE = SOUND[: SOUND.index("    # here")].count("\n") + 1
"""Line of the step where a test puts something else."""


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str, name: str = "own.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def refusal(load, *arguments) -> Refused:
    with pytest.raises(Refused) as caught:
        load(*arguments)
    return caught.value


def test_the_guide_s_file_is_loaded_and_passes_its_trial() -> None:
    checked_user_strategy(GUIDE, Limits())
    strategy = load_user_strategy(GUIDE)
    assert strategy.name == "channel_breakout"
    assert strategy.name not in STRATEGIES


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import os", "may not import os"),
        ("import socket as s", "may not import socket"),
        ("import importlib.util", "may not import importlib"),
        ("from subprocess import run", "may not import subprocess"),
        ("from . import neighbour", "may not import ."),
        ("from numpy import *", r"\* is not allowed"),
        ("from algotrendy_core.strategies import user_file", "may not import algotrendy_core.strategies.user_file"),
        ("from algotrendy_core.strategies.user_file import subprocess", "may not import"),
        ("from dataclasses import sys", "may not import"),
        ("import dataclasses; dataclasses.sys.modules", "dataclasses.sys"),
        ("import numpy as np; np.load('x')", "np.load"),
        ("import numpy as np; np.random.os.environ", "os"),
        ("import numpy as np; np.zeros(1).tofile('x')", "tofile"),
        ("from numpy import load", "may not import numpy.load"),
        ("import pydantic; pydantic.main.sys.exit()", "sys"),
        ("open('/etc/passwd')", "open is not available"),
        ("eval('1')", "eval is not available"),
        ("getattr(math, 'sin')", "getattr is not available"),
        ("__import__('os')", "__import__ is not available"),
        ("print(().__class__.__bases__)", "__class__|__bases__"),
        ("async def wait(): pass", "does not wait"),
        ("def change():\n    global OWN", "in its state"),
        ("def broken(:", "invalid syntax"),
        ("x = (", "never closed"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemError('stop')", "SystemError: stop"),
        ("def f():\n    return undefined\nf()", "undefined"),
    ],
)
def test_what_may_not_be_in_a_file_is_named_with_its_line(file, line: str, reason: str) -> None:
    path = file(f"{SOUND}\n\n{line}\n")
    error = refusal(load_user_strategy, path)
    last = SOUND.count("\n") + 3
    assert error.context["line"] in range(last, last + 3)
    assert error.args[0].startswith(f"line {error.context['line']}: ")
    assert re.search(reason, error.args[0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("OWN = Strategy", "def unused():\n    return Strategy"), r"one Strategy, this one 0 \(none\)"),
        (
            ("OWN = Strategy(", "TWO = Strategy('two', '', OwnParameters, State, step, len, ('a',))\nOWN = Strategy("),
            "2",
        ),
        (('name="own"', 'name="grid"'), "'grid' is a strategy of the platform"),
        (('name="own"', 'name="a b"'), "not made of up to 64 letters"),
        (("parameters=OwnParameters", "parameters=State"), "not a model made from Parameters"),
        (("    pass", "    period: int"), "no usable defaults"),
        (("warm_up=lambda parameters: 1", "warm_up=lambda parameters: 0"), "its warm_up is 0"),
        (("step=step", "step=Decision"), "its step is not a function"),
        (('reasons=("warming_up", "as_it_is")', "reasons=()"), "its reasons"),
    ],
)
def test_a_strategy_that_could_not_be_run_is_refused(file, change: tuple[str, str], reason: str) -> None:
    assert change[0] in SOUND
    with pytest.raises(Refused, match=reason):
        load_user_strategy(file(SOUND.replace(*change)))


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("while True: pass", "strategy_too_slow", "more than 0.5 s"),
        ("grown = [0.0] * 10**9", "strategy_too_large", "more than 128 MiB"),
        ("candle.close / 0", "strategy_raises", "ZeroDivisionError"),
        ("raise SystemExit(0)", "strategy_raises", "SystemExit"),
        ("[][0]", "strategy_raises", "IndexError"),
    ],
)
def test_what_a_step_does_wrong_is_stopped_and_told_with_its_line(file, line: str, code: str, reason: str) -> None:
    error = refusal(checked_user_strategy, file(SOUND.replace("# here", line)), LIMITS)
    assert (error.code, error.context["line"]) == (code, HERE)
    assert reason in error.args[0]


def test_a_file_that_never_ends_loading_is_stopped(file) -> None:
    error = refusal(checked_user_strategy, file(f"{SOUND}\nwhile True:\n    math.sqrt(2)\n"), LIMITS)
    assert error.code == "strategy_too_slow"
    assert error.context["line"] in range(SOUND.count("\n") + 2, SOUND.count("\n") + 4)


@pytest.mark.parametrize(
    "dug",
    [
        "open('/etc/passwd')",
        "__import__('socket').socket()",
        "__import__('subprocess').Popen(['true'])",
        "__import__('os').system('true')",
    ],
)
def test_what_the_text_hides_is_met_by_the_process(file, dug: str) -> None:
    """A string that ``typing`` evaluates: the way around every check of the text."""
    hidden = f"typing.get_type_hints(type('T', (), {{'__annotations__': {{'x': {'len.__self__.' + dug!r}}}}}))"
    text = SOUND.replace("import math", "import typing").replace("# here", hidden)
    error = refusal(checked_user_strategy, file(text), LIMITS)
    assert (error.code, error.context["line"]) == ("strategy_forbidden", HERE)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("return Decision(1.0", "return (1.0"), "decision_malformed"),
        (("0.0, 1)", "0.0, 7)"), "decision_malformed"),
        (("Decision(1.0 if", "Decision(3.0 if"), "decision_malformed"),
        (("    count: int = 0", "    count: object = None"), "strategy_raises"),
        (("state.count += 1", "HIDDEN.append(candle.close)"), "strategy_raises"),
    ],
)
def test_a_strategy_that_cannot_be_trusted_with_its_state_is_refused(file, change: tuple[str, str], code: str) -> None:
    assert refusal(checked_user_strategy, file(SOUND.replace(*change)), LIMITS).code == code


def test_what_is_remembered_outside_the_state_is_found(file) -> None:
    text = SOUND.replace("def step", "SEEN = [0]\n\n\ndef step").replace(
        "# here", "SEEN[0] += 1\n    candle = candle._replace(close=99.0 + SEEN[0] % 3)"
    )
    assert refusal(checked_user_strategy, file(text), LIMITS).code == "state_incomplete"


def test_a_folder_gives_what_is_sound_and_says_what_is_not(file, tmp_path: Path) -> None:
    file(SOUND)
    file(SOUND, "twin.py")
    file("import os\n", "bad.py")
    found, refusals = user_strategies(tmp_path, LIMITS)
    assert found.keys() == {"own"}
    assert {name: error.code for name, error in refusals.items()} == {
        "bad.py": "strategy_forbidden",
        "twin.py": "strategy_name_taken",
    }


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(load_user_strategy, tmp_path / "none.py").code == "strategy_unreadable"

"""Strategies that misbehave, in the process that runs them: stopped, with the line, and the next one runs."""

from dataclasses import replace

import pytest
from algotrendy_backtest.computing.child import Child
from algotrendy_backtest.computing.confinement import Limits
from algotrendy_backtest.computing.tasks import Candidate, Ground, RunAll, TryAll, UserFile
from algotrendy_backtest.errors import RunTooLong
from algotrendy_common.errors import Refused

FILE = """
from dataclasses import dataclass
from algotrendy_core.strategies.interface import Decision, Parameters, Strategy


class Nothing(Parameters):
    pass


@dataclass(slots=True)
class State:
    bars: int


def step(parameters, state, candle):
    state.bars += 1
    if state.bars == 300:
        misbehave(state)
    return Decision(1.0, 1)


def misbehave(state):
    BODY


STRATEGY = Strategy(
    name="own", description="Misbehaves at bar 300", parameters=Nothing, initial_state=lambda parameters: State(0),
    step=step, warm_up=lambda parameters: 1, reasons=("warming_up", "always"),
)
"""


def ground(spec, instrument, bars, body: str, **changes) -> Ground:
    return Ground(spec(parameters={}), instrument, bars, UserFile("own.py", FILE.replace("BODY", body)), **changes)


@pytest.fixture(scope="module")
def child():
    child = Child(Limits(memory_bytes=1024**3, cpu_s=1.0))
    yield child
    child.end()


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("while state.bars: state.bars += 1", "strategy_endless", "own.py line 23 in misbehave"),
        ("return [0.5] * 10**9", "strategy_memory", "own.py line 23 in misbehave"),
        ("return 1 / 0", "strategy_failed", "ZeroDivisionError.*own.py line 23 in misbehave"),
        ("import socket", "strategy", "socket"),
    ],
)
def test_it_is_stopped_with_its_line_and_the_process_goes_on(child, spec, instrument, bars, body, code, said) -> None:
    with pytest.raises(Refused, match=said) as refused:
        child.ask(ground(spec, instrument, bars, body, compiled=False), RunAll({}))
    assert refused.value.code.startswith(code)
    pid = child.pid
    outcome = child.ask(Ground(spec(), instrument, bars), RunAll({"fast": 5, "slow": 20}))
    assert outcome.fills
    assert child.pid == pid


def test_what_gets_round_the_check_of_the_text_meets_a_process_without_a_network(child, spec, instrument, bars) -> None:
    # The file's check knows names; numpy holds modules that it never names.
    body = "import numpy; return numpy.testing._private.utils.sys.modules['socket'].socket()"
    with pytest.raises(Refused) as refused:
        child.ask(ground(spec, instrument, bars, body, compiled=False), RunAll({}))
    assert "line" in str(refused.value)


def test_compiled_code_that_never_returns_is_ended_by_the_kernel(child, spec, instrument, bars) -> None:
    endless = ground(spec, instrument, bars, "while state.bars: state.bars = 300 - state.bars % 2", compiled=True)
    with pytest.raises((RunTooLong, Refused)):
        child.ask(endless, RunAll({}))
    assert child.ask(Ground(spec(), instrument, bars), RunAll({"fast": 5, "slow": 20})).fills


@pytest.fixture
def patient_child():
    """With time enough to compile in."""
    child = Child(Limits(memory_bytes=2 * 1024**3, cpu_s=100.0))
    yield child
    child.end()


def test_a_trial_fails_alone_and_says_why(patient_child, spec, instrument, bars) -> None:
    candidates = (
        Candidate(0, {"fast": 5, "slow": 20}),
        Candidate(1, {"fast": 30, "slow": 20}),
        Candidate(2, {"fast": 6, "slow": 20}),
    )
    task = TryAll(candidates, 0, len(bars), "sharpe", 1, compiled=False)
    ground = Ground(spec(), instrument, bars)
    alone = patient_child.ask(ground, task)
    assert [each.status for each in alone] == ["finished", "refused", "finished"]
    assert "fast must be shorter" in alone[1].error
    together = patient_child.ask(ground, replace(task, compiled=True))
    assert [each.status for each in together] == [each.status for each in alone]
    for one, other in ((alone[0], together[0]), (alone[2], together[2])):
        assert other.objective == pytest.approx(one.objective, rel=1e-9)
        assert other.statistics["trades"] == one.statistics["trades"]
        assert other.statistics["fees"] == pytest.approx(one.statistics["fees"])

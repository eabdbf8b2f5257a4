"""The strategies that this agent can run: the platform's, and a user's from the files of a folder.

Invariant: a user's step runs here only after its file passed a trial in a process of its own, and is stopped, with its
line, when one bar takes it too long; it then fails alone, as any strategy that raises.
"""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from algotrendy_common.errors import Refused
from algotrendy_core.strategies.interface import AnyStrategy, Decision
from algotrendy_core.strategies.registry import STRATEGIES
from algotrendy_core.strategies.user_file import Limits, user_strategies

_LONGEST_STEP_S = 1.0
"""Of processor time: a step takes microseconds."""


class StepTooLong(RuntimeError):
    """A user's step did not come to an end."""


class _OutOfTime(BaseException):
    """Not an Exception, so that no handler of the strategy's swallows it."""


@dataclass(slots=True)
class Strategies:
    known: Mapping[str, AnyStrategy] = field(default_factory=lambda: dict(STRATEGIES))
    refused: dict[str, Refused] = field(default_factory=dict)
    """By file: why it is not run."""

    def learn(self, folder: Path, limits: Limits) -> None:
        """Try and load the folder's files; takes seconds for each."""
        found, self.refused = user_strategies(folder, limits)
        self.known = {**STRATEGIES, **{name: stopped_when_long(strategy) for name, strategy in found.items()}}


def stopped_when_long(strategy: AnyStrategy, seconds: float = _LONGEST_STEP_S) -> AnyStrategy:
    """The strategy whose step raises ``StepTooLong`` after so much processor time."""
    file = strategy.step.__code__.co_filename

    def step(*arguments: Any) -> Decision:
        with _limited(seconds, file):
            return strategy.step(*arguments)

    return replace(strategy, step=step)


@contextmanager
def _limited(seconds: float, file: str) -> Iterator[None]:
    """Signals reach the main thread alone, which is where the service's loop runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGPROF, _out_of_time)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except _OutOfTime as error:
        raise StepTooLong(f"it computed for more than {seconds:g} s{_line(error, file)}") from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise _OutOfTime


def _line(error: BaseException, file: str) -> str:
    found, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            found = f", line {trace.tb_lineno} of {Path(file).name}"
        trace = trace.tb_next
    return found

"""One step of a strategy, watched line by line: which names had which values after each line.

Invariant: watching changes nothing; the step runs as plain Python and its decision is the one it would have made.
"""

import linecache
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from math import isclose
from pathlib import Path
from types import FrameType
from typing import Any

from algotrendy_core.bars import Candle
from algotrendy_core.strategies.interface import AnyStrategy, Decision, Holding, Parameters, Rung

_FLAT = Holding(0.0, 0.0, 100_000.0)


@dataclass(frozen=True, slots=True)
class Line:
    """What stood after a line had run. ``numbers`` are the local numbers and those inside local states, by name."""

    file: str
    number: int
    function: str
    numbers: dict[str, float | int | bool]


@dataclass(frozen=True, slots=True)
class Guilty:
    """The first line after which two runs differ."""

    file: str
    line: int
    function: str
    source: str
    name: str
    """What differs; empty where another line ran."""
    values: tuple[float | int | bool | None, float | int | bool | None]

    def __str__(self) -> str:
        what = f"{self.name}: {self.values[0]} and {self.values[1]}" if self.name else "the runs part here"
        return f"{Path(self.file).name}:{self.line} in {self.function}: {self.source}  ({what})"


class Stepper:
    """A strategy's step and state, uncompiled; a ladder strategy is told that it holds nothing."""

    def __init__(self, strategy: AnyStrategy, parameters: Parameters) -> None:
        self._step: Callable[..., Decision] = strategy.step
        self._parameters = parameters
        self._state = strategy.initial_state(parameters)
        self._with_ladder: tuple[Any, ...] = ()
        if strategy.rungs is not None:
            self._with_ladder = (_FLAT, [Rung() for _ in range(strategy.rungs(parameters))])

    def on(self, candle: Candle) -> Decision:
        return self._step(self._parameters, self._state, candle, *self._with_ladder)

    def watched(self, candle: Candle) -> list[Line]:
        """The same step, with what each of its lines left behind."""
        lines: list[Line] = []
        before: dict[FrameType, int] = {}

        def watch(frame: FrameType, event: str, _: Any) -> Any:
            if event in ("line", "return") and frame in before:
                lines.append(
                    Line(frame.f_code.co_filename, before[frame], frame.f_code.co_name, dict(_numbers(frame.f_locals)))
                )
            if event in ("call", "line"):
                before[frame] = frame.f_lineno
            return watch

        earlier = sys.gettrace()
        sys.settrace(watch)
        try:
            self.on(candle)
        finally:
            sys.settrace(earlier)
        return [line for line in lines if not line.file.startswith("<") and line.file != __file__]


def first_difference(
    one: list[Line], other: list[Line], *, tolerance: float = 0.0, states: bool = True
) -> Guilty | None:
    """Where two watched steps part. ``states`` false compares only the functions' own names, not what states keep."""
    for here, there in zip(one, other, strict=False):
        if (here.file, here.number) != (there.file, there.number):
            return _guilty(here, "", (None, None))
        for name, value in here.numbers.items():
            twin = there.numbers.get(name)
            if not states and ("." in name or not isinstance(value, float)):
                continue
            if not _same(value, twin, tolerance):
                return _guilty(here, name, (value, twin))
    return None


def _guilty(line: Line, name: str, values: tuple[float | int | bool | None, float | int | bool | None]) -> Guilty:
    source = linecache.getline(line.file, line.number).strip()
    return Guilty(line.file, line.number, line.function, source, name, values)


def _same(one: float | int | bool, other: float | int | bool | None, tolerance: float) -> bool:
    if other is None:
        return False
    if one != one or other != other:
        return one != one and other != other
    return one == other or (tolerance > 0.0 and isclose(one, other, rel_tol=tolerance, abs_tol=1e-12))


def _numbers(names: dict[str, Any]) -> Iterator[tuple[str, float | int | bool]]:
    for name, value in names.items():
        yield from _inside(name, value)


def _inside(name: str, value: Any) -> Iterator[tuple[str, float | int | bool]]:
    if isinstance(value, float | int):
        yield name, value
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _inside(f"{name}.{field.name}", getattr(value, field.name))
    elif isinstance(value, tuple | list) and len(value) <= 4096:
        for index, item in enumerate(value):
            yield from _inside(f"{name}.{index}", item)

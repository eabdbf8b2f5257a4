"""Step functions and their states: run as they are, or compiled by numba, with the same results to the last bit.

A step is a plain function over floats, ints and one mutable state; the state is a dataclass of floats, ints, lists of
floats (fixed length) and other such dataclasses. Compiled, the state becomes a numpy record of the same shape, and the
functions that the step names are compiled with it. Invariant: only numba's plain mode is used (no fastmath, no
parallel), so the compiled arithmetic is Python's; numba is imported only when something is compiled.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.numba_loading import load_numba

Floats = NDArray[np.float64]
Column = NDArray[Any]
Step = Callable[..., Any]

_SMALLEST_RING = 64


def ring(period: int) -> list[float]:
    """Zeros for a window of ``period`` values.

    The length is rounded up to 64, 256, 1024, … because it is part of the compiled state's type: a few lengths mean a
    few compilations, however many periods are tried.
    """
    if period < 1:
        raise ValueError(f"a window of {period} values is empty")
    length = _SMALLEST_RING
    while length < period:
        length *= 4
    return [0.0] * length


# ── states ──────────────────────────────────────────────────────────────────────────────────────────────────────


def record_type(state: Any) -> np.dtype[Any]:
    """The numpy type that a state has when compiled; raises TypeError on a field that has none."""
    columns: list[Any] = []
    for name, value in _items(state):
        if is_dataclass(value):
            columns.append((name, record_type(value)))
        elif isinstance(value, list):
            columns.append((name, np.float64, (len(value),)))
        elif isinstance(value, bool):
            columns.append((name, np.bool_))
        elif isinstance(value, int):
            columns.append((name, np.int64))
        elif isinstance(value, float):
            columns.append((name, np.float64))
        else:
            raise TypeError(
                f"state field {name!r} is a {type(value).__name__}: use float, int, bool, list or dataclass"
            )
    return np.dtype(columns, align=True)


def to_record(state: Any) -> Any:
    """A numpy record with the state's values, for compiled steps."""
    record = np.zeros(1, record_type(state))
    _fill(record[0], state)
    return record[0]


def _fill(record: Any, state: Any) -> None:
    for name, value in _items(state):
        if is_dataclass(value):
            _fill(record[name], value)
        else:
            record[name] = value


def from_record(record: Any, state: Any) -> None:
    """Write a record's values back into ``state``."""
    for name, value in _items(state):
        if is_dataclass(value):
            from_record(record[name], value)
        else:
            setattr(state, name, record[name].tolist())


def save(state: Any) -> dict[str, Any]:
    """The state as JSON values. Floats are spelled in hexadecimal: exact, NaN and -0.0 included, in any store."""
    return {name: _saved(value) for name, value in _items(state)}


def _saved(value: Any) -> Any:
    if is_dataclass(value):
        return save(value)
    if isinstance(value, list):
        return [item.hex() for item in value]
    return value.hex() if isinstance(value, float) else value


def load(state: Any, saved: dict[str, Any]) -> None:
    """Put what ``save`` gave into a fresh ``state``; raises ValueError where the shapes differ."""
    names = {name for name, _ in _items(state)}
    if names != saved.keys():
        raise ValueError(f"the saved state has other fields: {sorted(names ^ saved.keys())}")
    for name, value in _items(state):
        there = saved[name]
        if is_dataclass(value):
            load(value, there)
        elif isinstance(value, list):
            if len(there) != len(value):
                raise ValueError(f"{name} was saved with {len(there)} values, not {len(value)}")
            setattr(state, name, [float.fromhex(item) for item in there])
        else:
            setattr(state, name, float.fromhex(there) if isinstance(value, float) else type(value)(there))


def _items(state: Any) -> Iterator[tuple[str, Any]]:
    kind: Any = type(state)
    for name in _names(kind):
        yield name, getattr(state, name)


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    """Asked for each set of parameters that a search tries."""
    return tuple(field.name for field in fields(kind))


# ── compilation ─────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def compiled(function: Step, *, on_disk: bool = False) -> Step:
    """``function`` under numba, with the plain functions that it and they name. Compiles on the first call.

    ``on_disk`` keeps the machine code for the next process. Only for a function that names none of another file, or
    whose file is named by the hash of all that it names: numba looks at the one file alone to see whether what it kept
    is still true. It lets go of Python's lock while it runs, so threads run compiled functions side by side.
    """
    load_numba()
    from numba import njit

    for helper in named_functions(function):
        _make_callable(helper)
    try:
        compiled_function: Step = njit(cache=on_disk, nogil=True)(function)
    except RuntimeError:  # numba found no folder that it may write to: compile anew in each process
        compiled_function = njit(nogil=True)(function)
    return compiled_function


@cache
def _make_callable(function: FunctionType) -> None:
    """Let compiled code call a plain function by its name."""
    from numba.extending import register_jitable

    register_jitable(function)


def named_functions(function: Any, known: set[Any] | None = None) -> set[Any]:
    """The plain functions that ``function`` calls by name, and those that they call."""
    known = set() if known is None else known
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and value not in known:
            known.add(value)
            named_functions(value, known)
    return known


# ── steps over arrays ───────────────────────────────────────────────────────────────────────────────────────────


def over_arrays(step: Step, state: Any, columns: Sequence[Column], width: int = 1, *, compiled: bool = True) -> Floats:
    """``step(state, *values)`` over columns of shape (n,); shape (``width``, n), a row for each result of the step.

    Uncompiled, ``state`` goes on from where it is and keeps what it came to; compiled, it is left as it was.
    """
    lengths = {len(column) for column in columns}
    if len(lengths) != 1:
        raise ValueError("the columns differ in length")
    out = np.empty((width, lengths.pop()))
    if compiled:
        _loop(step, len(columns), width)(to_record(state), *columns, out)
    else:
        for i, values in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            out[:, i] = step(state, *values)
    return out


@cache
def _loop(step: Step, inputs: int, width: int) -> Step:
    """The loop over ``inputs`` columns, compiled. Written out as text: numba wants every argument spelled."""
    names = [f"column_{k}" for k in range(inputs)]
    values = ", ".join(f"{name}[i]" for name in names)
    store = ["out[0, i] = result"] if width == 1 else [f"out[{k}, i] = result[{k}]" for k in range(width)]
    lines = [
        f"def loop(state, {', '.join(names)}, out):",
        f"    for i in range(len({names[0]})):",
        f"        result = step(state, {values})",
        *(f"        {line}" for line in store),
    ]
    scope: dict[str, Any] = {"step": compiled(step)}
    exec("\n".join(lines), scope)  # noqa: S102 - of nothing but the numbers above
    return compiled(scope["loop"])

"""What can be wrong with a table of candles, and the repairs that a caller may choose.

Invariant: without a chosen repair nothing is changed: every fault found is told in one refusal, each with its first
row and the repair that would mend it. With one, what it changed is listed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core.kernels import Floats


class Repair(StrEnum):
    NONE = "none"
    DROP_INVALID = "drop_invalid"
    """Leave out rows that cannot be candles: no number, a price not above zero, a range that does not hold."""
    SORT = "sort"
    """Put rows into the order of time."""
    DROP_DUPLICATES = "drop_duplicates"
    """Of rows of the same time keep the first."""
    FORWARD_FILL = "forward_fill"
    """Fill holes with candles at the close before them and no volume."""
    KEEP_HOLES = "keep_holes"
    """Take holes for what they are: the market was closed, or nothing was traded."""


_LATEST_MS = 10**13
"""The year 2286: what is later is in microseconds or nanoseconds."""
_MOST_FILLED = 100
"""Candles that may be filled in for each one that is there; more is a wrong time stamp, not a hole."""


@dataclass(frozen=True, slots=True)
class Problem:
    fault: str
    count: int
    """Rows concerned; of holes, candles missing."""
    first_row: int
    first_time_ms: int | None
    repair: Repair | None
    """What would mend it; None where nothing here does."""
    repaired: bool

    def __str__(self) -> str:
        when = "" if self.first_time_ms is None else f" ({from_ms(self.first_time_ms):%Y-%m-%d %H:%M:%S})"
        more = f" ({self.count} rows in all)" if self.count > 1 else ""
        return f"row {self.first_row}{when}: {self.fault}{more}"


@dataclass(frozen=True, slots=True)
class DataReport:
    """What was read, and what was wrong with it. All of it has been mended: the rest is refused."""

    path: str
    rows: int
    bars: int
    timeframe: Timeframe | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """``values`` has the shape (n, 6): time in milliseconds, open, high, low, close, volume."""

    values: Floats
    rows: NDArray[np.int64]
    """Of each candle, its row in the file."""
    unreadable: dict[int, str]
    """By index, why a candle has a NaN."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def time(self) -> Floats:
        return self.values[:, 0]

    @property
    def prices(self) -> tuple[Floats, Floats, Floats, Floats]:
        columns = np.ascontiguousarray(self.values[:, 1:5].T)
        return columns[0], columns[1], columns[2], columns[3]

    @property
    def volume(self) -> Floats:
        return np.ascontiguousarray(self.values[:, 5])

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Table":
        return Table(self.values[chosen], self.rows[chosen], {})


def repairs_of(chosen: str | Iterable[str]) -> frozenset[Repair]:
    """Raises Refused where a repair is unknown or two exclude each other."""
    names = chosen.split(",") if isinstance(chosen, str) else list(chosen)
    try:
        repairs = frozenset(Repair(name.strip()) for name in names) - {Repair.NONE}
    except ValueError as error:
        raise Refused("repair_unknown", f"{error}; there are: {', '.join(Repair)}") from error
    if repairs >= {Repair.FORWARD_FILL, Repair.KEEP_HOLES}:
        raise Refused("repairs_exclude", "holes can be filled or kept, not both")
    return repairs


def clean_order(table: Table, repairs: frozenset[Repair]) -> tuple[Table, tuple[Problem, ...]]:
    """Possible candles in the order of time; raises Refused on what ``repairs`` do not mend."""
    cleaned, problems = _ordered(table, repairs)
    _refuse_unrepaired(problems)
    return cleaned, tuple(problems)


def clean(
    table: Table, timeframe: Timeframe | None, repairs: frozenset[Repair]
) -> tuple[Table, Timeframe, tuple[Problem, ...]]:
    """The same, every candle at the start of an interval of one timeframe and none missing."""
    cleaned, problems = _ordered(table, repairs)
    if timeframe is None:
        _refuse_unrepaired([problem for problem in problems if problem.repair is None])
        timeframe = _usual(cleaned, problems)
    step = timeframe.seconds * 1000
    off = cleaned.time % step != 0
    if off.any():
        problems.append(_problem(f"the time is not the start of a candle of {timeframe}", off, cleaned))
    else:
        cleaned = _without_holes(cleaned, step, repairs, problems)
    _refuse_unrepaired(problems)
    if not len(cleaned):
        raise Refused("candles_missing", "no candle is left after the repair")
    return cleaned, timeframe, tuple(problems)


def _ordered(table: Table, repairs: frozenset[Repair]) -> tuple[Table, list[Problem]]:
    problems: list[Problem] = []
    time_ok = _time_ok(table, problems)
    invalid = np.zeros(len(table), dtype=bool)
    dropping = Repair.DROP_INVALID in repairs
    for fault, where in _faults(table).items():
        where &= ~invalid
        invalid |= where
        if where.any():
            said = table.unreadable.get(int(where.argmax()), fault)
            problems.append(_problem(said, where, table, Repair.DROP_INVALID, repaired=dropping))
    # Rows that stay refused still show whether the times around them are in order.
    table = table.only(~invalid if dropping else time_ok)
    back = np.concatenate((np.zeros(min(len(table), 1), dtype=bool), np.diff(table.time) < 0))
    if back.any():
        problems.append(
            _problem("the time goes back", back, table, Repair.SORT, repaired=Repair.SORT in repairs),
        )
        table = table.only(np.argsort(table.time, kind="stable"))
    again = np.concatenate((np.zeros(min(len(table), 1), dtype=bool), np.diff(table.time) == 0))
    if again.any():
        repaired = Repair.DROP_DUPLICATES in repairs
        problems.append(_problem("the time was there before", again, table, Repair.DROP_DUPLICATES, repaired=repaired))
        table = table.only(~again)
    return table, problems


def _time_ok(table: Table, problems: list[Problem]) -> NDArray[np.bool_]:
    time_ok = np.isfinite(table.time)
    late = time_ok & (np.abs(table.time) > _LATEST_MS)
    if late.any():
        problems.append(_problem("the time is in microseconds or nanoseconds, not in milliseconds", late, table))
    return time_ok & ~late


def _faults(table: Table) -> dict[str, NDArray[np.bool_]]:
    time, volume = table.time, table.values[:, 5]
    open_, high, low, close = table.prices
    with np.errstate(invalid="ignore"):
        return {
            "the time is not a whole number of milliseconds": ~(np.isfinite(time) & (time == np.floor(time))),
            **{
                f"{name} is not a number above zero": ~(np.isfinite(price) & (price > 0))
                for name, price in (("open", open_), ("high", high), ("low", low), ("close", close))
            },
            "volume is not a number of zero or above": ~(np.isfinite(volume) & (volume >= 0)),
            "high and low do not contain open and close": (high < np.maximum(open_, close))
            | (low > np.minimum(open_, close))
            | (high < low),
        }


def _usual(table: Table, problems: list[Problem]) -> Timeframe:
    """The timeframe whose length is the usual distance between two candles."""
    distances, counts = np.unique(np.diff(table.time), return_counts=True)
    if not len(distances):
        _refuse_unrepaired(problems)
        raise Refused("timeframe_unknown", "one candle does not tell its timeframe: name it")
    usual = float(distances[counts.argmax()]) / 1000
    for timeframe in Timeframe:
        if timeframe.seconds == usual:
            return timeframe
    raise Refused(
        "timeframe_unknown",
        f"candles are usually {usual:g} s apart: that is none of {', '.join(Timeframe)}"
        + ("; are the times in seconds?" if usual * 1000 in {each.seconds for each in Timeframe} else ""),
    )


def _without_holes(table: Table, step: int, repairs: frozenset[Repair], problems: list[Problem]) -> Table:
    missing = np.concatenate((np.zeros(min(len(table), 1)), np.diff(table.time) // step - 1))
    before = missing > 0
    if not before.any():
        return table
    filling = Repair.FORWARD_FILL in repairs
    first = int(before.argmax())
    absent = int(missing.sum())
    holes = int(before.sum())
    fault = (
        f"{absent} candles are missing in {holes} holes, the first" if holes > 1 else f"{absent} candles are missing"
    )
    problems.append(
        Problem(
            f"{fault} before this row",
            1,
            int(table.rows[first]),
            int(table.time[first]),
            Repair.FORWARD_FILL if filling or Repair.KEEP_HOLES not in repairs else Repair.KEEP_HOLES,
            filling or Repair.KEEP_HOLES in repairs,
        )
    )
    if not filling:
        return table
    if absent > _MOST_FILLED * len(table):
        raise Refused("hole_too_large", f"{problems[-1]}: too many to fill; is a time wrong?")
    return _filled(table, step)


def _filled(table: Table, step: int) -> Table:
    time = np.arange(table.time[0], table.time[-1] + step, step)
    source = np.searchsorted(table.time, time, side="right") - 1
    values = table.values[source]
    new = time != values[:, 0]
    values[:, 0] = time
    values[new, 1:4] = values[new, 4:5]
    values[new, 5] = 0.0
    return Table(values, table.rows[source], {})


def _problem(
    fault: str, where: NDArray[np.bool_], table: Table, repair: Repair | None = None, *, repaired: bool = False
) -> Problem:
    first = int(where.argmax())
    time = table.time[first]
    known = bool(np.isfinite(time)) and abs(time) <= _LATEST_MS
    return Problem(fault, int(where.sum()), int(table.rows[first]), int(time) if known else None, repair, repaired)


def _refuse_unrepaired(problems: list[Problem]) -> None:
    left = [problem for problem in problems if not problem.repaired]
    if not left:
        return
    told = "; ".join(str(problem) for problem in left)
    repairs = list(dict.fromkeys(problem.repair for problem in left if problem.repair is not None))
    if Repair.FORWARD_FILL in repairs:
        repairs.append(Repair.KEEP_HOLES)
    advice = f"; repairs: {', '.join(repairs)}" if len(repairs) else ""
    raise Refused("candles_invalid", told + advice)

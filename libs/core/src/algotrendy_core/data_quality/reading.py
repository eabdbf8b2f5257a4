"""Price histories out of CSV files as vendors and venues write them.

Invariant: every row of the file is in the history or among those it could not be put in, with its text as it was; a
cell that is no number becomes NaN, for ``rows`` to judge.
"""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from algotrendy_common.errors import Refused

from algotrendy_core.data_quality.findings import Fault, Finding
from algotrendy_core.data_quality.history import PriceHistory
from algotrendy_core.kernels import Floats

_TIME = ("timestamp_ms", "open_time", "timestamp", "time", "datetime", "date", "ts")
_MOST_MS = 4_102_444_800_000
"""The year 2100."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    history: PriceHistory
    header: str
    lines: dict[int, str]
    """Every row as it is in the file, by its number; the header is 1."""
    unread: dict[int, Finding]
    """Rows without a time."""


def read_history(path: Path) -> ReadFile:
    """Raises Refused where the file has no rows or lacks a column that it must have."""
    try:
        return parse_history(path.read_text(encoding="utf-8-sig").splitlines(), str(path))
    except UnicodeDecodeError as error:
        raise Refused("history_unreadable", f"{path} is no text: {error}") from error


def parse_history(text: list[str], path: str) -> ReadFile:
    """The same of lines, the first being the header; ``path`` is for telling where they are from."""
    rows = list(csv.reader(text))
    if len(rows) < 2:
        raise Refused("history_empty", f"{path} has no rows below a header")
    names = [name.strip().lower().replace(" ", "_") for name in rows[0]]
    time_column = next((names.index(name) for name in _TIME if name in names), None)
    lacking = [name for name in ("open", "high", "low", "close") if name not in names]
    if time_column is None or lacking:
        wanted = ", ".join(([] if time_column is not None else ["a time"]) + lacking)
        raise Refused("history_header", f"row 1 of {path}: no column of {wanted}; there are: {', '.join(names)}")
    kept: list[int] = []
    times: list[int] = []
    unread: dict[int, Finding] = {}
    for number, cells in enumerate(rows[1:], start=2):
        if not cells:
            continue
        time = _time(cells[time_column].strip()) if time_column < len(cells) else None
        if time is None:
            unread[number] = Finding(Fault.UNREADABLE, number, None, f"no time: {','.join(cells)[:60]!r}")
        else:
            kept.append(number)
            times.append(time)

    def column(*known: str) -> Floats | None:
        place = next((names.index(name) for name in known if name in names), None)
        return None if place is None else np.array([_number(rows[row - 1], place) for row in kept])

    volume = column("volume")
    prices = [column(name) for name in ("open", "high", "low", "close")]
    open_, high, low, close = (price for price in prices if price is not None)
    history = PriceHistory(
        np.array(times, dtype=np.int64), open_, high, low, close,
        np.zeros(len(kept)) if volume is None else volume,
        np.array(kept, dtype=np.int64),
        adjusted=column("adj_close", "adjusted_close", "adjclose"),
        dividends=column("dividends", "dividend", "divcash"),
        splits=column("stock_splits", "splits", "splitfactor"),
    )  # fmt: skip
    return ReadFile(history, text[0], dict(enumerate(text, start=1)), unread)


def _number(cells: list[str], place: int) -> float:
    try:
        return float(cells[place])
    except (ValueError, IndexError):
        return float("nan")


def _time(text: str) -> int | None:
    """Milliseconds since the epoch, of a number (s, ms, us, ns by its size) or an ISO time (UTC without zone)."""
    try:
        number = float(text)
    except ValueError:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            return None
        return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    if not np.isfinite(number) or number <= 0:
        return None
    if number * 1000 <= _MOST_MS:
        return round(number * 1000)
    while number > _MOST_MS:
        number /= 1000
    return round(number)

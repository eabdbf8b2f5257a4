"""Candles from a plain CSV file: ``timestamp_ms,open,high,low,close,volume``, further columns ignored.

Invariant: nothing is mended silently. Each fault of the data is named with its row and refused, or mended by a repair
that the caller chose and listed in the report. Rows are numbered as an editor numbers them: the header is row 1.
"""

import csv
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core.backtest.data_quality import DataReport, Repair, Table, clean, clean_order, repairs_of
from algotrendy_core.backtest.quick_csv import read_numbers
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.kernels import Floats

COLUMNS = ("timestamp_ms", "open", "high", "low", "close", "volume")


class CandleColumns(NamedTuple):
    """Candles of no certain timeframe: arrays of shape (n,), ``time`` in milliseconds since the epoch."""

    time: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def read_candles(
    path: Path | str, timeframe: Timeframe | None = None, repair: str | Iterable[str] = Repair.NONE
) -> BarSeries:
    """The candles of a file, ready to run on. See ``load_candles``."""
    return load_candles(path, timeframe, repair)[0]


def load_candles(
    path: Path | str, timeframe: Timeframe | None = None, repair: str | Iterable[str] = Repair.NONE
) -> tuple[BarSeries, DataReport]:
    """The candles of a file and what was found wrong and mended.

    ``timeframe`` None: the usual distance between two rows. ``repair``: one or several of ``Repair``, as texts or
    joined by commas. Raises Refused, with the row, on whatever the chosen repairs do not mend.
    """
    table = _read(Path(path))
    cleaned, timeframe, problems = clean(table, timeframe, repairs_of(repair))
    report = DataReport(str(path), len(table), len(cleaned), timeframe, problems)
    return BarSeries(timeframe, cleaned.time.astype(np.int64), *cleaned.prices, cleaned.volume), report


def read_columns(path: Path | str, repair: str | Iterable[str] = Repair.NONE) -> tuple[CandleColumns, DataReport]:
    """The same for whoever needs no timeframe: any distance between two rows will do, so holes are no fault."""
    table = _read(Path(path))
    cleaned, problems = clean_order(table, repairs_of(repair))
    report = DataReport(str(path), len(table), len(cleaned), None, problems)
    return CandleColumns(cleaned.time.astype(np.int64), *cleaned.prices, cleaned.volume), report


# ── parsing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(path: Path) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
        places = _places(header)
        values = read_numbers(path, places, len(header))
        table = _read_at_once(path, places) if values is None else _table(values)
        if values is None and _has_empty_lines(path, len(table)):
            table = _read_row_by_row(path, places)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refused("candles_unreadable", f"cannot read {path}: {error}") from error
    except ValueError:  # a cell is no number, or missing: find out which
        table = _read_row_by_row(path, places)
    if not len(table):
        raise Refused("candles_missing", f"{path} has a header and no candles")
    return table


def _read_at_once(path: Path, places: list[int]) -> Table:
    """Quick; raises ValueError where anything is not a number."""
    with warnings.catch_warnings(action="ignore"):  # numpy's, that there are no rows
        values = np.loadtxt(
            path, delimiter=",", skiprows=1, usecols=places, ndmin=2, comments=None, quotechar='"', encoding="utf-8-sig"
        )
    return _table(values.reshape(-1, len(COLUMNS)))


def _table(values: Floats) -> Table:
    return Table(values, np.arange(2, len(values) + 2), {})


def _places(header: list[str]) -> list[int]:
    names = [name.strip().lower() for name in header]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise Refused(
            "candles_header",
            f"row 1: the header must name {','.join(COLUMNS)}; missing: {', '.join(missing)}",
            found=",".join(header),
        )
    return [names.index(name) for name in COLUMNS]


def _has_empty_lines(path: Path, rows: int) -> bool:
    """Empty lines that would shift the numbers of the rows; those after the last candle do not."""
    with path.open("rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    return lines > rows + 1


def _read_row_by_row(path: Path, places: list[int]) -> Table:
    values: list[list[float]] = []
    rows: list[int] = []
    unreadable: dict[int, str] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for cells in reader:
            if not cells:
                continue
            numbers, why = _numbers(cells, places)
            if why:
                unreadable[len(values)] = why
            values.append(numbers)
            rows.append(reader.line_num)
    return Table(np.array(values).reshape(-1, len(COLUMNS)), np.array(rows, dtype=np.int64), unreadable)


def _numbers(cells: list[str], places: list[int]) -> tuple[list[float], str]:
    """What of a row is a number, NaN for the rest, and why."""
    numbers, why = [], ""
    for name, place in zip(COLUMNS, places, strict=True):
        text = cells[place].strip() if place < len(cells) else None
        try:
            numbers.append(float("nan" if text is None else text))
        except ValueError:
            numbers.append(float("nan"))
        if text is None or numbers[-1] != numbers[-1]:
            why = why or (f"{name} is missing" if not text else f"{name} is not a number: {text!r}")
    return numbers, why

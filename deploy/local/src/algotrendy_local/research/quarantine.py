"""Rows set aside: a file of them with the reasons, and the way back.

Invariant: a row set aside is in the file exactly as it was read, under its file's header; putting it back marks it, so
it is put back once.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from algotrendy_common.errors import Refused
from algotrendy_core.data_quality.findings import Finding
from algotrendy_core.data_quality.history import PriceHistory
from algotrendy_core.data_quality.reading import ReadFile, parse_history, read_history
from pydantic import BaseModel, ConfigDict, ValidationError

_NAMES = {
    "time": "timestamp_ms", "open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume",
    "adjusted": "adj_close", "dividends": "dividends", "splits": "stock_splits",
}  # fmt: skip


class SetAside(BaseModel):
    model_config = ConfigDict(extra="forbid")

    file: str
    row: int
    fault: str
    reason: str
    header: str
    line: str
    restored: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    rows: tuple[int, ...]
    left: int


def write_quarantine(path: Path, source: Path, read: ReadFile, aside: Mapping[int, Finding]) -> None:
    entries = (
        SetAside(
            file=source.name, row=row, fault=finding.fault, reason=finding.detail,
            header=read.header, line=read.lines[row],
        )
        for row, finding in sorted(aside.items())
    )  # fmt: skip
    path.write_text("".join(f"{entry.model_dump_json()}\n" for entry in entries))


def write_clean(path: Path, history: PriceHistory) -> None:
    path.write_text(_as_csv(history))


def restore(quarantine: Path, clean: Path, rows: Iterable[int] | None) -> Restored:
    """Put rows back into ``clean``, all where ``rows`` is None; raises Refused where one of them is not there."""
    entries = _entries(quarantine)
    there = {entry.row: entry for entry in entries if not entry.restored}
    wanted = sorted(there if rows is None else set(rows))
    unknown = [row for row in wanted if row not in there]
    if unknown:
        raise Refused("not_set_aside", f"{quarantine} has no row {unknown[0]} that could be put back")
    if wanted:
        history = _joined(read_history(clean).history, [_history(there[row]) for row in wanted])
        write_clean(clean, history)
        marked = (entry.model_copy(update={"restored": entry.restored or entry.row in wanted}) for entry in entries)
        quarantine.write_text("".join(f"{entry.model_dump_json()}\n" for entry in marked))
    return Restored(tuple(wanted), len(there) - len(wanted))


def _entries(path: Path) -> list[SetAside]:
    entries = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            entries.append(SetAside.model_validate_json(line))
        except ValidationError as error:
            raise Refused("quarantine_unreadable", f"line {number} of {path} is none of a quarantine") from error
    return entries


def _history(entry: SetAside) -> PriceHistory:
    """One row, as in its own file."""
    row = parse_history([entry.header, entry.line], entry.file).history
    if not len(row):
        raise Refused("row_without_time", f"row {entry.row} has no time, so there is no place for it: {entry.line}")
    return row


def _joined(history: PriceHistory, rows: list[PriceHistory]) -> PriceHistory:
    columns = {}
    for each in fields(history):
        column = getattr(history, each.name)
        if column is not None:
            parts = [getattr(row, each.name) for row in rows]
            columns[each.name] = np.concatenate(
                [column, *(np.zeros(1) if part is None else part for part in parts)]
            ).astype(column.dtype)
    joined = replace(history, **columns)
    return joined.only(np.argsort(joined.time, kind="stable"))


def _as_csv(history: PriceHistory) -> str:
    there = [name for name in _NAMES if getattr(history, name) is not None]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_NAMES[name] for name in there])
    writer.writerows(zip(*(getattr(history, name).tolist() for name in there), strict=True))
    return text.getvalue()

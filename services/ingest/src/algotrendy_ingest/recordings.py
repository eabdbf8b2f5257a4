"""Files of what went over a venue's sockets, one JSON object a line: when, what kind of thing, and its text.

Invariant: entries come in the order of their times, and those of one file in the file's own order; what is no such file
is refused with its name and the number of the line. Kinds: ``config`` (what was asked of the recorder), ``http`` (an
answer over REST), ``open`` (a socket began), ``sent`` and ``recv``.
"""

import heapq
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from algotrendy_common.errors import Refused

KINDS = ("config", "http", "open", "sent", "recv")
_BESIDE = re.compile(r"(?P<stem>.+)_ws(\.[^.]+)?\.jsonl")


@dataclass(frozen=True, slots=True)
class Entry:
    file: str
    number: int
    """Of the line in the file, from 1."""
    socket: str
    """Which of the file's sockets; a file that does not say has one."""
    time_s: Decimal
    kind: str
    url: str
    raw: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.number}"


def merged(files: Sequence[Path]) -> Iterator[Entry]:
    """All entries by time. Raises Refused with file and line where one cannot be read."""
    return heapq.merge(*map(_entries, with_snapshots(files)), key=lambda entry: entry.time_s)


def with_snapshots(files: Sequence[Path]) -> list[Path]:
    """Along with the ``NAME_http.jsonl`` beside a ``NAME_ws.1.jsonl``, which holds the books that it builds on."""
    found = list(files)
    for file in files:
        match = _BESIDE.fullmatch(file.name)
        beside = file.with_name(f"{match['stem']}_http.jsonl") if match else None
        if beside is not None and beside.exists() and beside not in found:
            found.append(beside)
    return found


def _entries(file: Path) -> Iterator[Entry]:
    time_s = Decimal(0)
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                entry = _entry(file.name, number, line, time_s)
                time_s = entry.time_s
                yield entry


def _entry(file: str, number: int, line: bytes, before_s: Decimal) -> Entry:
    def refused(why: str) -> Refused:
        return Refused("no_recording", f"{file}:{number}: {why}")

    try:
        values = json.loads(line)
    except ValueError as error:
        cut = "" if line.endswith(b"\n") else " (the file may have been cut off)"
        raise refused(f"not JSON{cut}: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("raw"), str) or values.get("kind") not in KINDS:
        raise refused(f"not a line of a recording: it needs raw and a kind of {', '.join(KINDS)}")
    # What the recorder was asked for has no time: it stands where it is written.
    said = values.get("t")
    try:
        time_s = before_s if said is None and values["kind"] == "config" else Decimal(str(said))
    except InvalidOperation:
        raise refused(f"t is no time: {said!r}") from None
    if not time_s.is_finite() or not 0 <= time_s < 253_402_300_800:
        raise refused(f"t is no time in seconds since 1970: {said!r}")
    socket, url = str(values.get("socket", "")), str(values.get("url") or "")
    return Entry(file, number, socket, time_s, values["kind"], url, values["raw"])

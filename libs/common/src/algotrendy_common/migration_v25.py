"""What an export of AlgoTrendy 2.5 is made of, and how its import is accounted for.

The export is a folder with a CSV file a hypertable, as ``COPY … TO … WITH (FORMAT csv, HEADER)`` writes it (docs of the
columns: docs/migration-from-2.5.md). Each service imports the tables it owns; all read and account as said here.
Invariant: every row of a file is accepted, repeated or rejected, and a rejected one is told with its line and why.
"""

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation, localcontext
from pathlib import Path
from typing import Protocol

from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO, plain

_VENUES = {
    "binance": "binance", "okx": "okx", "okex": "okx", "coinbase": "coinbase", "coinbasepro": "coinbase",
    "kraken": "kraken", "bybit": "bybit", "cryptocom": "cryptocom", "crypto.com": "cryptocom",
}  # fmt: skip
_PAIR = re.compile(r"^([A-Z0-9]{2,12})/([A-Z0-9]{2,12})(?::([A-Z0-9]{2,12}))?$")
_MOST_DIGITS, _MOST_DECIMALS = 38, 18


class Unacceptable(ValueError):
    """A row cannot be imported; the text says why."""


@dataclass(frozen=True, slots=True)
class Rejected:
    line: int
    """Of the file, the header being line 1."""
    reason: str
    text: str
    """The row as it is in the file, cut where it is long."""


class Imported(Protocol):
    """A row as its new table takes it."""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it one row in the new table."""
        ...

    @property
    def values(self) -> tuple[str, ...]:
        """The rest of it, each as text that is the same for the same value."""
        ...

    @property
    def sums(self) -> dict[str, Decimal]:
        """What is added up over all rows, to be compared before and after."""
        ...


@dataclass(slots=True)
class TableRead[T: Imported]:
    """A file, sorted into what can be imported and what cannot."""

    table: str
    rows: int = 0
    accepted: list[T] = field(default_factory=list)
    repeated: int = 0
    """Rows that are in the file already, word for word."""
    rejected: list[Rejected] = field(default_factory=list)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    """Of each key the line it is in."""

    def contradicted_by(self, kept: Iterable[T]) -> list[Rejected]:
        """Take those out of the accepted for which the new table has other values; they are told as rejected."""
        others = {row.key: row.values for row in kept}
        contradicted = [row for row in self.accepted if others.get(row.key, row.values) != row.values]
        gone = {row.key for row in contradicted}
        self.accepted = [row for row in self.accepted if row.key not in gone]
        return [
            self.reject(row, f"there already, with other values: {' '.join(others[row.key])}") for row in contradicted
        ]

    def reject(self, row: T, reason: str) -> Rejected:
        return Rejected(self.lines[row.key], reason, ",".join((*row.key, *row.values)))


@dataclass(frozen=True, slots=True)
class TableResult:
    """``rows`` = ``accepted`` + ``repeated`` + rejected; ``accepted`` = ``there`` + ``written``, but for a dry run."""

    table: str
    into: str
    rows: int
    accepted: int
    repeated: int
    rejected: tuple[Rejected, ...]
    there: int
    """Accepted rows that the new table had before."""
    written: int
    """0 in a dry run."""
    sums: dict[str, Decimal]
    checksum: str
    """Of the accepted rows."""
    kept_checksum: str | None
    """The same of the rows read back from the new table; None in a dry run."""
    kept_sums: dict[str, Decimal] | None

    @property
    def verified(self) -> bool | None:
        """Whether the new table holds exactly what was accepted; None in a dry run."""
        if self.kept_checksum is None:
            return None
        return (self.checksum, self.sums) == (self.kept_checksum, self.kept_sums)


def read_table[T: Imported](
    path: Path, table: str, columns: Sequence[str], row_of: Callable[[dict[str, str]], T]
) -> TableRead[T]:
    """Raises Refused where the file is none of this table; what is wrong with a row rejects that row alone."""
    read: TableRead[T] = TableRead(table)
    first: dict[tuple[str, ...], tuple[int, tuple[str, ...]]] = {}
    for line, cells in _lines(path, columns):
        read.rows += 1
        text = ",".join(cells)[:120]
        try:
            if len(cells) != len(columns):
                raise Unacceptable(f"{len(cells)} columns, not {len(columns)}")
            row = row_of(dict(zip(columns, cells, strict=True)))
            known = first.setdefault(row.key, (line, row.values))
            if known[0] != line:
                if known[1] != row.values:
                    raise Unacceptable(f"line {known[0]} is the same {table.removesuffix('s')} and says otherwise")
                read.repeated += 1
                continue
        except Unacceptable as reason:
            read.rejected.append(Rejected(line, str(reason), text))
        else:
            read.accepted.append(row)
            read.lines[row.key] = line
    return read


def _lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    try:
        # A byte that is no text must not stop the rows around it; it makes its own row unreadable.
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(line.replace("\0", "�") for line in file)
            header = next(reader, [])
            if header != list(columns):
                raise Refused(
                    "export_header", f"{path}: the columns are {','.join(header) or 'none'}, not {','.join(columns)}"
                )
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except FileNotFoundError as error:
        raise Refused("export_missing", f"the export has no {path.name} in {path.parent}") from error
    except csv.Error as error:
        raise Refused("export_unreadable", f"{path}: {error}") from error


def result_of[T: Imported](
    read: TableRead[T],
    into: str,
    before: Iterable[T],
    after: Iterable[T] | None,
    contradicted: Sequence[Rejected] = (),
) -> TableResult:
    """``before`` and ``after``: those of the accepted rows that the new table had, and has; None after a dry run."""
    accepted = {row.key for row in read.accepted}
    had = {row.key for row in before} & accepted
    kept = None if after is None else [row for row in after if row.key in accepted]
    return TableResult(
        table=read.table,
        into=into,
        rows=read.rows,
        accepted=len(read.accepted),
        repeated=read.repeated,
        rejected=tuple(sorted((*read.rejected, *contradicted), key=lambda each: each.line)),
        there=len(had),
        written=0 if kept is None else sum(row.key not in had for row in kept),
        sums=sums_of(read.accepted),
        checksum=checksum_of(read.accepted),
        kept_checksum=None if kept is None else checksum_of(kept),
        kept_sums=None if kept is None else sums_of(kept),
    )


def checksum_of(rows: Iterable[Imported]) -> str:
    """SHA-256 over keys and values, in the order of keys: the same for the same rows, wherever they were read."""
    digest = hashlib.sha256()
    for line in sorted("\x1f".join((*row.key, "\x1e", *row.values)) for row in rows):
        digest.update(line.encode())
        digest.update(b"\n")
    return digest.hexdigest()


def sums_of(rows: Iterable[Imported]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    with localcontext(prec=100):  # nothing is rounded, so the order of adding does not show
        for row in rows:
            for name, value in row.sums.items():
                totals[name] = totals.get(name, ZERO) + value
    return totals


# -- cells -----------------------------------------------------------------------------------------------------------


def time_of(text: str, name: str = "time") -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Unacceptable(f"{name} is no time: {text!r}") from None
    if time.tzinfo is None:
        raise Unacceptable(f"{name} has no time zone: {text!r}")
    return time.astimezone(UTC)


def number_of(text: str, name: str, *, least: Decimal | None = None, above: Decimal | None = None) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Unacceptable(f"{name} is no number: {text!r}") from None
    if not value.is_finite():
        raise Unacceptable(f"{name} is no number: {text!r}")
    if least is not None and value < least:
        raise Unacceptable(f"{name} is below {least}: {text}")
    if above is not None and value <= above:
        raise Unacceptable(f"{name} is not above {above}: {text}")
    digits = plain(abs(value)).replace(".", "").lstrip("0")
    if len(digits) > _MOST_DIGITS or len(plain(value).partition(".")[2]) > _MOST_DECIMALS:
        raise Unacceptable(f"{name} has more digits than can be kept: {text}")
    return value


def optional_number(text: str, name: str, *, least: Decimal | None = None) -> Decimal | None:
    """NULL is an empty cell."""
    return number_of(text, name, least=least) if text else None


def choice_of(text: str, name: str, known: Sequence[str]) -> str:
    if text.lower() not in known:
        raise Unacceptable(f"{name} is none of {', '.join(known)}: {text!r}")
    return text.lower()


def venue_of(text: str) -> str:
    """``okex`` and ``coinbasepro`` are what 2.5 called two venues."""
    venue = _VENUES.get(text.lower())
    if venue is None:
        raise Unacceptable(f"exchange is none of {', '.join(sorted(set(_VENUES.values())))}: {text!r}")
    return venue


def symbol_of(text: str) -> str:
    """``BTC/USDT`` is spot; ``BTC/USDT:USDT`` a perpetual settled in its quote currency."""
    found = _PAIR.match(text)
    if found is None:
        raise Unacceptable(f"symbol is no pair such as BTC/USDT: {text!r}")
    base, quote, settle = found.groups()
    if settle not in (None, quote):
        raise Unacceptable(f"symbol is settled in {settle}, not in {quote}: {text!r}")
    return f"{base}-{quote}" + ("-PERP" if settle else "")


def text_of(value: Decimal | None) -> str:
    """A number as the same text wherever it came from."""
    return "" if value is None else plain(value)

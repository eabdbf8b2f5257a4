"""Candles and trades in Parquet files, each named by the hash of its content.

Invariant: a file is there whole or not at all, and one whose content is not what its name says is never read. Numbers
are decimals of the store's own width, so nothing is lost on the way out and in again.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused

_NUMBER = pa.decimal128(38, 18)
_TIME = pa.timestamp("us", tz="UTC")
_ROWS_AT_ONCE = 10_000
_HASH_DIGITS = 16

CANDLES = pa.schema(
    [
        ("ts", _TIME),
        *((name, _NUMBER) for name in ("open", "high", "low", "close", "volume")),
        ("trade_count", pa.int64()),
    ]
)
TRADES = pa.schema(
    [
        ("ts", _TIME),
        ("trade_id", pa.string()),
        ("side", pa.string()),
        ("price", _NUMBER),
        ("quantity", _NUMBER),
        ("received", _TIME),
    ]
)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: candles of a timeframe, or trades where there is none."""

    venue: str
    symbol: str
    timeframe: Timeframe | None

    @property
    def schema(self) -> pa.Schema:
        return TRADES if self.timeframe is None else CANDLES

    @property
    def label(self) -> str:
        return f"{self.venue}_{self.symbol}_{self.timeframe.value if self.timeframe else 'trades'}"


@dataclass(frozen=True, slots=True)
class Written:
    path: Path
    rows: int


class Target:
    """A file as it is written: ``with Target(…) as target``, then ``add`` and, once, ``finish``. Raises OSError."""

    def __init__(self, folder: Path, content: Content) -> None:
        self._folder = folder
        self._content = content
        self._schema = content.schema.with_metadata(_metadata(content))
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._rows = 0

    def __enter__(self) -> "Target":
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=f".{self._content.label}_", suffix=".part")
        os.close(handle)
        self._part = Path(name)
        self._writer = pq.ParquetWriter(self._part, self._schema, compression="zstd")
        return self

    def __exit__(self, *raised: object) -> None:
        with suppress(OSError, pa.ArrowException):  # of a disk that is full, which was told already
            self._writer.close()
        with suppress(FileNotFoundError):
            self._part.unlink()

    def add(self, page: Sequence[tuple[Any, ...]]) -> None:
        """Rows in the order of the schema's columns, oldest first."""
        if not page:
            return
        columns = zip(zip(*page, strict=True), self._schema, strict=True)
        arrays = [pa.array(column, type=field.type) for column, field in columns]
        with self._as_os_error():
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._first, self._last = self._first or page[0][0], page[-1][0]
        self._rows += len(page)

    def finish(self) -> Written | None:
        """The file under its name; None where no row came."""
        if self._first is None or self._last is None:
            return None
        with self._as_os_error():
            self._writer.close()
        name = f"{self._content.label}_{self._first:%Y%m%d}-{self._last:%Y%m%d}_{_hash(self._part)}.parquet"
        self._part.chmod(0o644)
        return Written(self._part.replace(self._folder / name), self._rows)

    @contextmanager
    def _as_os_error(self) -> Iterator[None]:
        try:
            yield
        except pa.ArrowException as error:
            raise OSError(f"cannot write to {self._folder}: {error}") from error


def content_of(path: Path) -> Content:
    """Raises Refused where the file is none of ours, or not what it was when it was written."""
    try:
        found = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise Refused("not_parquet", f"cannot read {path}: {str(error).splitlines()[0]}") from error
    told = {key.decode(): value.decode() for key, value in (found.metadata or {}).items()}
    try:
        timeframe = Timeframe(told["timeframe"]) if told["timeframe"] else None
        content = Content(told["venue"], told["symbol"], timeframe)
    except (KeyError, ValueError) as error:
        raise Refused("not_ours", f"{path} was not written by this command: {error}") from error
    if not found.equals(content.schema, check_metadata=False):
        raise Refused("not_ours", f"{path} has other columns than this version writes")
    if path.stem.rpartition("_")[2] != _hash(path):
        raise Refused("file_altered", f"{path} is not what its name says: its content was changed, or it was renamed")
    return content


def pages_of(path: Path) -> Iterator[list[dict[str, Any]]]:
    """Rows by the names of their columns; raises Refused."""
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                yield batch.to_pylist()
    except pa.ArrowException as error:
        raise Refused("not_parquet", f"cannot read {path}: {str(error).splitlines()[0]}") from error


def _metadata(content: Content) -> dict[str, str]:
    timeframe = content.timeframe.value if content.timeframe else ""
    return {"venue": content.venue, "symbol": content.symbol, "timeframe": timeframe}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_HASH_DIGITS]

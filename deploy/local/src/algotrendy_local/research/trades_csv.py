"""Trades from a plain CSV file: a time, a price and a quantity a row, under the names that exchanges give them.

Invariant: a time's unit is never taken for another. The column's name tells it (``timestamp_ms``), or the caller; a
plain ``timestamp`` is told by its size, as seconds, milli-, micro- and nanoseconds of this century do not overlap.
Times are exact to the microsecond; finer ones are cut, which moves no trade into another candle.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from algotrendy_common.errors import Refused

TIME_NAMES = ("timestamp_ms", "timestamp_us", "timestamp_ns", "timestamp_s", "timestamp", "time", "datetime", "date")
PRICE_NAMES = ("price",)
QUANTITY_NAMES = ("quantity", "qty", "amount", "size", "volume")
ID_NAMES = ("trade_id", "id")

MICROSECONDS = {"s": Decimal(1_000_000), "ms": Decimal(1_000), "us": Decimal(1), "ns": Decimal("0.001")}
_UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = Decimal(4_102_444_800_000_000)
"""The year 2100, in microseconds."""
_EARLIEST = Decimal(946_684_800_000_000)
"""The year 2000. What lies before it in one unit lies within the century in the next finer one."""


@dataclass(frozen=True, slots=True)
class RecordedTrade:
    row: int
    """In the file, the header being row 1."""
    time: datetime
    price: Decimal
    quantity: Decimal
    id: str
    """Empty where the file has none."""


@dataclass(frozen=True, slots=True)
class _Places:
    time: int
    price: int
    quantity: int
    id: int | None
    unit: str | None


def read_trades(path: Path, *, columns: str | None = None, time_unit: str | None = None) -> Iterator[RecordedTrade]:
    """One trade a row, in the file's order; raises Refused with the row that is none.

    ``columns`` names the columns of a file without a header. ``time_unit``: s, ms, us or ns.
    """
    if time_unit is not None and time_unit not in MICROSECONDS:
        raise Refused("unit_unknown", f"there is no time unit {time_unit!r}; there are: {', '.join(MICROSECONDS)}")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.reader(file)
            header = columns.split(",") if columns is not None else next(reader, [])
            places = _places(header, time_unit)
            for cells in reader:
                if cells:
                    yield _trade(cells, places, reader.line_num)
        except (UnicodeDecodeError, csv.Error) as error:
            raise Refused("trades_unreadable", f"cannot read {path}: {error}") from error


def _places(header: list[str], time_unit: str | None) -> _Places:
    names = [name.strip().lower() for name in header]
    found: dict[str, int] = {}
    for what, known in (("time", TIME_NAMES), ("price", PRICE_NAMES), ("quantity", QUANTITY_NAMES)):
        there = [name for name in known if name in names]
        if not there:
            raise Refused(
                "trades_header",
                f"row 1: no column of the {what}: name one {' or '.join(known)}, in a header or by --columns",
            )
        found[what] = names.index(there[0])
    _, _, unit = names[found["time"]].partition("timestamp_")
    if time_unit is not None and unit and unit != time_unit:
        raise Refused(
            "unit_contradicted", f"row 1: the column {names[found['time']]} is not in {_UNIT_NAMES[time_unit]}"
        )
    ids = [names.index(name) for name in ID_NAMES if name in names]
    return _Places(found["time"], found["price"], found["quantity"], ids[0] if ids else None, unit or time_unit)


def _trade(cells: list[str], places: _Places, row: int) -> RecordedTrade:
    texts = [
        cells[place].strip() if place < len(cells) else "" for place in (places.time, places.price, places.quantity)
    ]
    numbers = []
    for name, text in zip(("price", "quantity"), texts[1:], strict=True):
        value = _number(text)
        if value is None or value <= 0:
            raise Refused("trade_invalid", f"row {row}: the {name} is not a number above zero: {text!r}")
        numbers.append(value)
    named = cells[places.id].strip() if places.id is not None and places.id < len(cells) else ""
    return RecordedTrade(row, _time(texts[0], places.unit, row), numbers[0], numbers[1], named)


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _time(text: str, unit: str | None, row: int) -> datetime:
    """A number in ``unit``, or else by its size; or an ISO time, UTC where it names no zone."""
    number = _number(text)
    if number is None:
        try:
            time = datetime.fromisoformat(text)
        except ValueError as error:
            raise Refused("trade_invalid", f"row {row}: this is no time: {text!r}") from error
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    fitting = [name for name, each in MICROSECONDS.items() if _EARLIEST <= number * each < _LATEST]
    if unit is None:
        if not fitting:
            raise Refused("trade_invalid", f"row {row}: {text} is no time of this century; name its unit: --time-unit")
        unit = fitting[0]
    elif fitting and unit not in fitting:
        raise Refused(
            "trade_invalid",
            f"row {row}: {text} is not in {_UNIT_NAMES[unit]} but, by its size, in {_UNIT_NAMES[fitting[0]]}",
        )
    try:
        return _EPOCH + timedelta(microseconds=int(number * MICROSECONDS[unit]))
    except OverflowError as error:
        raise Refused("trade_invalid", f"row {row}: this is no time: {text!r}") from error

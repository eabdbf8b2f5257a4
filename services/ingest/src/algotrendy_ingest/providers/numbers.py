"""Numbers and days as providers write them, read exactly.

Invariant: what is no number raises Malformed; nothing is guessed, and no NaN or infinity gets through.
"""

import struct
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from algotrendy_common.rpc.providers import DailyBar
from pydantic import ValidationError

from algotrendy_ingest.providers.errors import Malformed, NotListed


def number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Malformed(f"{value!r} is no number")
    try:
        read = Decimal(value)
    except InvalidOperation as error:
        raise Malformed(f"{value!r} is no number") from error
    if not read.is_finite():
        raise Malformed(f"{value!r} is no number")
    return read


def single(value: Any) -> Decimal:
    """A number that was a 32-bit float before it was written with 64 bits: ``77.02999877929688`` is 77.03.

    The shortest decimal that is the same 32-bit float; a number that never was one stays as it is.
    """
    read = number(value)
    try:
        packed = struct.pack("f", float(read))
    except OverflowError:
        return read
    if Decimal(repr(struct.unpack("f", packed)[0])) != read:
        return read
    for digits in range(1, 10):
        shorter = Decimal(f"{read:.{digits}g}")
        if struct.pack("f", float(shorter)) == packed:
            return shorter
    return read


def day(text: Any) -> date:
    """The day that a text begins with."""
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError as error:
        raise Malformed(f"{text!r} is no day") from error


def bar(day: date, prices: Iterable[Any], volume: Any = None) -> DailyBar:
    """``prices`` are open, high, low, close. Raises Malformed where one is not positive or not within low and high."""
    open_, high, low, close = map(number, prices)
    try:
        made = DailyBar(
            day=day,
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=None if volume is None else number(volume),
        )
    except ValidationError as error:
        raise Malformed(f"the bar of {day} makes no sense: {error.errors()[0]['msg']}") from error
    if not made.low <= min(made.open, made.close) <= max(made.open, made.close) <= made.high:
        raise Malformed(f"the bar of {day} makes no sense: prices lie outside of low and high")
    return made


def within(bars: Iterable[DailyBar], start: date, end: date | None, what: str) -> tuple[DailyBar, ...]:
    """Oldest first, a day once, of the range alone; raises NotListed where there was nothing at all."""
    by_day = {one.day: one for one in bars}
    if not by_day:
        raise NotListed(f"nothing is known of {what}")
    return tuple(by_day[each] for each in sorted(by_day) if each >= start and (end is None or each <= end))


def member(body: Any, *names: str) -> Any:
    """The value under these names; raises Malformed where one is missing."""
    for name in names:
        if not isinstance(body, dict) or name not in body:
            raise Malformed(f"{name!r} is missing")
        body = body[name]
    return body


def rows(body: Any, what: str) -> Sequence[dict[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise Malformed(f"{what} is no list of rows")
    return body

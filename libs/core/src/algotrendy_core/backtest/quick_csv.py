"""Numbers of a large CSV file, read by compiled code: several times as fast as numpy's reader.

Invariant: what is read is what ``float`` reads, to the last bit. A number is taken only where it is plain digits with
at most one point, few enough to be a whole number of float64 over a power of ten that is exact as well (their quotient
is then rounded once, as correct reading is). Whatever else a file has (exponents, quotes, spaces, empty lines, rows of
another length) is left to the careful readers.
"""

from pathlib import Path
from typing import Any

import numpy as np

from algotrendy_core import kernels
from algotrendy_core.kernels import Floats

LARGE = 4_000_000
"""Bytes from which on compiled code is worth loading."""

_POWERS = (
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
)  # fmt: skip
_LARGEST = 2**53
_LINE_FEED, _CARRIAGE_RETURN, _COMMA, _MINUS, _POINT, _ZERO, _NINE = 10, 13, 44, 45, 46, 48, 57


def read_numbers(path: Path, places: list[int], width: int) -> Floats | None:
    """The columns at ``places`` of all rows behind the header, in that order; None where it cannot be told so.

    ``width`` is the number of columns of the header. Raises OSError.
    """
    if path.stat().st_size < LARGE:
        return None
    text = np.fromfile(path, dtype=np.uint8)
    start = int(np.argmax(text == _LINE_FEED)) + 1
    if len(set(places)) != len(places) or b'"' in text[:start].tobytes():
        return None
    slots = np.full(width, -1, dtype=np.int64)
    slots[places] = np.arange(len(places))
    most = int(np.count_nonzero(text[start:] == _LINE_FEED)) + 1
    values = np.empty((most, len(places)))
    rows = kernels.compiled(read_rows, on_disk=True)(text, start, slots, values)
    return None if rows < 0 else values[:rows]


def read_rows(text: Any, start: int, slots: Any, values: Any) -> int:
    """Read into ``values``; the number of rows, or -1 where something is not plain."""
    row = 0
    column = 0
    mantissa = 0
    digits = 0
    behind_point = -1
    negative = False
    at = start
    end = len(text)
    width = len(slots)
    while at <= end:
        sign = text[at] if at < end else _LINE_FEED
        if at == end and column == 0 and digits == 0 and behind_point < 0 and not negative:
            return row
        if _ZERO <= sign <= _NINE:
            mantissa = mantissa * 10 + (sign - _ZERO)
            digits += 1
            if behind_point >= 0:
                behind_point += 1
            if digits > 18:
                return -1
        elif sign == _POINT and behind_point < 0:
            behind_point = 0
        elif sign == _MINUS and digits == 0 and behind_point < 0 and not negative:
            negative = True
        elif sign in (_COMMA, _LINE_FEED, _CARRIAGE_RETURN):
            if sign == _CARRIAGE_RETURN:
                at += 1
                if at >= end or text[at] != _LINE_FEED:
                    return -1
            if digits == 0 or mantissa > _LARGEST:
                return -1
            slot = slots[column]
            if slot >= 0:
                value = float(mantissa)
                if behind_point > 0:
                    value /= _POWERS[behind_point]
                values[row, slot] = -value if negative else value
            mantissa = 0
            digits = 0
            behind_point = -1
            negative = False
            column += 1
            if sign == _COMMA:
                if column == width:
                    return -1
            else:
                if column != width:
                    return -1
                column = 0
                row += 1
        else:
            return -1
        at += 1
    return row

"""Numbers as a person reads them: undefined is a dash, signs are shown where they matter."""

from datetime import UTC, datetime

DASH = "–"


def percent(value: float | None, digits: int = 1) -> str:
    return DASH if value is None else f"{_unsigned_zero(value * 100, digits):.{digits}f} %"


def change(value: float | None, digits: int = 1) -> str:
    return DASH if value is None else f"{_unsigned_zero(value * 100, digits):+.{digits}f} %".replace("+0.0 %", "0.0 %")


def ratio(value: float | None) -> str:
    return DASH if value is None else f"{_unsigned_zero(value, 2):.2f}"


def amount(value: float | None) -> str:
    return DASH if value is None else f"{_unsigned_zero(value, 2):,.2f}"


def signed(value: float | None) -> str:
    return DASH if value is None else f"{_unsigned_zero(value, 2):+,.2f}"


def price(value: float) -> str:
    return f"{value:,.2f}" if value >= 100 else f"{value:.6g}"


def moment(ms: int | None) -> str:
    return DASH if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def span(begin: int, end: int | None) -> str:
    """A duration in its two largest units."""
    if end is None:
        return "lasts"
    minutes = (end - begin) // 60_000
    days, hours, left = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {left} min" if hours else f"{left} min"


def tone(value: float | None) -> str:
    """The class of a figure that may be good or bad."""
    return "" if value is None or value == 0 else "up" if value > 0 else "down"


def _unsigned_zero(value: float, digits: int) -> float:
    return 0.0 if round(value, digits) == 0 else value

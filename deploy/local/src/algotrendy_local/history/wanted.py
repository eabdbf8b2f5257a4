"""What a person asks of history in words, as values; what is wrong with it is said before anything starts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.bars import interval_start
from algotrendy_ingest.adapters.registry import ADAPTERS

_SYMBOL_CHARACTERS = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
VENUES = tuple(sorted(ADAPTERS))


@dataclass(frozen=True, slots=True)
class Wanted:
    venue: str
    symbols: tuple[str, ...]
    timeframe: Timeframe


def wanted(venue: str, symbols: str, timeframe: str) -> Wanted:
    """Raises Refused."""
    if venue not in VENUES:
        raise Refused("no_such_venue", f"there is no venue {venue}; there are: {', '.join(VENUES)}")
    names = tuple(dict.fromkeys(name.strip().upper() for name in symbols.split(",") if name.strip()))
    if not names:
        raise Refused("no_symbols", "name a symbol at least: --symbols BTC-USDT,ETH-USDT")
    for name in names:
        if not set(name) <= _SYMBOL_CHARACTERS or "-" not in name:
            raise Refused("bad_symbol", f"{name!r} is no symbol; they are written BTC-USDT or BTC-USDT-PERP")
    return Wanted(venue, names, timeframe_of(timeframe))


def timeframe_of(name: str) -> Timeframe:
    if name not in set(Timeframe):
        raise Refused("timeframe_unknown", f"there is no timeframe {name}; there are: {', '.join(Timeframe)}")
    return Timeframe(name)


def window(start: datetime, end: datetime | None, timeframe: Timeframe) -> tuple[datetime, datetime]:
    """As UTC and on the timeframe's grid: candles that open in it; without an end, until now."""
    first, last = utc(start), utc(end) if end is not None else datetime.now(UTC)
    if first >= last:
        raise Refused("bad_range", f"the range ends ({last:%Y-%m-%d %H:%M}) before it starts ({first:%Y-%m-%d %H:%M})")
    on_grid = interval_start(first, timeframe)
    if on_grid < first:
        on_grid += timedelta(seconds=timeframe.seconds)
    return on_grid, last


def utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)

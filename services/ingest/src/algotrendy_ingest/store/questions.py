"""What is asked of history alone, beyond what the feed itself reads."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from algotrendy_common.enums import Timeframe
from algotrendy_common.rpc.ingest import Candle, Kept, RecordedBook, RecordedTrade

from algotrendy_ingest.domain.coverage import Day, Extent
from algotrendy_ingest.domain.history import Span
from algotrendy_ingest.store import rows
from algotrendy_ingest.store.connection import Quest

_BOOK_SPAN = timedelta(hours=1)
_CANDLE = "ts, open, high, low, close, volume"


class StoreQuestions:
    """Every method raises ``StoreAway``."""

    def __init__(self, quest: Quest) -> None:
        self._quest = quest

    async def trades(
        self,
        venue: str,
        symbol: str,
        start: datetime,
        end: datetime | None,
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> list[RecordedTrade]:
        """In the order of time and number; numbers are text of which the longer is the greater."""
        condition = f"{rows.whose(venue, symbol)}{rows.between(max(start, after[0]) if after else start, end)}"
        if after is not None:
            number = rows.text(after[1])
            condition += (
                f" AND (ts > {rows.instant(after[0])} OR length(trade_id) > {len(after[1])}"
                f" OR (length(trade_id) = {len(after[1])} AND trade_id > {number}))"
            )
        found = await self._quest.ask(
            f"SELECT ts, trade_id, price, quantity, side FROM trade WHERE {condition}"
            f" ORDER BY ts, length(trade_id), trade_id LIMIT {limit}"
        )
        return [
            RecordedTrade(event_time=time, trade_id=trade_id, price=price, quantity=quantity, side=side)
            for time, trade_id, price, quantity, side in found
        ]

    async def book_at(self, venue: str, symbol: str, at: datetime) -> RecordedBook | None:
        found = await self._quest.ask(
            f"SELECT ts, received, sequence, bids, asks FROM book WHERE {rows.whose(venue, symbol)}"
            f" AND ts > {rows.instant(at - _BOOK_SPAN)} AND ts <= {rows.instant(at)} ORDER BY ts LIMIT -1"
        )
        for time, received, sequence, bids, asks in found:
            return RecordedBook(
                event_time=time,
                received_time=received,
                sequence=sequence,
                bids=rows.levels_of(bids),
                asks=rows.levels_of(asks),
            )
        return None

    async def kept(self, venue: str | None) -> list[Kept]:
        """By venue, symbol and timeframe, trades first."""
        of = "" if venue is None else f" WHERE venue = {rows.text(venue)}"
        trades = await self._quest.ask(f"SELECT venue, symbol, null, min(ts), max(ts), count() FROM trade{of}")
        bars = await self._quest.ask(f"SELECT venue, symbol, timeframe, min(ts), max(ts), count() FROM bar{of}")
        found = [_kept(row) for row in (*trades, *bars)]
        return sorted(found, key=lambda row: (row.venue, row.symbol, row.timeframe.seconds if row.timeframe else 0))

    async def extent(
        self, venue: str, symbol: str, timeframe: Timeframe | None, start: datetime | None, end: datetime | None
    ) -> Extent | None:
        """Of candles, or of trades without a timeframe; None where there are none."""
        found = await self._quest.ask(
            f"SELECT min(ts), max(ts), count() FROM {_from(venue, symbol, timeframe, start, end)}"
        )
        for first, last, count in found:
            if count:
                return Extent(_time(first), _time(last), count)
        return None

    async def candle_days(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> dict[datetime, Day]:
        found = await self._quest.ask(
            "SELECT timestamp_floor('d', ts) day, count(), sum(volume), sum(trade_count) FROM bar"
            f" WHERE {rows.which(venue, symbol, timeframe, start, end)} ORDER BY day"
        )
        return {_time(row[0]): Day(row[1], Decimal(row[2]), row[3]) for row in found}

    async def trade_days(self, venue: str, symbol: str, start: datetime, end: datetime) -> dict[datetime, Day]:
        found = await self._quest.ask(
            "SELECT timestamp_floor('d', ts) day, count(), sum(quantity) FROM trade"
            f" WHERE {rows.whose(venue, symbol)}{rows.between(start, end)} ORDER BY day"
        )
        return {_time(row[0]): Day(row[1], Decimal(row[2])) for row in found}

    async def trade_minutes(self, venue: str, symbol: str, start: datetime, end: datetime) -> dict[datetime, Day]:
        found = await self._quest.ask(
            "SELECT timestamp_floor('m', ts) minute, count(), sum(quantity) FROM trade"
            f" WHERE {rows.whose(venue, symbol)}{rows.between(start, end)} ORDER BY minute"
        )
        return {_time(row[0]): Day(row[1], Decimal(row[2])) for row in found}

    async def all_candles(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[Candle]:
        """Those that are kept of [start, end), however many."""
        found = await self._quest.ask(
            f"SELECT {_CANDLE} FROM {_from(venue, symbol, timeframe, start, end)} ORDER BY ts"
        )
        return [rows.candle_of(row) for row in found]

    async def raw_rows(
        self, venue: str, symbol: str, timeframe: Timeframe | None, start: datetime, end: datetime
    ) -> list[tuple[Any, ...]]:
        """Rows as they are kept, for files: candles or, without a timeframe, trades in the order of their numbers."""
        source = _from(venue, symbol, timeframe, start, end)
        if timeframe is not None:
            found = await self._quest.ask(f"SELECT {_CANDLE}, trade_count FROM {source} ORDER BY ts")
            return [(_time(row[0]), *map(Decimal, row[1:6]), row[6]) for row in found]
        found = await self._quest.ask(
            f"SELECT ts, trade_id, side, price, quantity, received FROM {source}"
            " ORDER BY ts, length(trade_id), trade_id"
        )
        return [(_time(row[0]), row[1], row[2], Decimal(row[3]), Decimal(row[4]), _time(row[5])) for row in found]

    async def holes(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, limit: int
    ) -> list[Span]:
        """Stretches between two candles that are kept in which there is none, oldest first."""
        found = await self._quest.ask(
            "SELECT previous, ts FROM ("
            " SELECT ts, lag(ts) OVER (ORDER BY ts) previous FROM bar"
            f" WHERE {rows.which(venue, symbol, timeframe, start, end)}"
            f") WHERE previous IS NOT NULL AND datediff('s', previous, ts) > {timeframe.seconds} LIMIT {limit}"
        )
        step = timedelta(seconds=timeframe.seconds)
        return [Span(_time(before) + step, _time(after)) for before, after in found]


def _kept(row: Sequence[Any]) -> Kept:
    venue, symbol, timeframe, first, last, count = row
    return Kept(venue=venue, symbol=symbol, timeframe=timeframe, first=first, last=last, rows=count)


def _from(venue: str, symbol: str, timeframe: Timeframe | None, start: datetime | None, end: datetime | None) -> str:
    if timeframe is None:
        return f"trade WHERE {rows.whose(venue, symbol)}{rows.between(start, end)}"
    return f"bar WHERE {rows.which(venue, symbol, timeframe, start, end)}"


_time = datetime.fromisoformat

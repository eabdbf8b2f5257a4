"""Candles and trades of 2.5 in QuestDB: what of them is there, and how they get there."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from algotrendy_common.clock import SystemClock
from algotrendy_common.enums import Side
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import TradePrinted
from algotrendy_common.ids import derived_id

from algotrendy_ingest.migration_v25.rows import OldCandle, OldTrade, utc
from algotrendy_ingest.store import rows
from algotrendy_ingest.store.quest import QuestStore

_AT_ONCE = 2000
_MOMENT = timedelta(microseconds=1)
_FACTORY = EventFactory("ingest", SystemClock())


class MigratedRows:
    """Every method raises ``StoreAway``; every write may be repeated."""

    def __init__(self, store: QuestStore) -> None:
        self._store = store
        self._quest = store.quest

    async def newest(self, table: str) -> datetime | None:
        for [newest] in await self._quest.ask(f"SELECT max(ts) FROM {table}"):
            return None if newest is None else utc(newest)
        return None

    async def candles(self, wanted: Sequence[OldCandle]) -> list[OldCandle]:
        """Those that are there under the keys of ``wanted``, as they are there."""
        keys = {row.key for row in wanted}
        found: list[OldCandle] = []
        for (venue, symbol, timeframe), group in _grouped(wanted, lambda row: (row.venue, row.symbol, row.timeframe)):
            times = [row.open_time for row in group]
            where = rows.which(venue, symbol, timeframe, min(times), max(times) + _MOMENT)
            for ts, open_, high, low, close, volume, count in await self._quest.ask(
                f"SELECT ts, open, high, low, close, volume, trade_count FROM bar WHERE {where}"
            ):
                candle = OldCandle(
                    venue, symbol, timeframe, utc(ts),
                    Decimal(open_), Decimal(high), Decimal(low), Decimal(close), Decimal(volume), int(count),
                )  # fmt: skip
                if candle.key in keys:
                    found.append(candle)
        return found

    async def trades(self, wanted: Sequence[OldTrade]) -> list[OldTrade]:
        keys = {row.key for row in wanted}
        found: list[OldTrade] = []
        for (venue, symbol), group in _grouped(wanted, lambda row: (row.venue, row.symbol)):
            times = [row.time for row in group]
            span = rows.between(min(times), max(times) + _MOMENT)
            for ts, trade_id, side, price, quantity in await self._quest.ask(
                f"SELECT ts, trade_id, side, price, quantity FROM trade WHERE {rows.whose(venue, symbol)}{span}"
            ):
                trade = OldTrade(venue, symbol, utc(ts), trade_id, Side(side), Decimal(price), Decimal(quantity))
                if trade.key in keys:
                    found.append(trade)
        return found

    async def write_candles(self, candles: Sequence[OldCandle]) -> None:
        for (venue, symbol), group in _grouped(candles, lambda row: (row.venue, row.symbol)):
            for start in range(0, len(group), _AT_ONCE):
                await self._store.write_bars(venue, symbol, group[start : start + _AT_ONCE])
        await self._quest.applied("bar")

    async def write_trades(self, trades: Sequence[OldTrade]) -> None:
        for start in range(0, len(trades), _AT_ONCE):
            await self._store.write_trades([_printed(trade) for trade in trades[start : start + _AT_ONCE]])
        await self._quest.applied("trade")


def _grouped[T, K: tuple[object, ...]](items: Iterable[T], key: Callable[[T], K]) -> list[tuple[K, list[T]]]:
    ordered = sorted(items, key=lambda one: tuple(map(str, key(one))))
    return [(each, list(group)) for each, group in groupby(ordered, key)]


def _printed(trade: OldTrade) -> TradePrinted:
    """2.5 did not keep when it heard of a trade, so that is the venue's time too."""
    return _FACTORY.make(
        TradePrinted,
        event_id=derived_id("v25", *trade.key),
        event_time=trade.time,
        received_time=trade.time,
        venue=trade.venue,
        symbol=trade.symbol,
        trade_id=trade.trade_id,
        price=trade.price,
        quantity=trade.quantity,
        side=trade.side,
    )

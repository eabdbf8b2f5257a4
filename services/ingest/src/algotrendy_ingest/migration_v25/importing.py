"""From a 2.5 export into QuestDB.

Invariant: what QuestDB has is never written over: an equal row is counted as there, another one under the same key
rejects the imported row. So a second import changes nothing, and neither does one after the venue's own back-fill.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from algotrendy_common.migration_v25 import Imported, TableRead, TableResult, read_table, result_of

from algotrendy_ingest.migration_v25.rows import CANDLES, TRADES, OldCandle, OldTrade, candle_of, trade_of
from algotrendy_ingest.store.connection import YEAR
from algotrendy_ingest.store.migrated import MigratedRows
from algotrendy_ingest.store.quest import QuestStore

type Find[T] = Callable[[Sequence[T]], Awaitable[list[T]]]
type Write[T] = Callable[[Sequence[T]], Awaitable[None]]


async def import_market_data(
    folder: Path, questdb_url: str, *, dry_run: bool, retention: timedelta = YEAR, candle_retention: timedelta = YEAR
) -> list[TableResult]:
    """Raises Refused for a folder that is no export, StoreAway where QuestDB does not answer."""
    candles = read_table(folder / "candles.csv", "candles", CANDLES, candle_of)
    trades = read_table(folder / "trades.csv", "trades", TRADES, trade_of)
    store = QuestStore(questdb_url, retention=retention, candle_retention=candle_retention)
    kept = MigratedRows(store)
    try:
        _reject_old(candles, lambda row: row.open_time, await kept.newest("bar"), candle_retention)
        _reject_old(trades, lambda row: row.time, await kept.newest("trade"), retention)
        return [
            await _imported(candles, "QuestDB bar", kept.candles, kept.write_candles, dry_run),
            await _imported(trades, "QuestDB trade", kept.trades, kept.write_trades, dry_run),
        ]
    finally:
        await store.close()


def _reject_old[T: Imported](
    read: TableRead[T], time_of: Callable[[T], datetime], newest: datetime | None, retention: timedelta
) -> None:
    """QuestDB drops what is so much older than its newest row: it must not look imported and be gone."""
    times = [time_of(row) for row in read.accepted]
    if not times:
        return
    oldest = max([*times, *([newest] if newest is not None else [])]) - retention
    old = [row for row in read.accepted if time_of(row) < oldest]
    reason = f"older than the {retention.days} days that are kept"
    read.rejected += [read.reject(row, reason) for row in old]
    read.accepted = [row for row in read.accepted if time_of(row) >= oldest]


async def _imported[T: (OldCandle, OldTrade)](
    read: TableRead[T], into: str, find: Find[T], write: Write[T], dry_run: bool
) -> TableResult:
    before = await find(read.accepted)
    contradicted = read.contradicted_by(before)
    if dry_run:
        return result_of(read, into, before, None, contradicted)
    there = {row.key for row in before}
    missing = [row for row in read.accepted if row.key not in there]
    if missing:
        await write(missing)
    return result_of(read, into, before, await find(read.accepted), contradicted)

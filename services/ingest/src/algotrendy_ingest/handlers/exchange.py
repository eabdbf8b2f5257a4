"""History out into files and in again.

Invariant: importing a file twice changes nothing; what comes in is what went out, to the last digit.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused

from algotrendy_ingest.adapters import parquet_files
from algotrendy_ingest.adapters.parquet_files import Content, Written
from algotrendy_ingest.store import rows
from algotrendy_ingest.store.cached import CachedStore
from algotrendy_ingest.store.questions import StoreQuestions

_CANDLES_AT_ONCE = timedelta(days=1)
_TRADES_AT_ONCE = timedelta(hours=1)


class Exchange:
    def __init__(self, store: CachedStore) -> None:
        self._store = store
        self._questions = StoreQuestions(store.quest)

    async def export(
        self,
        folder: Path,
        content: Content,
        start: datetime | None,
        end: datetime | None,
        progress: Callable[[float], None],
    ) -> Written:
        """``progress`` is told the share that is done. Raises Refused where there is nothing, OSError of the target."""
        extent = await self._questions.extent(content.venue, content.symbol, content.timeframe, start, end)
        what = f"{content.timeframe.value} candles" if content.timeframe else "trades"
        if extent is None:
            raise Refused("nothing_kept", f"no {what} of {content.symbol} at {content.venue} are kept of that time")
        until = extent.last + timedelta(microseconds=1)

        step = _CANDLES_AT_ONCE if content.timeframe else _TRADES_AT_ONCE
        with parquet_files.Target(folder, content) as target:
            time = extent.first
            while time < until:
                page_end = min(time + step, until)
                target.add(
                    await self._questions.raw_rows(content.venue, content.symbol, content.timeframe, time, page_end)
                )
                time = page_end
                progress((time - extent.first) / (until - extent.first))
            written = target.finish()
        if written is None:
            raise Refused("nothing_kept", f"the {what} of {content.symbol} went while they were read")
        return written

    async def take_in(self, path: Path) -> tuple[Content, int]:
        """What was in the file; raises Refused for one that is not ours or was changed."""
        content = parquet_files.content_of(path)
        count = 0
        for page in parquet_files.pages_of(path):
            if content.timeframe is not None:
                timeframe: Timeframe = content.timeframe
                await self._store.quest.write(
                    "bar", (rows.candle_row(content.venue, content.symbol, timeframe, row) for row in page)
                )
            else:
                await self._store.quest.write(
                    "trade", (rows.taken_trade_row(content.venue, content.symbol, row) for row in page)
                )
            count += len(page)
        await self._store.settle(content.venue, content.symbol, "bar" if content.timeframe else "trade")
        return content, count

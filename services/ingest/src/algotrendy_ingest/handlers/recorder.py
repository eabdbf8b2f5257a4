"""Everything published is kept, each row once.

Invariant: a trade or closed candle stays in the ledger from its publishing until QuestDB has it. The bus's batches
write it as a rule; what the bus lost, because its server was killed with a stream in memory, the ledger writes.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from algotrendy_common.clock import Clock
from algotrendy_common.events.market import (
    BarUpdated,
    BookSnapshotTaken,
    FeedHealthChanged,
    QuoteChanged,
    TradePrinted,
)
from algotrendy_common.events.signal import SignalRaised
from algotrendy_common.telemetry import log

from algotrendy_ingest.errors import StoreAway
from algotrendy_ingest.metrics import ROWS_MADE_GOOD
from algotrendy_ingest.ports import History

_OWED_AT_MOST = 200_000
_CORRECTED_AT_MOST = 10_000
_AUDIT_S = 2.0
_ROWS = 500

type Recorded = TradePrinted | BarUpdated
type Key = tuple[str, str, str]


class Recorder:
    def __init__(self, store: History, clock: Clock, *, overdue_after: timedelta) -> None:
        self._store = store
        self._overdue_after = overdue_after
        self._clock = clock
        self._owed: dict[Key, Recorded] = {}
        self._corrected: dict[Key, None] = {}
        """Candles that were told again, in the order of that: the bus may bring what they were before once more."""
        self._log = log("recorder")

    # -- what the bus brings ---------------------------------------------------------------------------------

    async def trades(self, batch: list[TradePrinted]) -> None:
        await self._store.write_trades(batch)
        self._settle(batch)

    async def quotes(self, batch: list[QuoteChanged]) -> None:
        await self._store.write_quotes(batch)

    async def bars(self, batch: list[BarUpdated]) -> None:
        closed = [bar for bar in batch if bar.closed]
        await self._write_bars(closed)
        self._settle(closed)

    async def books(self, batch: list[BookSnapshotTaken]) -> None:
        await self._store.write_books(batch)

    async def signals(self, batch: list[SignalRaised]) -> None:
        await self._store.write_signals(batch)

    async def health(self, batch: list[FeedHealthChanged]) -> None:
        await self._store.write_health(batch)

    # -- the ledger ------------------------------------------------------------------------------------------

    @property
    def owed(self) -> int:
        return len(self._owed)

    def owe(self, event: Recorded) -> None:
        """It is about to be published and must end up in the store."""
        if len(self._owed) >= _OWED_AT_MOST:
            # Both the bus and the store have been away for long; the venue's candles fill this at the next start.
            del self._owed[next(iter(self._owed))]
        self._owed[_key(event)] = event

    async def audit_forever(self) -> None:
        while True:
            await asyncio.sleep(_AUDIT_S)
            await self.write_overdue()

    async def write_overdue(self) -> None:
        """Write what has been owed for too long; a store that is away is asked again the next time."""
        before = self._clock.now() - self._overdue_after
        late = [event for event in self._owed.values() if event.received_time <= before][:_ROWS]
        trades = [event for event in late if isinstance(event, TradePrinted)]
        bars = [event for event in late if isinstance(event, BarUpdated)]
        try:
            if trades:
                await self._store.write_trades(trades)
                self._settle(trades)
                ROWS_MADE_GOOD.labels("trade").inc(len(trades))
            if bars:
                await self._write_bars(bars)
                self._settle(bars)
                ROWS_MADE_GOOD.labels("bar").inc(len(bars))
        except StoreAway as error:
            self._log.warning("overdue rows not written", rows=len(late), error=str(error))

    async def _write_bars(self, bars: Sequence[BarUpdated]) -> None:
        def place(bar: BarUpdated) -> tuple[str, str]:
            return bar.venue, bar.symbol

        for bar in bars:
            if bar.corrected:
                self._corrected[_key(bar)] = None
        while len(self._corrected) > _CORRECTED_AT_MOST:
            del self._corrected[next(iter(self._corrected))]
        valid = [bar for bar in bars if bar.corrected or _key(bar) not in self._corrected]
        for (venue, symbol), group in groupby(sorted(valid, key=place), key=place):
            await self._store.write_bars(venue, symbol, tuple(group))

    def _settle(self, events: Sequence[Recorded]) -> None:
        for event in events:
            owed = self._owed.get(_key(event))
            # A candle that was told again is owed as it is now; what it was before settles nothing.
            if owed is not None and (isinstance(event, TradePrinted) or owed.event_id == event.event_id):
                del self._owed[_key(event)]


def _key(event: Recorded) -> Key:
    if isinstance(event, TradePrinted):
        return event.venue, event.symbol, event.trade_id
    return event.venue, event.symbol, f"{event.timeframe}@{event.open_time.isoformat()}"

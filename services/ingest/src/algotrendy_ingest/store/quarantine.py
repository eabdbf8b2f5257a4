"""Trades set aside, in QuestDB. They stay until somebody deletes them: the other tables' retention is not theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.enums import Side

from algotrendy_ingest.store import rows
from algotrendy_ingest.store.connection import Quest, Row

_TABLE = (
    "CREATE TABLE IF NOT EXISTS quarantine (ts TIMESTAMP, venue SYMBOL, symbol SYMBOL, trade_id VARCHAR, side SYMBOL,"
    " price DECIMAL(38, 18), quantity DECIMAL(38, 18), reason VARCHAR, restored BOOLEAN)"
    " TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, venue, symbol, trade_id)"
)
_COLUMNS = "ts, venue, symbol, trade_id, side, price, quantity, reason, restored"


@dataclass(frozen=True, slots=True)
class SetAside:
    venue: str
    symbol: str
    trade_id: str
    time: datetime
    side: Side
    price: Decimal
    quantity: Decimal
    reason: str
    restored: bool = False
    """It was given back, by the market or by a person."""


class QuarantineStore:
    """Every method raises ``StoreAway``; writing a row again replaces it."""

    def __init__(self, quest: Quest) -> None:
        self._quest = quest

    async def write(self, trades: Sequence[SetAside]) -> None:
        # A row for a table that is not there would make one without keys; QuestDB may have come back empty.
        await self._quest.command(_TABLE)
        await self._quest.write("quarantine", map(_row, trades))

    async def newest(self, venue: str | None, symbol: str | None, limit: int) -> list[SetAside]:
        """Newest first."""
        where = [f"{name} = {rows.text(value)}" for name, value in (("venue", venue), ("symbol", symbol)) if value]
        return await self._found(f"{'WHERE ' + ' AND '.join(where) if where else ''} ORDER BY ts DESC LIMIT {limit}")

    async def one(self, venue: str, symbol: str, trade_id: str) -> SetAside | None:
        found = await self._found(
            f"WHERE {rows.whose(venue, symbol)} AND trade_id = {rows.text(trade_id)} ORDER BY ts DESC LIMIT 1"
        )
        return found[0] if found else None

    async def _found(self, which: str) -> list[SetAside]:
        await self._quest.command(_TABLE)
        return [_set_aside(row) for row in await self._quest.ask(f"SELECT {_COLUMNS} FROM quarantine {which}")]


def _row(trade: SetAside) -> Row:
    return (
        {"venue": trade.venue, "symbol": trade.symbol, "side": trade.side.value},
        {
            "trade_id": trade.trade_id,
            "price": trade.price,
            "quantity": trade.quantity,
            "reason": trade.reason,
            "restored": trade.restored,
        },
        trade.time,
    )


def _set_aside(row: Sequence[Any]) -> SetAside:
    time, venue, symbol, trade_id, side, price, quantity, reason, restored = row
    return SetAside(
        venue, symbol, trade_id, datetime.fromisoformat(time), Side(side), Decimal(price), Decimal(quantity), reason,
        restored,
    )  # fmt: skip

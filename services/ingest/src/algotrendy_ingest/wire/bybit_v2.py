"""Bybit's messages as they were before v5, which its recordings of that time hold.

Numbers are partly JSON's and stay the text they were; ``cross_seq`` is the whole exchange's, so it rises by any number
and proves no hole. What proves one is the change itself: only a level that is there can be deleted or updated, and only
one that is not can be inserted.
"""

import json
from collections.abc import Iterable
from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side

from algotrendy_ingest.adapters.numbers import positive
from algotrendy_ingest.domain.ticks import Cause, Stamp, TradeTick
from algotrendy_ingest.wire.book import Side as BookSide
from algotrendy_ingest.wire.protocol import BookMoved, Heard, Market, WireMarket

BOOK_25, BOOK_200 = "orderBookL2_25", "orderBook_200"
_GROWS = {"delete": -1, "update": 0, "insert": 1}
"""By how many levels for each row, in the order they are applied."""

_STRING_HEADS = ('{"topic":"trade.', '{"topic":"orderBook')
_BYTES_HEADS = tuple(head.encode() for head in _STRING_HEADS)

_DECODER = json.JSONDecoder(parse_float=str)


def is_older(raw: str | bytes) -> bool:
    """From how the text begins; v5 says ``publicTrade`` and ``orderbook``."""
    return raw.startswith(_STRING_HEADS) if isinstance(raw, str) else raw.startswith(_BYTES_HEADS)


def loads(raw: str | bytes) -> Any:
    """With the digits of what is no whole number kept."""
    return _DECODER.decode(raw if isinstance(raw, str) else raw.decode())


def trade(names: WireMarket, row: dict[str, Any], received: Stamp) -> TradeTick:
    """A size of an inverse contract, such as BTCUSD, is in quote: it is left as it is."""
    return TradeTick(
        symbol=names.symbol,
        trade_id=row["trade_id"],
        sequence=None,
        price=positive(str(row["price"])),
        quantity=positive(str(row["size"])) * names.contract_size,
        side=Side(row["side"].lower()),
        event_time=from_ms(int(row["trade_time_ms"])),
        received=received,
    )


def book(market: Market, message: dict[str, Any], received: Stamp) -> list[Heard]:
    held, data, sequence = market.book, message["data"], int(message["cross_seq"])
    if message["type"] == "snapshot":
        rows = data if isinstance(data, list) else data["order_book"]
        for side, name in ((held.bids, "Buy"), (held.asks, "Sell")):
            side.reset(_levels(rows, name))
        held.ready = True
    elif not held.ready:
        return []
    else:
        if sequence <= held.sequence:
            market.checks.repeated += 1
            return []
        for change in _GROWS:
            if not (rows := data[change]):
                continue
            for side, name in ((held.bids, "Buy"), (held.asks, "Sell")):
                if not _applied(side, _levels(rows, name), change):
                    return [market.lose(Cause.SEQUENCE, f"{change} at {sequence} is not of the book as it was")]
        market.checks.sequence_right += 1
    held.sequence = sequence
    held.event_time_ms = int(message["timestamp_e6"]) // 1000
    if held.crossed:
        return [market.lose(Cause.CROSSED, f"bid {held.bids.best(1)[0][0]}, ask {held.asks.best(1)[0][0]}")]
    return [BookMoved(market.names.symbol, received)]


def _applied(side: BookSide, rows: list[tuple[str, str]], change: str) -> bool:
    before = len(side)
    side.apply(rows)
    return len(side) == before + _GROWS[change] * len(rows)


def _levels(rows: Iterable[dict[str, Any]], name: str) -> list[tuple[str, str]]:
    """What is deleted has no size."""
    return [(row["price"], str(row.get("size", 0))) for row in rows if row["side"] == name]

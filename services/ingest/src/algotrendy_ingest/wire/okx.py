"""OKX's public sockets, of spot and of USDT perpetual swaps: one for everything, and another for candles.

Quantities leave in base, whatever a contract is. ``trades`` puts a taker's trades at one price together and says how
many. A book's updates each name the one before, and carry a checksum of the best 25 levels. Source:
www.okx.com/docs-v5/en/#order-book-trading-market-data
"""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import batched
from typing import Any, ClassVar
from zlib import crc32

import orjson
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side, Timeframe
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.numbers import number, positive, signed
from algotrendy_ingest.domain.ticks import (
    BarTick,
    Cause,
    FundingTick,
    MarkTick,
    QuoteTick,
    Stamp,
    Stream,
    TradeTick,
)
from algotrendy_ingest.wire.book import Book
from algotrendy_ingest.wire.protocol import BookMoved, Heard, Line, Market, Plan, Refusal, WireMarket, sharded

PERPETUAL, SWAP = "-PERP", "-SWAP"
PUBLIC, BUSINESS = "/ws/v5/public", "/ws/v5/business"
CHECKED = 25
_MARKETS = 60
"""Of one socket. A socket may ask 480 times an hour, each channel counts, and healing a book takes two."""
_ARGUMENTS = 40
_INTERVALS = {
    "1m": Timeframe.M1, "5m": Timeframe.M5, "15m": Timeframe.M15, "1H": Timeframe.H1, "4H": Timeframe.H4,
    "1Dutc": Timeframe.D1,
}  # fmt: skip
_CHANNELS = {
    Stream.TRADES: ("trades",),
    Stream.QUOTES: ("bbo-tbt",),
    Stream.BOOKS: ("books",),
    Stream.MARKS: ("mark-price", "funding-rate"),
    Stream.CANDLES: ("candle1m",),
}


def id_of(symbol: str) -> str:
    """``BTC-USDT-PERP`` is ``BTC-USDT-SWAP`` there."""
    return symbol.removesuffix(PERPETUAL) + SWAP if symbol.endswith(PERPETUAL) else symbol


class OkxLine(Line):
    venue: ClassVar[str] = "okx"
    streams: ClassVar[frozenset[Stream]] = frozenset(Stream)
    ping_every_s: ClassVar[float | None] = 20.0
    sends_per_s: ClassVar[float] = 3.0

    @classmethod
    def market_of(cls, symbol: str) -> WireMarket:
        if symbol.count("-") != 1 + symbol.endswith(PERPETUAL):
            raise ValueError(f"{symbol!r} is no symbol")
        return WireMarket(symbol, id_of(symbol))

    @classmethod
    def market_named(cls, id: str) -> WireMarket:
        if "-" not in id:
            raise ValueError(f"{id!r} names no base and quote")
        return WireMarket(id.removesuffix(SWAP) + PERPETUAL if id.endswith(SWAP) else id, id)

    @classmethod
    def plans(cls, markets: Sequence[WireMarket], streams: frozenset[Stream]) -> list[Plan]:
        found = []
        public = streams - {Stream.CANDLES}
        for perpetual in (False, True):
            of_kind = [market for market in markets if market.symbol.endswith(PERPETUAL) is perpetual]
            wanted = public if perpetual else public - {Stream.MARKS}
            if wanted:
                found += [Plan(PUBLIC, wanted, some) for some in sharded(of_kind, _MARKETS)]
        if Stream.CANDLES in streams:
            found += [Plan(BUSINESS, frozenset({Stream.CANDLES}), some) for some in sharded(markets, _MARKETS)]
        return found

    def subscribe(self, plan: Plan) -> list[str]:
        return _asked("subscribe", plan)

    def unsubscribe(self, plan: Plan) -> list[str]:
        return _asked("unsubscribe", plan)

    def heal(self, market: Market) -> list[str]:
        plan = Plan(PUBLIC, frozenset({Stream.BOOKS}), (market.names,))
        return [*_asked("unsubscribe", plan), *_asked("subscribe", plan)]

    def ping(self) -> str | None:
        return "ping"

    def read(self, raw: str | bytes, received: Stamp) -> list[Heard]:
        if raw in ("pong", b"pong"):
            return []
        message = orjson.loads(raw)
        rows = message.get("data")
        if rows is None:
            return [Refusal(str(message))] if message.get("event") == "error" else []
        channel, id = message["arg"]["channel"], message["arg"]["instId"]
        if channel == "books":
            return _book(self.market(id), message["action"], rows, received)
        read = _READERS.get(channel)
        if read is not None:
            names = self.market(id).names
            return [heard for row in rows for heard in read(row, names, received)]
        if channel.startswith("candle"):
            names, timeframe = self.market(id).names, _INTERVALS[channel.removeprefix("candle")]
            return [BarTick(names.symbol, bar_of(row, timeframe, id.endswith(SWAP)), received) for row in rows]
        return []


def _asked(operation: str, plan: Plan) -> list[str]:
    """A text for each channel: one that the venue refuses takes no other with it."""
    return [
        json.dumps({"op": operation, "args": list(some)}, separators=(",", ":"))
        for stream in sorted(plan.streams)
        for channel in _CHANNELS[stream]
        for some in batched(({"channel": channel, "instId": market.id} for market in plan.markets), _ARGUMENTS)
    ]


def _book(market: Market, action: str, rows: list[dict[str, Any]], received: Stamp) -> list[Heard]:
    heard: list[Heard] = []
    for row in rows:
        heard += _snapshot(market, row, received) if action == "snapshot" else _update(market, row, received)
    return heard


def _snapshot(market: Market, row: dict[str, Any], received: Stamp) -> list[Heard]:
    book = market.book
    book.bids.reset(row["bids"])
    book.asks.reset(row["asks"])
    book.sequence, book.ready = int(row.get("seqId", 0)), True
    return _checked(market, row, received)


def _update(market: Market, row: dict[str, Any], received: Stamp) -> list[Heard]:
    book, checks = market.book, market.checks
    if not book.ready:
        return []
    if "seqId" in row:  # the layout of 2022 had none
        previous, sequence = row["prevSeqId"], row["seqId"]
        if previous != book.sequence:
            if sequence <= book.sequence and previous < book.sequence:
                checks.repeated += 1
                return []
            return [market.lose(Cause.SEQUENCE, f"{sequence} follows {previous}, not {book.sequence}")]
        checks.sequence_right += 1
        book.sequence = sequence
    try:
        book.bids.apply(row["bids"])
        book.asks.apply(row["asks"])
    except (ValueError, TypeError, LookupError) as error:
        return [market.lose(Cause.SEQUENCE, f"unreadable: {error!r}")]
    return _checked(market, row, received)


def _checked(market: Market, row: dict[str, Any], received: Stamp) -> list[Heard]:
    book = market.book
    book.event_time_ms = int(row["ts"])
    told = row.get("checksum")
    if told:  # where a venue gives none it says 0
        own = checksum(book)
        if own != told:
            return [market.lose(Cause.CHECKSUM, f"{own} is not {told}")]
        market.checks.checksum_right += 1
    if book.crossed:
        return [market.lose(Cause.CROSSED, f"at {book.sequence}")]
    return [BookMoved(market.names.symbol, received)]


def checksum(book: Book) -> int:
    """Of the best 25 levels, a bid and an ask in turn, as the digits were written; signed, 32 bits."""
    bids, asks = book.bids.best(CHECKED), book.asks.best(CHECKED)
    parts: list[str] = []
    for bid, ask in zip(bids, asks, strict=False):
        parts += bid
        parts += ask
    for level in bids[len(asks) :] or asks[len(bids) :]:
        parts += level
    value = crc32(":".join(parts).encode())
    return value - (1 << 32) if value >= 1 << 31 else value


def trade_of(row: dict[str, Any], names: WireMarket, received: Stamp) -> TradeTick:
    """A row of the ``trades`` channel, or of ``/api/v5/market/trades``, which puts none together.

    ``count`` trades of one taker at one price are one row, under the number of the last.
    """
    sequence = int(row["tradeId"])
    return TradeTick(
        symbol=names.symbol,
        trade_id=str(sequence),
        sequence=sequence,
        price=positive(row["px"]),
        quantity=positive(row["sz"]) * names.contract_size,
        side=Side(row["side"]),
        event_time=from_ms(int(row["ts"])),
        received=received,
        count=int(row.get("count") or 1),
    )


def quote_of(row: dict[str, Any], names: WireMarket, received: Stamp) -> QuoteTick | None:
    """A row of ``bbo-tbt``; None while a side of the book is empty."""
    if not row["bids"] or not row["asks"]:
        return None
    (bid, bid_size, *_), (ask, ask_size, *_) = row["bids"][0], row["asks"][0]
    size = names.contract_size
    return QuoteTick(
        names.symbol,
        positive(bid),
        number(bid_size) * size,
        positive(ask),
        number(ask_size) * size,
        from_ms(int(row["ts"])),
        received,
    )


def bar_of(row: list[Any], timeframe: Timeframe, swap: bool) -> Bar:
    """A row of ``candles``: volume is in base (spot) or in contracts and then in base (swap), and in quote after that.

    OKX does not count the trades of a candle. Over REST the last field, whether it is over, is not looked at.
    """
    return Bar(
        timeframe,
        from_ms(int(row[0])),
        positive(row[1]),
        positive(row[2]),
        positive(row[3]),
        positive(row[4]),
        volume=number(row[6] if swap else row[5]),
        quote_volume=number(row[7]),
        trade_count=0,
        complete=len(row) < 9 or row[8] == "1",
    )


def _trade(row: dict[str, Any], names: WireMarket, received: Stamp) -> Iterator[Heard]:
    yield trade_of(row, names, received)


def _quote(row: dict[str, Any], names: WireMarket, received: Stamp) -> Iterator[Heard]:
    quote = quote_of(row, names, received)
    if quote is not None:
        yield quote


def _mark(row: dict[str, Any], names: WireMarket, received: Stamp) -> Iterator[Heard]:
    yield MarkTick(names.symbol, positive(row["markPx"]), None, from_ms(int(row["ts"])), received)


def _funding(row: dict[str, Any], names: WireMarket, received: Stamp) -> Iterator[Heard]:
    yield FundingTick(
        names.symbol, signed(row["fundingRate"]), from_ms(int(row["fundingTime"])), from_ms(int(row["ts"])), received
    )


_READERS: dict[str, Callable[[dict[str, Any], WireMarket, Stamp], Iterator[Heard]]] = {
    "trades": _trade,
    "bbo-tbt": _quote,
    "mark-price": _mark,
    "funding-rate": _funding,
}

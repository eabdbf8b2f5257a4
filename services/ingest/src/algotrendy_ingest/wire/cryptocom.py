"""Crypto.com's public socket, Exchange API v1: a channel for each kind and market, all over one address.

Books are checked by ``pu``, which is the ``u`` of the message before; the ``cs`` beside it is over nothing that is
published. Whoever does not answer the heartbeat is cut off. Source: exchange-docs.crypto.com/exchange/v1/rest-ws
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import batched, count
from typing import Any, ClassVar

import orjson
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.money import ZERO
from algotrendy_core.bars import Bar, interval_start

from algotrendy_ingest.adapters.numbers import number, positive, signed
from algotrendy_ingest.domain.ticks import BarTick, Cause, FundingTick, MarkTick, QuoteTick, Stamp, Stream, TradeTick
from algotrendy_ingest.wire.protocol import BookMoved, Heard, Line, Market, Plan, Refusal, Reply, WireMarket, sharded

DEPTH = 50
PERPETUAL = "-PERP"
TIMEFRAMES = {
    "1m": Timeframe.M1, "5m": Timeframe.M5, "15m": Timeframe.M15, "1h": Timeframe.H1, "4h": Timeframe.H4,
    "1D": Timeframe.D1,
}  # fmt: skip
_PATH = "/exchange/v1/market"
_CHANNELS = 40
"""Of one request."""
_MARKETS = 55
"""Of one socket: a perpetual takes seven channels, and a socket no more than 400."""
_FUNDING = timedelta(hours=1)


class CryptocomLine(Line):
    venue: ClassVar[str] = "cryptocom"
    streams: ClassVar[frozenset[Stream]] = frozenset(Stream)
    sends_per_s: ClassVar[float] = 20.0
    """Of the 100 it takes: in a connection's first second it counts them by what is left of that second."""

    def __init__(self, plan: Plan | None = None) -> None:
        super().__init__(plan)
        self._ids = count(1)
        self._indexes: dict[str, str] = {}
        self._candles: dict[tuple[str, Timeframe], Bar] = {}

    @classmethod
    def market_of(cls, symbol: str) -> WireMarket:
        base, _, quote = symbol.removesuffix(PERPETUAL).partition("-")
        if not base or not quote or "-" in quote:
            raise ValueError(f"{symbol} is no pair")
        return WireMarket(symbol, f"{base}{quote}{PERPETUAL}" if symbol.endswith(PERPETUAL) else f"{base}_{quote}")

    @classmethod
    def market_named(cls, id: str) -> WireMarket:
        """Perpetuals are all quoted and settled in USD."""
        if id.endswith(f"USD{PERPETUAL}") and id != f"USD{PERPETUAL}":
            return WireMarket(f"{id.removesuffix(f'USD{PERPETUAL}')}-USD{PERPETUAL}", id)
        base, _, quote = id.partition("_")
        if not base or not quote or not f"{base}{quote}".isalnum():
            raise ValueError(f"{id} does not tell base and quote")
        return WireMarket(f"{base}-{quote}", id)

    @classmethod
    def plans(cls, markets: Sequence[WireMarket], streams: frozenset[Stream]) -> list[Plan]:
        if streams == {Stream.MARKS}:
            markets = [market for market in markets if market.symbol.endswith(PERPETUAL)]
        return [Plan(_PATH, streams, some) for some in sharded(markets, _MARKETS)]

    def subscribe(self, plan: Plan) -> list[str]:
        return self._requests("subscribe", _channels(plan))

    def unsubscribe(self, plan: Plan) -> list[str]:
        return self._requests("unsubscribe", _channels(plan))

    def heal(self, market: Market) -> list[str]:
        channel = f"book.{market.names.id}.{DEPTH}"
        return [*self._requests("unsubscribe", [channel]), *self._requests("subscribe", [channel])]

    def remove(self, names: WireMarket) -> None:
        super().remove(names)
        self._indexes.pop(_index_of(names.id), None)
        for timeframe in Timeframe:
            self._candles.pop((names.id, timeframe), None)

    def read(self, raw: str | bytes, received: Stamp) -> list[Heard]:
        message = orjson.loads(raw)
        method = message["method"]
        if method == "public/heartbeat":
            return [Reply(f'{{"id":{int(message["id"])},"method":"public/respond-heartbeat"}}')]
        if message.get("code", 0) != 0:
            said = message.get("message") or "no reason given"
            return [Refusal(f"{said} ({message['code']}): {message.get('original') or method}")]
        result = message.get("result")
        if method != "subscribe" or result is None:
            return []
        id, rows = result["instrument_name"], result["data"]
        match result["channel"]:
            case "trade":
                # The newest is first, and those of before the subscription come with it.
                return [trade_of(row, self.market(id).names, received) for row in sorted(rows, key=tape_order)]
            case "book":
                return self._book(self.market(id), rows, received)
            case "book.update":
                return self._update(self.market(id), rows, received)
            case "ticker":
                return [quote for row in rows if (quote := _quote(row, self.market(id).names, received)) is not None]
            case "candlestick":
                return self._candle(self.market(id), TIMEFRAMES.get(result["interval"]), rows, received)
            case "index":
                self._indexes[id] = rows[-1]["v"]
                return []
            case "mark":
                return [self._mark(row, self.market(id).names, received) for row in rows]
            case "funding":
                return [_funding(row, self.market(id).names, received) for row in rows]
        return []

    def _book(self, market: Market, rows: list[dict[str, Any]], received: Stamp) -> list[Heard]:
        row, book = rows[-1], market.book
        book.bids.reset(row["bids"])
        book.asks.reset(row["asks"])
        book.ready = True
        return self._moved(market, row, received)

    def _update(self, market: Market, rows: list[dict[str, Any]], received: Stamp) -> list[Heard]:
        """A book that nothing happened to is told every few seconds, by an update without a level."""
        heard: list[Heard] = []
        book = market.book
        for row in rows:
            if not book.ready:
                break
            if (on := int(row["pu"])) != book.sequence:
                if on < book.sequence and int(row["u"]) <= book.sequence:
                    market.checks.repeated += 1
                    continue
                heard.append(market.lose(Cause.SEQUENCE, f"a change of {on} came after {book.sequence}"))
                break
            change = row["update"]
            for side, levels in ((book.bids, change.get("bids", ())), (book.asks, change.get("asks", ()))):
                side.apply(levels)
                side.cut(DEPTH)
            market.checks.sequence_right += 1
            heard += self._moved(market, row, received)
        return heard

    def _moved(self, market: Market, row: dict[str, Any], received: Stamp) -> list[Heard]:
        book = market.book
        # After the levels: what stopped halfway through them is found out by the next message.
        book.sequence = int(row["u"])
        book.event_time_ms = int(row["t"])
        if book.crossed:
            bid, ask = book.bids.best(1)[0][0], book.asks.best(1)[0][0]
            return [market.lose(Cause.CROSSED, f"bid {bid}, ask {ask}")]
        return [BookMoved(market.names.symbol, received)]

    def _candle(
        self, market: Market, timeframe: Timeframe | None, rows: Iterable[dict[str, Any]], received: Stamp
    ) -> list[Heard]:
        """A candle does not say that it is final: the next one's first word does."""
        heard: list[Heard] = []
        if timeframe is None:
            return heard
        symbol, key = market.names.symbol, (market.names.id, timeframe)
        for bar in sorted((bar_of(row, timeframe, False) for row in rows), key=lambda bar: bar.open_time):
            before = self._candles.get(key)
            if before is not None and bar.open_time < before.open_time:
                continue
            if before is not None and bar.open_time > before.open_time:
                heard.append(BarTick(symbol, replace(before, complete=True), received))
            self._candles[key] = bar
            heard.append(BarTick(symbol, bar, received))
        return heard

    def _mark(self, row: dict[str, Any], names: WireMarket, received: Stamp) -> MarkTick:
        index = self._indexes.get(_index_of(names.id))
        return MarkTick(
            names.symbol, positive(row["v"]), positive(index) if index else None, from_ms(int(row["t"])), received
        )

    def _requests(self, method: str, channels: Iterable[str]) -> list[str]:
        """Books by themselves: what is said of them would be refused of other channels."""
        books: list[str] = []
        others: list[str] = []
        for channel in channels:
            (books if channel.startswith("book.") else others).append(channel)
        told: dict[str, str | int] = {}
        if method == "subscribe":
            told = {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10}
        return [
            json.dumps({"id": next(self._ids), "method": method, "params": {"channels": list(some), **more}})
            for found, more in ((others, {}), (books, told))
            for some in batched(found, _CHANNELS)
        ]


def trade_of(row: dict[str, Any], names: WireMarket, received: Stamp) -> TradeTick:
    return TradeTick(
        symbol=names.symbol,
        trade_id=str(row["d"]),
        sequence=None,  # the ids rise, and leave numbers out
        price=positive(row["p"]),
        quantity=positive(row["q"]) * names.contract_size,
        side=Side(row["s"].lower()),
        event_time=from_ms(int(row["t"])),
        received=received,
    )


def tape_order(row: dict[str, Any]) -> tuple[int, int]:
    """By the nanosecond where there is one, then by id."""
    return int(row.get("tn") or int(row["t"]) * 1_000_000), int(row["d"])


def _quote(row: dict[str, Any], names: WireMarket, received: Stamp) -> QuoteTick | None:
    """None while a side of the book is empty: its fields are null or left out."""
    if not row.get("b") or not row.get("k"):
        return None
    size = names.contract_size
    return QuoteTick(
        names.symbol,
        positive(row["b"]),
        number(row["bs"]) * size,
        positive(row["k"]),
        number(row["ks"]) * size,
        from_ms(int(row["t"])),
        received,
    )


def _funding(row: dict[str, Any], names: WireMarket, received: Stamp) -> FundingTick:
    """Paid at every whole hour, which the message does not say. ``estimatedfunding`` is of later payments."""
    time = from_ms(int(row["t"]))
    return FundingTick(names.symbol, signed(row["v"]), interval_start(time, Timeframe.H1) + _FUNDING, time, received)


def bar_of(row: dict[str, Any], timeframe: Timeframe, complete: bool) -> Bar:
    """Crypto.com tells neither the volume in quote nor how many trades there were."""
    return Bar(
        timeframe,
        from_ms(int(row["t"])),
        positive(row["o"]),
        positive(row["h"]),
        positive(row["l"]),
        positive(row["c"]),
        volume=number(row["v"]),
        quote_volume=ZERO,
        trade_count=0,
        complete=complete,
    )


def _index_of(id: str) -> str:
    return f"{id.removesuffix(PERPETUAL)}-INDEX"


def _channels(plan: Plan) -> list[str]:
    named = {
        Stream.TRADES: ("trade.{}",),
        Stream.QUOTES: ("ticker.{}",),
        Stream.BOOKS: (f"book.{{}}.{DEPTH}",),
        Stream.CANDLES: ("candlestick.1m.{}",),
    }
    found = []
    for market in plan.markets:
        found += [channel.format(market.id) for stream in named if stream in plan.streams for channel in named[stream]]
        if Stream.MARKS in plan.streams and market.symbol.endswith(PERPETUAL):
            found += [f"index.{_index_of(market.id)}", f"mark.{market.id}", f"funding.{market.id}"]
    return found

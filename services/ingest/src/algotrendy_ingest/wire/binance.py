"""Binance's public sockets: spot, and USDT perpetuals at an address of their own. A socket for each kind of stream.

Spot numbers its trades without holes and gives its best prices neither a name nor a time; futures put a taker's trades
at one price together and number those. Source: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
and …/docs/derivatives/usds-margined-futures/websocket-market-streams
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import batched, count
from typing import Any, ClassVar

import orjson
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side, Timeframe
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.numbers import number, positive, signed
from algotrendy_ingest.domain.ticks import BarTick, FundingTick, MarkTick, QuoteTick, Stamp, Stream, TradeTick
from algotrendy_ingest.wire.binance_depth import DepthRow
from algotrendy_ingest.wire.binance_names import FUTURES_STREAM, PERPETUAL, id_of, is_futures, symbol_of
from algotrendy_ingest.wire.protocol import Heard, Line, Market, Plan, Refusal, WireMarket, sharded

_MARKETS = 150
"""Of one socket and kind of stream: at most 200 streams on futures, 1,024 on spot."""
_ARGUMENTS = 50
_SNAPSHOT_LEVELS = 1000


class BinanceLine(Line):
    venue: ClassVar[str] = "binance"
    streams: ClassVar[frozenset[Stream]] = frozenset(Stream)
    sends_per_s: ClassVar[float] = 4.0

    def __init__(self, plan: Plan | None = None) -> None:
        super().__init__(plan)
        self._futures = plan is not None and plan.host == FUTURES_STREAM
        self._rows: dict[str, DepthRow] = {}
        self._requests = count(1)

    def opened(self, url: str) -> None:
        self._futures = is_futures(url)

    @classmethod
    def market_of(cls, symbol: str) -> WireMarket:
        return WireMarket(symbol, id_of(symbol))

    @classmethod
    def market_named(cls, id: str) -> WireMarket:
        """As a spot market: the same name is a perpetual's on another socket."""
        return WireMarket(symbol_of(id, perpetual=False), id)

    @classmethod
    def plans(cls, markets: Sequence[WireMarket], streams: frozenset[Stream]) -> list[Plan]:
        found = []
        for futures in (False, True):
            of_kind = [market for market in markets if market.symbol.endswith(PERPETUAL) is futures]
            wanted = streams if futures else streams - {Stream.MARKS}
            host = FUTURES_STREAM if futures else None
            for stream in sorted(wanted):
                found += [Plan("/ws", frozenset({stream}), some, host) for some in sharded(of_kind, _MARKETS)]
        return found

    def subscribe(self, plan: Plan) -> list[str]:
        return self._asked("SUBSCRIBE", plan)

    def unsubscribe(self, plan: Plan) -> list[str]:
        return self._asked("UNSUBSCRIBE", plan)

    def heal(self, market: Market) -> list[str]:
        return []

    def remove(self, names: WireMarket) -> None:
        super().remove(names)
        self._rows.pop(names.id, None)

    def market(self, id: str) -> Market:
        if self._open and id not in self.markets:
            self.add(WireMarket(symbol_of(id, perpetual=self._futures), id))
        return super().market(id)

    def snapshot_path(self, market: Market) -> str | None:
        path = "/fapi/v1/depth" if self._futures else "/api/v3/depth"
        return f"{path}?symbol={market.names.id}&limit={_SNAPSHOT_LEVELS}"

    def snapshot(self, symbol: str, raw: str | bytes, received: Stamp) -> list[Heard]:
        market = self.find(symbol)
        return [] if market is None else self._row(market).snapshot(orjson.loads(raw), received)

    def read(self, raw: str | bytes, received: Stamp) -> list[Heard]:
        message = orjson.loads(raw)
        if "stream" in message:
            message = message["data"]
        kind = message.get("e")
        if kind == "depthUpdate":
            market = self.market(message["s"])
            return self._row(market).hear(message, received)
        if kind == "bookTicker" or (kind is None and "A" in message):
            return [self._quote(message, received)]
        if kind == "trade":
            return [trade_of(message, self.market(message["s"]).names.symbol, received)]
        if kind == "aggTrade":
            return [aggregate_of(message, self.market(message["s"]).names.symbol, received)]
        if kind == "kline":
            return [candle_of(message["k"], self.market(message["s"]).names.symbol, received)]
        if kind == "markPriceUpdate":
            return list(_marks(message, self.market(message["s"]).names.symbol, received))
        return [Refusal(str(message))] if "error" in message else []

    def _row(self, market: Market) -> DepthRow:
        row = self._rows.get(market.names.id)
        if row is None:
            row = self._rows[market.names.id] = DepthRow(market)
        return row

    def _quote(self, message: dict[str, Any], received: Stamp) -> QuoteTick:
        symbol = self.market(message["s"]).names.symbol
        time = from_ms(message["T"]) if "T" in message else self.newest.time or received.time
        return quote_of(message, symbol, time, received)

    def _asked(self, method: str, plan: Plan) -> list[str]:
        names = (name for market in plan.markets for name in self._stream_names(market, plan.streams))
        return [
            json.dumps({"method": method, "params": list(some), "id": next(self._requests)}, separators=(",", ":"))
            for some in batched(names, _ARGUMENTS)
        ]

    def _stream_names(self, market: WireMarket, streams: frozenset[Stream]) -> Iterator[str]:
        name = market.id.lower()
        suffixes = {
            Stream.TRADES: "aggTrade" if self._futures else "trade",
            Stream.QUOTES: "bookTicker",
            Stream.BOOKS: "depth@100ms",
            Stream.CANDLES: "kline_1m",
            Stream.MARKS: "markPrice@1s",
        }
        return (f"{name}@{suffixes[stream]}" for stream in sorted(streams))


def trade_of(message: dict[str, Any], symbol: str, received: Stamp) -> TradeTick:
    """A ``trade`` message."""
    sequence = int(message["t"])
    return TradeTick(
        symbol=symbol,
        trade_id=str(sequence),
        sequence=sequence,
        price=positive(message["p"]),
        quantity=positive(message["q"]),
        side=Side.SELL if message["m"] else Side.BUY,
        event_time=from_ms(message["T"]),
        received=received,
    )


def aggregate_of(message: dict[str, Any], symbol: str, received: Stamp) -> TradeTick:
    """An ``aggTrade`` message, or a row of ``aggTrades``: numbered by itself, without holes."""
    sequence = int(message["a"])
    return TradeTick(
        symbol=symbol,
        trade_id=str(sequence),
        sequence=sequence,
        price=positive(message["p"]),
        quantity=positive(message["q"]),
        side=Side.SELL if message["m"] else Side.BUY,
        event_time=from_ms(message["T"]),
        received=received,
    )


def quote_of(message: dict[str, Any], symbol: str, event_time: datetime, received: Stamp) -> QuoteTick:
    """A ``bookTicker`` message, which on spot has neither a name nor a time."""
    return QuoteTick(
        symbol, positive(message["b"]), number(message["B"]), positive(message["a"]), number(message["A"]),
        event_time, received,
    )  # fmt: skip


def candle_of(row: dict[str, Any], symbol: str, received: Stamp) -> BarTick:
    """The ``k`` of a ``kline`` message."""
    bar = Bar(
        Timeframe(row["i"]),
        from_ms(row["t"]),
        positive(row["o"]),
        positive(row["h"]),
        positive(row["l"]),
        positive(row["c"]),
        volume=number(row["v"]),
        quote_volume=number(row["q"]),
        trade_count=int(row["n"]),
        complete=bool(row["x"]),
    )
    return BarTick(symbol, bar, received)


def _marks(message: dict[str, Any], symbol: str, received: Stamp) -> Iterator[Heard]:
    time = from_ms(message["E"])
    yield MarkTick(symbol, positive(message["p"]), positive(message["i"]), time, received)
    if message["r"]:  # empty on what is delivered at a date
        yield FundingTick(symbol, signed(message["r"]), from_ms(message["T"]), time, received)

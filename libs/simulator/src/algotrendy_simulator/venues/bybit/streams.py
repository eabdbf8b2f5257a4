"""Bybit's public streams, one socket address for each category: trades, tickers, books and candles by topic.

Trades leave with the change that made them, the rest every 100 ms of wall time. Invariant: whoever joins a ticker or
a book is given a snapshot first and misses no delta after it, unless one is left out on purpose.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import WSMsgType, web
from algotrendy_common.ids import new_id

from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import MinuteClosed, TapeTrade, VenueEvent
from algotrendy_simulator.market import Market
from algotrendy_simulator.timings import Stamp, Timings, TradeSent
from algotrendy_simulator.venues.binance.sockets import PING_INTERVAL_S, SPOILING, Socket
from algotrendy_simulator.venues.bybit import wire
from algotrendy_simulator.venues.bybit.depth import DEPTHS, BookTopic
from algotrendy_simulator.venues.bybit.products import LINEAR, Products, category_of, symbol_of
from algotrendy_simulator.venues.bybit.wire import Json

FLUSH_S = 0.1
type Topic = tuple[str, str]
"""Category and topic, ``("spot", "publicTrade.BTCUSDT")``."""


@dataclass(slots=True, eq=False)
class _Subscriber:
    socket: Socket
    category: str
    connection: str
    topics: set[str] = field(default_factory=set)


class Streams:
    def __init__(
        self, exchange: Exchange, products: Products, venue_time_ms: Callable[[], int], timings: Timings
    ) -> None:
        self._products = products
        self._exchange = exchange
        self._venue_time_ms = venue_time_ms
        self._timings = timings
        self._sockets: set[_Subscriber] = set()
        self._subscribers: dict[Topic, list[_Subscriber]] = defaultdict(list)
        self._books: dict[Topic, BookTopic] = {}
        self._tickers: dict[Topic, Json] = {}
        self._candles: dict[str, Any] = {}
        self._gaps: set[str] = set()
        self.muted = False
        exchange.listeners.append(self._hear)

    @property
    def socket_count(self) -> int:
        return len(self._sockets)

    @property
    def names(self) -> list[str]:
        """The topics somebody listens to, ``spot/publicTrade.BTCUSDT``."""
        return sorted("/".join(topic) for topic in self._subscribers)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(heartbeat=PING_INTERVAL_S, compress=False)
        await websocket.prepare(request)
        subscriber = _Subscriber(
            Socket(websocket, request.transport, request.app.get(SPOILING)), request.match_info["category"], new_id()
        )
        self._sockets.add(subscriber)
        try:
            async for message in websocket:
                if message.type is WSMsgType.TEXT:
                    self._answer(subscriber, message.data)
        finally:
            self._unsubscribe(subscriber, list(subscriber.topics))
            self._sockets.discard(subscriber)
            subscriber.socket.cut()
        return websocket

    def drop(self) -> int:
        """Cut all sockets; how many there were."""
        for subscriber in list(self._sockets):
            subscriber.socket.cut()
        return len(self._sockets)

    def lose_depth(self, symbol: str) -> None:
        """Have the next delta of a market's books not sent, so that its readers see a hole."""
        self._gaps.add(symbol)

    async def close(self) -> None:
        for subscriber in list(self._sockets):
            await subscriber.socket.close()

    async def run(self) -> None:
        """Send for ever what is sent by the wall's clock."""
        while True:
            await asyncio.sleep(FLUSH_S)
            for market in self._exchange.markets.values():
                self._flush(market)

    def _answer(self, subscriber: _Subscriber, text: str) -> None:
        try:
            request = json.loads(text)
            operation, topics, request_id = request["op"], request.get("args") or [], request.get("req_id", "")
        except (ValueError, TypeError, KeyError, AttributeError):
            self._say(subscriber, success=False, ret_msg="Invalid JSON", op="")
            return
        known = [topic for topic in topics if self._market_of(subscriber.category, topic) is not None]
        unknown = [topic for topic in topics if topic not in known]
        reply: Json = {"success": True, "ret_msg": operation, "req_id": request_id, "op": operation}
        if operation == "ping":
            reply["ret_msg"] = "pong"
        elif operation not in ("subscribe", "unsubscribe") or not topics or unknown:
            known = []
            reply |= {"success": False, "ret_msg": f"error:handler not found,topic:{','.join(map(str, unknown))}"}
        self._say(subscriber, **reply)
        if operation == "subscribe":
            self._subscribe(subscriber, known)
        elif operation == "unsubscribe":
            self._unsubscribe(subscriber, known)

    def _say(self, subscriber: _Subscriber, **values: Any) -> None:
        subscriber.socket.send(json.dumps(values | {"conn_id": subscriber.connection}))

    def _market_of(self, category: str, topic: object) -> Market | None:
        """The market of a topic that this category has, else None."""
        match str(topic).split("."):
            case ["publicTrade" | "tickers", symbol]:
                return self._products.find(category, symbol)
            case ["orderbook", depth, symbol] if depth in map(str, DEPTHS):
                return self._products.find(category, symbol)
            case ["kline", interval, symbol] if interval in wire.INTERVALS_MS:
                return self._products.find(category, symbol)
        return None

    def _subscribe(self, subscriber: _Subscriber, topics: list[str]) -> None:
        for name in topics:
            if name in subscriber.topics:
                continue
            topic = subscriber.category, name
            subscriber.topics.add(name)
            self._subscribers[topic].append(subscriber)
            market = self._market_of(*topic)
            assert market is not None
            if name.startswith("orderbook."):
                book = self._books.setdefault(topic, BookTopic(market, int(name.split(".")[1])))
                self._send_to([subscriber], self._message(name, "snapshot", book.snapshot()))
            elif name.startswith("tickers."):
                shown = self._tickers.setdefault(topic, wire.ticker(market, self._venue_time_ms()))
                self._send_to([subscriber], self._message(name, "snapshot", shown))

    def _unsubscribe(self, subscriber: _Subscriber, topics: list[str]) -> None:
        for name in topics:
            topic = subscriber.category, name
            if name in subscriber.topics:
                subscriber.topics.discard(name)
                self._subscribers[topic].remove(subscriber)
                if not self._subscribers[topic]:
                    for kept in (self._subscribers, self._books, self._tickers):
                        kept.pop(topic, None)

    def _hear(self, event: VenueEvent) -> None:
        match event:
            case TapeTrade():
                self._tell_trade(event)
            case MinuteClosed():
                self._tell_closed(self._exchange.markets[event.symbol], event)

    def _tell_trade(self, trade: TapeTrade) -> None:
        market = self._exchange.markets[trade.symbol]

        def stamp() -> None:
            self._timings.trades.append(TradeSent(trade.symbol, trade.trade_id, trade.time_ms, Stamp.now()))

        topic = category_of(market), f"publicTrade.{symbol_of(market)}"
        self._send(topic, "snapshot", lambda: [wire.trade_data(market, trade)], stamp)

    def _tell_closed(self, market: Market, event: MinuteClosed) -> None:
        end_ms = event.candle.open_time_ms + wire.INTERVALS_MS["1"]
        for interval, span_ms in wire.INTERVALS_MS.items():
            topic = category_of(market), f"kline.{interval}.{symbol_of(market)}"
            if end_ms % span_ms == 0 and topic in self._subscribers:
                candle = market.candles.spans(span_ms, end_ms - span_ms, end_ms)[0]
                self._send(topic, "snapshot", partial(_one, wire.kline_data(candle, interval, True, end_ms)))

    def _flush(self, market: Market) -> None:
        category, symbol = category_of(market), symbol_of(market)
        now_ms = self._venue_time_ms()
        for depth in DEPTHS:
            self._flush_book(market, (category, f"orderbook.{depth}.{symbol}"))
        self._gaps.discard(market.wire_symbol)
        self._flush_ticker(market, (category, f"tickers.{symbol}"), now_ms)
        if self._candles.get(market.wire_symbol) == market.candles.running:
            return
        self._candles[market.wire_symbol] = market.candles.running
        for interval, span_ms in wire.INTERVALS_MS.items():
            topic = category, f"kline.{interval}.{symbol}"
            if topic in self._subscribers:
                begin = market.candles.running.open_time_ms
                candle = market.candles.spans(span_ms, begin - begin % span_ms, begin + 1)[0]
                self._send(topic, "snapshot", partial(_one, wire.kline_data(candle, interval, False, now_ms)))

    def _flush_book(self, market: Market, topic: Topic) -> None:
        book = self._books.get(topic)
        delta = book.delta() if book is not None else None
        if book is not None and delta is not None and market.wire_symbol not in self._gaps:
            # Of the best prices alone every message is a snapshot.
            only_best = topic[1].startswith("orderbook.1.")
            told = book.snapshot() if only_best else delta
            self._send(topic, "snapshot" if only_best else "delta", lambda: told)

    def _flush_ticker(self, market: Market, topic: Topic, now_ms: int) -> None:
        before = self._tickers.get(topic)
        if before is None:
            return
        now = self._tickers[topic] = wire.ticker(market, now_ms)
        changed = {name: value for name, value in now.items() if before[name] != value}
        if not changed:
            return
        if topic[0] == LINEAR:
            self._send(topic, "delta", lambda: {"symbol": now["symbol"], **changed})
        else:
            self._send(topic, "snapshot", lambda: now)

    def _send(self, topic: Topic, kind: str, make: Callable[[], Any], before: Callable[[], None] | None = None) -> None:
        """Make the message once, if anybody listens, and queue it to all who do."""
        subscribers = self._subscribers.get(topic)
        if subscribers:
            self._send_to(list(subscribers), self._message(topic[1], kind, make()), before)

    def _send_to(self, subscribers: list[_Subscriber], text: str, before: Callable[[], None] | None = None) -> None:
        if not self.muted:
            for subscriber in subscribers:
                subscriber.socket.send(text, before)

    def _message(self, topic: str, kind: str, data: Any) -> str:
        now_ms = self._venue_time_ms()
        message = {"topic": topic, "ts": now_ms, "type": kind, "data": data, "cts": now_ms}
        return json.dumps(message, separators=(",", ":"))


def _one(data: Json) -> list[Json]:
    return [data]

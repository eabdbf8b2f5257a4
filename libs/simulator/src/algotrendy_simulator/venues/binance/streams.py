"""Binance's public streams: trades, best prices, depth, candles and day statistics, by subscription.

Trades and best prices leave with the change that caused them; depth and running candles every 100 ms of wall time,
day tickers every second. Invariant: a symbol's depth messages form one row, each ``U`` the last ``u`` plus one, and
their quantities are absolute, so a REST snapshot taken at any moment fits into the row.
"""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import WSMsgType, web

from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BookChanged, MinuteClosed, TapeTrade, VenueEvent
from algotrendy_simulator.market import Market
from algotrendy_simulator.timings import Stamp, Timings, TradeSent
from algotrendy_simulator.venues.binance import wire
from algotrendy_simulator.venues.binance.depth import DepthRow, partial_depth
from algotrendy_simulator.venues.binance.sockets import PING_INTERVAL_S, SPOILING, Socket

FLUSH_S = 0.1
_RATES = ("", "@100ms", "@1000ms")
_STREAM = re.compile(
    r"^[a-z0-9]+@(trade|aggTrade|bookTicker|ticker|miniTicker|depth(5|10|20)?(@100ms|@1000ms)?|kline_\w+)$"
)


@dataclass(slots=True, eq=False)
class _Subscriber:
    socket: Socket
    combined: bool
    streams: set[str] = field(default_factory=set)


class Streams:
    def __init__(self, exchange: Exchange, venue_time_ms: Callable[[], int], timings: Timings) -> None:
        self._exchange = exchange
        self._venue_time_ms = venue_time_ms
        self._timings = timings
        self._subscribers: dict[str, list[_Subscriber]] = defaultdict(list)
        self._sockets: set[_Subscriber] = set()
        self._depth = {symbol: DepthRow(market) for symbol, market in exchange.markets.items()}
        self._best: dict[str, Any] = {}
        self._flushed: dict[str, Any] = {}
        self._gaps: set[str] = set()
        self.muted = False
        exchange.listeners.append(self._hear)

    @property
    def socket_count(self) -> int:
        return len(self._sockets)

    @property
    def names(self) -> list[str]:
        """The streams somebody listens to."""
        return sorted(self._subscribers)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(heartbeat=PING_INTERVAL_S, compress=False)
        await websocket.prepare(request)
        subscriber = _Subscriber(
            Socket(websocket, request.transport, request.app.get(SPOILING)), combined=request.path.startswith("/stream")
        )
        self._sockets.add(subscriber)
        named = request.query.get("streams", request.match_info.get("streams", "")).split("/")
        self._subscribe(subscriber, [name for name in named if _STREAM.match(name)])
        try:
            async for message in websocket:
                if message.type is WSMsgType.TEXT:
                    subscriber.socket.send(self._answer(subscriber, message.data))
        finally:
            self._unsubscribe(subscriber, list(subscriber.streams))
            self._sockets.discard(subscriber)
            subscriber.socket.cut()
        return websocket

    def drop(self) -> int:
        """Cut all sockets; how many there were."""
        for subscriber in list(self._sockets):
            subscriber.socket.cut()
        return len(self._sockets)

    def lose_depth(self, symbol: str) -> None:
        """Have the next depth message of a symbol not sent, so that its readers see a hole."""
        self._gaps.add(symbol)

    async def close(self) -> None:
        for subscriber in list(self._sockets):
            await subscriber.socket.close()

    async def run(self) -> None:
        """Send for ever what is sent by the wall's clock."""
        turn = 0
        while True:
            await asyncio.sleep(FLUSH_S)
            turn += 1
            for market in self._exchange.markets.values():
                self._flush(market, every_second=turn % 10 == 0)

    def _answer(self, subscriber: _Subscriber, text: str) -> str:
        try:
            request = json.loads(text)
            method, names = request["method"], request.get("params") or []
            known = all(isinstance(name, str) and _STREAM.match(name) for name in names)
        except (ValueError, TypeError, KeyError, AttributeError):
            return json.dumps({"error": {"code": 3, "msg": "Invalid JSON"}, "id": None})
        result: Any = None
        if method == "LIST_SUBSCRIPTIONS":
            result = sorted(subscriber.streams)
        elif method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return json.dumps({"error": {"code": 2, "msg": "Invalid request: unknown method"}, "id": request.get("id")})
        elif not known:
            return json.dumps({"error": {"code": 2, "msg": "Invalid request: invalid stream"}, "id": request.get("id")})
        elif method == "SUBSCRIBE":
            self._subscribe(subscriber, names)
        else:
            self._unsubscribe(subscriber, names)
        return json.dumps({"result": result, "id": request.get("id")})

    def _subscribe(self, subscriber: _Subscriber, names: list[str]) -> None:
        for name in names:
            if name not in subscriber.streams:
                subscriber.streams.add(name)
                self._subscribers[name].append(subscriber)

    def _unsubscribe(self, subscriber: _Subscriber, names: list[str]) -> None:
        for name in names:
            if name in subscriber.streams:
                subscriber.streams.discard(name)
                self._subscribers[name].remove(subscriber)
                if not self._subscribers[name]:
                    del self._subscribers[name]

    def _hear(self, event: VenueEvent) -> None:
        match event:
            case TapeTrade():
                self._tell_trade(event)
            case BookChanged():
                self._depth[event.symbol].note()
                self._tell_best(self._exchange.markets[event.symbol])
            case MinuteClosed():
                self._tell_closed(self._exchange.markets[event.symbol], event)

    def _tell_trade(self, trade: TapeTrade) -> None:
        name = trade.symbol.lower()

        def stamp() -> None:
            self._timings.trades.append(TradeSent(trade.symbol, trade.trade_id, trade.time_ms, Stamp.now()))

        self._send(f"{name}@trade", partial(wire.trade_event, trade), stamp)
        self._send(f"{name}@aggTrade", partial(wire.aggregate_trade_event, trade), stamp)

    def _tell_best(self, market: Market) -> None:
        best = wire.best_levels(market)
        if self._best.get(market.wire_symbol) != best:
            self._best[market.wire_symbol] = best
            self._send(f"{market.wire_symbol.lower()}@bookTicker", partial(wire.book_ticker_event, market))

    def _tell_closed(self, market: Market, event: MinuteClosed) -> None:
        minute_ms = wire.INTERVALS_MS["1m"]
        end_ms = event.candle.open_time_ms + minute_ms
        for interval, span_ms in wire.INTERVALS_MS.items():
            name = f"{market.wire_symbol.lower()}@kline_{interval}"
            if end_ms % span_ms == 0 and name in self._subscribers:
                candle = market.candles.spans(span_ms, end_ms - span_ms, end_ms)[0]
                self._send(name, partial(wire.kline_event, market, candle, interval, True, end_ms))

    def _flush(self, market: Market, every_second: bool) -> None:
        symbol, name = market.wire_symbol, market.wire_symbol.lower()
        now_ms = self._venue_time_ms()
        if not self._exchange.delivery.books_frozen:
            self._flush_depth(market, now_ms)
        if self._flushed.get(symbol) != market.candles.running:
            self._flushed[symbol] = market.candles.running
            for interval, span_ms in wire.INTERVALS_MS.items():
                stream = f"{name}@kline_{interval}"
                if stream in self._subscribers:
                    begin = market.candles.running.open_time_ms
                    candle = market.candles.spans(span_ms, begin - begin % span_ms, begin + 1)[0]
                    self._send(stream, partial(wire.kline_event, market, candle, interval, False, now_ms))
        if every_second:
            self._send(f"{name}@ticker", partial(wire.day_ticker_event, market, now_ms))
            self._send(f"{name}@miniTicker", partial(wire.mini_ticker_event, market, now_ms))

    def _flush_depth(self, market: Market, now_ms: int) -> None:
        message = self._depth[market.wire_symbol].next_message(now_ms)
        if message is None:
            return
        name = market.wire_symbol.lower()
        if market.wire_symbol in self._gaps:
            self._gaps.discard(market.wire_symbol)
        else:
            for rate in _RATES:
                self._send(f"{name}@depth{rate}", lambda: message)
        for depth in (5, 10, 20):
            for rate in _RATES:
                self._send(f"{name}@depth{depth}{rate}", partial(partial_depth, market, depth))

    def _send(self, stream: str, make: Callable[[], Any], before: Callable[[], None] | None = None) -> None:
        """Make the message once, if anybody listens, and queue it to all who do."""
        subscribers = self._subscribers.get(stream)
        if not subscribers or self.muted:
            return
        text = json.dumps(make(), separators=(",", ":"))
        for subscriber in list(subscribers):
            wrapped = f'{{"stream":"{stream}","data":{text}}}' if subscriber.combined else text
            subscriber.socket.send(wrapped, before)

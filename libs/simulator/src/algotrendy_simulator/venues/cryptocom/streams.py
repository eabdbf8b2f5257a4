"""Crypto.com's two sockets, ``/market`` and ``/user``: subscriptions, heartbeats, and for the second ``public/auth``.

Trades and the account's own messages leave with the change that made them, the rest every 100 ms of wall time.
Invariant: a user channel hears the events of the account that authenticated and of no other, in the order of the books;
whoever does not answer a heartbeat is cut off.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web
from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BalancesChanged, MinuteClosed, OrderChanged, TapeTrade, VenueEvent
from algotrendy_simulator.market import Market
from algotrendy_simulator.timings import Stamp, Timings, TradeSent
from algotrendy_simulator.venues.binance.sockets import PING_INTERVAL_S, SPOILING, Socket
from algotrendy_simulator.venues.cryptocom import wire
from algotrendy_simulator.venues.cryptocom.channels import BookChannel, market_of, message
from algotrendy_simulator.venues.cryptocom.public_operations import Instruments
from algotrendy_simulator.venues.cryptocom.refusals import METHOD_NOT_FOUND, UNAUTHORIZED, CryptocomError, malformed
from algotrendy_simulator.venues.cryptocom.requests import Call, read_call, verified
from algotrendy_simulator.venues.cryptocom.wire import Json, name_of

FLUSH_S = 0.1
HEARTBEAT_S = 30.0
PATIENCE_S = 5.0


@dataclass(slots=True, eq=False)
class _Client:
    socket: Socket
    user: bool
    account: Account | None = None
    channels: set[str] = field(default_factory=set)
    awaited: int | None = None
    """Id of the heartbeat it has not answered."""


class Streams:
    def __init__(
        self,
        exchange: Exchange,
        instruments: Instruments,
        clock: Clock,
        venue_time_ms: Callable[[], int],
        timings: Timings,
    ) -> None:
        self._exchange = exchange
        self._instruments = instruments
        self._clock = clock
        self._venue_time_ms = venue_time_ms
        self._timings = timings
        self._clients: set[_Client] = set()
        self._books: dict[str, BookChannel] = {}
        self._flushed: dict[str, tuple[Any, Any]] = {}
        self._gaps: set[str] = set()
        self._ids = count(1)
        self.muted = False
        exchange.listeners.append(self._hear)

    def sockets(self, *, user: bool) -> list[_Client]:
        return [client for client in self._clients if client.user is user]

    def names(self, *, user: bool) -> list[str]:
        """The channels somebody listens to."""
        return sorted({channel for client in self.sockets(user=user) for channel in client.channels})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(heartbeat=PING_INTERVAL_S, compress=False)
        await websocket.prepare(request)
        client = _Client(
            Socket(websocket, request.transport, request.app.get(SPOILING)), request.path.endswith("/user")
        )
        self._clients.add(client)
        beating = asyncio.create_task(self._beat(client))
        try:
            async for received in websocket:
                if received.type is WSMsgType.TEXT:
                    self._answer(client, received.data)
        finally:
            beating.cancel()
            self._clients.discard(client)
            self._forget_books()
            client.socket.cut()
        return websocket

    def drop(self, *, user: bool) -> int:
        """Cut the sockets of one kind; how many there were."""
        cut = self.sockets(user=user)
        for client in cut:
            client.socket.cut()
        return len(cut)

    def lose_depth(self, symbol: str) -> None:
        """Have the next update of a market's books not sent, so that its readers see a hole."""
        self._gaps.add(symbol)

    async def close(self) -> None:
        for client in list(self._clients):
            await client.socket.close()

    async def run(self) -> None:
        """Send for ever what is sent by the wall's clock."""
        while True:
            await asyncio.sleep(FLUSH_S)
            for market in self._instruments.by_name.values():
                self._flush(market)

    async def _beat(self, client: _Client) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            client.awaited = next(self._ids)
            _say(client, {"id": client.awaited, "method": "public/heartbeat", "code": 0})
            await asyncio.sleep(PATIENCE_S)
            if client.awaited is not None:
                client.socket.cut()

    def _answer(self, client: _Client, text: str) -> None:
        call: Call | None = None
        try:
            call = read_call(text)
            joined = self._run(client, call)
        except CryptocomError as error:
            request_id, method = (-1, "ERROR") if call is None else (call.id or -1, call.method)
            failed = {"id": request_id, "method": method, "code": error.code, "message": error.message}
            _say(client, failed | {"original": text})
            return
        if call.method != "public/respond-heartbeat":
            _say(client, {"id": -1 if call.id is None else call.id, "method": call.method, "code": 0})
        for channel in joined:
            self._greet(client, channel)

    def _run(self, client: _Client, call: Call) -> list[str]:
        """Channels that were joined by it."""
        match call.method:
            case "public/respond-heartbeat":
                client.awaited = None
            case "public/auth" if client.user:
                client.account = verified(self._exchange, call, to_ms(self._clock.now()))
            case "subscribe":
                channels = call.parameters.words("channels")
                for channel in channels:
                    self._check(client, channel)
                client.channels.update(channels)
                return channels
            case "unsubscribe":
                client.channels.difference_update(call.parameters.words("channels"))
                self._forget_books()
            case _:
                raise CryptocomError(*METHOD_NOT_FOUND)
        return []

    def _check(self, client: _Client, channel: str) -> None:
        if not client.user:
            if market_of(self._instruments, channel) is None:
                raise malformed(channel)
            return
        if client.account is None:
            raise CryptocomError(*UNAUTHORIZED)
        kind, _, name = channel.partition(".")[2].partition(".")
        known = kind in ("order", "trade") and (not name or name in self._instruments.by_name)
        if not channel.startswith("user.") or not (known or kind in ("balance", "position_balance", "positions")):
            raise malformed(channel)

    def _greet(self, client: _Client, channel: str) -> None:
        """Whoever joins a book or a ticker is told at once how it stands."""
        market = None if client.user else market_of(self._instruments, channel)
        if market is None or self.muted:
            return
        now_ms = self._venue_time_ms()
        if channel.startswith("book."):
            book = self._books.setdefault(channel, BookChannel(market, channel))
            _say(client, book.snapshot(now_ms))
        elif channel.startswith("ticker."):
            _say(client, message(market, channel, [wire.ticker(market, now_ms)]))

    def _forget_books(self) -> None:
        held = {channel for client in self._clients for channel in client.channels}
        self._books = {channel: book for channel, book in self._books.items() if channel in held}

    def _hear(self, event: VenueEvent) -> None:
        match event:
            case TapeTrade():
                market = self._instruments.of_engine(event.symbol)
                if market is not None:
                    self._tell_trade(market, event)
            case MinuteClosed():
                market = self._instruments.of_engine(event.symbol)
                if market is not None:
                    self._tell_candles(market, event.candle.open_time_ms)
            case OrderChanged():
                market = self._instruments.of_engine(event.order.symbol)
                if market is not None:
                    self._tell_order(market, event)
            case BalancesChanged():
                held = [(asset, free + locked, locked) for asset, free, locked in event.balances]
                result = {
                    "subscription": "user.balance", "channel": "user.balance", "data": [wire.position_balances(held)],
                }  # fmt: skip
                told = {"id": -1, "method": "subscribe", "code": 0, "result": result}
                self._tell(event.account, "user.balance", told)

    def _tell_trade(self, market: Market, trade: TapeTrade) -> None:
        def stamp() -> None:
            self._timings.trades.append(TradeSent(trade.symbol, trade.trade_id, trade.time_ms, Stamp.now()))

        channel = f"trade.{name_of(market)}"
        self._send(channel, lambda: message(market, channel, [wire.public_trade(market, trade)]), stamp)

    def _tell_order(self, market: Market, event: OrderChanged) -> None:
        order, fill = event.order, event.fill
        name = name_of(market)
        if fill is not None:
            traded = wire.own_trade(market, fill, order.client_order_id)
            for channel in ("user.trade", f"user.trade.{name}"):
                self._tell(order.account, channel, message(market, channel, [traded], "user.trade"))
        shown = wire.order(market, order, self._exchange.fills_of_order(order.order_id))
        for channel in ("user.order", f"user.order.{name}"):
            self._tell(order.account, channel, message(market, channel, [shown], "user.order"))

    def _tell_candles(self, market: Market, minute_ms: int) -> None:
        for timeframe, span_ms in wire.TIMEFRAMES_MS.items():
            channel = f"candlestick.{timeframe}.{name_of(market)}"
            begin = minute_ms - minute_ms % span_ms
            self._send(
                channel,
                lambda channel=channel, timeframe=timeframe, begin=begin, span_ms=span_ms: message(  # type: ignore[misc]
                    market,
                    channel,
                    [wire.candle(market.candles.spans(span_ms, begin, begin + 1)[0])],
                    interval=timeframe,
                ),
            )

    def _flush(self, market: Market) -> None:
        now_ms, name = self._venue_time_ms(), name_of(market)
        for channel, book in list(self._books.items()):
            if channel.split(".")[1] == name:
                update = book.update(now_ms)
                if update is not None and market.wire_symbol not in self._gaps:
                    self._send(channel, lambda update=update: update)  # type: ignore[misc]
        self._gaps.discard(market.wire_symbol)
        seen = market.engine.book.sequence, market.candles.running
        if self._flushed.get(name) == seen:
            return
        self._flushed[name] = seen
        ticker = f"ticker.{name}"
        self._send(ticker, lambda: message(market, ticker, [wire.ticker(market, now_ms)]))
        self._tell_candles(market, market.candles.running.open_time_ms)

    def _send(self, channel: str, make: Callable[[], Json], before: Callable[[], None] | None = None) -> None:
        """Make the message once, if anybody listens, and queue it to all who do."""
        listening = [client for client in self._clients if not client.user and channel in client.channels]
        if listening and not self.muted:
            text = json.dumps(make(), separators=(",", ":"))
            for client in listening:
                client.socket.send(text, before)

    def _tell(self, account: str, channel: str, told: Json) -> None:
        for client in self._clients:
            if client.account is not None and client.account.name == account and channel in client.channels:
                _say(client, told)


def _say(client: _Client, values: Json) -> None:
    client.socket.send(json.dumps(values, separators=(",", ":")))

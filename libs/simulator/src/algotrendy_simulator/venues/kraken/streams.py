"""Kraken's second WebSocket: subscriptions to market channels and to an account's ``executions`` and ``balances``.

Trades and best prices leave with the change that caused them, books and running candles every 100 ms of wall time,
heartbeats every second. Invariant: a subscription's book messages form one row from its snapshot on; private channels
tell of the account whose token subscribed and of no other, numbered by ``sequence`` for each socket.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web
from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BalancesChanged, BookChanged, OrderChanged, TapeTrade, VenueEvent
from algotrendy_simulator.market import Market
from algotrendy_simulator.timings import Stamp, Timings, TradeSent
from algotrendy_simulator.venues.binance.sockets import PING_INTERVAL_S, SPOILING, Socket
from algotrendy_simulator.venues.binance.wire import best_levels
from algotrendy_simulator.venues.kraken import channels
from algotrendy_simulator.venues.kraken.authentication import Gate
from algotrendy_simulator.venues.kraken.depth import DEPTHS, DepthView
from algotrendy_simulator.venues.kraken.identity import Pairs
from algotrendy_simulator.venues.kraken.numbers import dumps
from algotrendy_simulator.venues.kraken.private_channels import PrivateChannels
from algotrendy_simulator.venues.kraken.refusals import KrakenError
from algotrendy_simulator.venues.kraken.wire import INTERVALS_MS, Json, instant

FLUSH_S = 0.1
PUBLIC = ("ticker", "book", "trade", "ohlc")
PRIVATE = ("executions", "balances")

type Topic = tuple[str, str, int]
"""Channel, pair, and depth or interval where the channel has one."""


@dataclass(slots=True, eq=False)
class _Client:
    socket: Socket
    topics: set[Topic] = field(default_factory=set)
    accounts: dict[str, str] = field(default_factory=dict)
    """Account by private channel."""
    sequence: "count[int]" = field(default_factory=lambda: count(1))


class Streams:
    def __init__(
        self,
        exchange: Exchange,
        pairs: Pairs,
        gate: Gate,
        private: PrivateChannels,
        clock: Clock,
        venue_time_ms: Callable[[], int],
        timings: Timings,
    ) -> None:
        self._exchange = exchange
        self._pairs = pairs
        self._gate = gate
        self._private = private
        self._clock = clock
        self._venue_time_ms = venue_time_ms
        self._timings = timings
        self._clients: set[_Client] = set()
        self._views: dict[tuple[str, int], DepthView] = {}
        self._changed: set[str] = set()
        self._best: dict[str, Any] = {}
        self._candles: dict[str, Any] = {}
        self._lost: set[str] = set()
        self._connections = count(1)
        self.muted = False
        exchange.listeners.append(self._hear)

    def counts(self) -> dict[str, int]:
        users = sum(bool(client.accounts) for client in self._clients)
        return {"market": len(self._clients) - users, "user": users}

    def names(self) -> list[str]:
        topics = {topic for client in self._clients for topic in client.topics}
        return sorted(f"{channel}:{pair}" for channel, pair, _ in topics)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(heartbeat=PING_INTERVAL_S, compress=False)
        await websocket.prepare(request)
        client = _Client(Socket(websocket, request.transport, request.app.get(SPOILING)))
        self._clients.add(client)
        status = {
            "version": "2.0.10",
            "system": "online",
            "api_version": "v2",
            "connection_id": next(self._connections),
        }
        self._send(client, {"channel": "status", "type": "update", "data": [status]})
        try:
            async for message in websocket:
                if message.type is WSMsgType.TEXT:
                    self._take(client, message.data)
        finally:
            self._clients.discard(client)
            client.socket.cut()
        return websocket

    def drop(self, kind: str) -> dict[str, int]:
        cut = {"market": 0, "user": 0}
        for client in list(self._clients):
            of = "user" if client.accounts else "market"
            if kind in (of, "all"):
                client.socket.cut()
                cut[of] += 1
        return cut

    def lose_depth(self, symbol: str) -> None:
        """Have the next book message of a symbol not sent, so that its readers' checksum is wrong."""
        self._lost.add(symbol)

    async def close(self) -> None:
        for client in list(self._clients):
            await client.socket.close()

    async def run(self) -> None:
        """Send for ever what is sent by the wall's clock."""
        for turn in count(1):
            await asyncio.sleep(FLUSH_S)
            for market in self._exchange.markets.values():
                self._flush(market)
            if turn % 10 == 0:
                for client in list(self._clients):
                    if client.topics or client.accounts:
                        self._send(client, {"channel": "heartbeat"})

    # -- subscriptions -----------------------------------------------------------------------------------------

    def _take(self, client: _Client, text: str) -> None:
        began = instant(to_ms(self._clock.now()))
        try:
            request = json.loads(text)
            method, parameters = request["method"], request.get("params") or {}
            channel, names = parameters.get("channel"), parameters.get("symbol") or []
        except (ValueError, TypeError, KeyError, AttributeError):
            self._send(client, {"error": "Malformed request", "success": False})
            return
        end: Json = {"time_in": began, "time_out": instant(to_ms(self._clock.now()))}
        if "req_id" in request:
            end["req_id"] = request["req_id"]
        if method == "ping":
            self._send(client, {"method": "pong"} | end)
            return
        for name in names if channel in PUBLIC else [None]:
            try:
                result, snapshot = self._change(client, method, str(channel), name, parameters)
                self._send(client, {"method": method, "result": result, "success": True} | end)
            except KrakenError as refused:
                self._send(client, {"method": method, "error": refused.text, "success": False} | end)
                continue
            for message in snapshot:
                self._send(client, message)

    def _change(
        self, client: _Client, method: str, channel: str, name: str | None, parameters: Json
    ) -> tuple[Json, list[Json]]:
        """The acknowledgement of one symbol's subscription, and what comes with it."""
        if method not in ("subscribe", "unsubscribe"):
            raise KrakenError("EGeneral:Invalid arguments:method")
        if channel in PRIVATE:
            return self._change_private(client, method, channel, parameters)
        if channel == "instrument":
            return self._change_listing(client, method, parameters)
        if channel not in PUBLIC:
            raise KrakenError("EGeneral:Invalid arguments:channel")
        market = self._pairs.find_ws(name or "")
        if market is None:
            raise KrakenError(f"Currency pair not supported {name}")
        detail = self._detail(channel, parameters)
        topic = channel, market.wire_symbol, detail
        result: Json = {"channel": channel, "symbol": name, "snapshot": True}
        if method == "unsubscribe":
            client.topics.discard(topic)
            return result, []
        if topic in client.topics:
            raise KrakenError("Already subscribed")
        client.topics.add(topic)
        if channel == "book":
            result["depth"] = detail
        elif channel == "ohlc":
            result["interval"] = detail
        if parameters.get("snapshot") is False:
            return result, []
        return result, [{"channel": channel, "type": "snapshot", "data": self._snapshot(channel, market, detail)}]

    def _change_listing(self, client: _Client, method: str, parameters: Json) -> tuple[Json, list[Json]]:
        """All assets and pairs at once; nothing of them changes after that."""
        topic, result = ("instrument", "*", 0), {"channel": "instrument", "snapshot": parameters.get("snapshot", True)}
        if method == "unsubscribe":
            client.topics.discard(topic)
            return result, []
        if topic in client.topics:
            raise KrakenError("Already subscribed")
        client.topics.add(topic)
        listed = channels.listing(self._pairs.assets(), self._pairs.all())
        snapshot = {"channel": "instrument", "type": "snapshot", "data": listed}
        return result, [snapshot] if result["snapshot"] else []

    def _detail(self, channel: str, parameters: Json) -> int:
        if channel == "book":
            depth = parameters.get("depth", 10)
            if depth not in DEPTHS:
                raise KrakenError("Subscription depth not supported")
            return int(depth)
        if channel == "ohlc":
            interval = parameters.get("interval")
            if interval not in INTERVALS_MS:
                raise KrakenError("Subscription ohlc interval not supported")
            return int(interval)
        # What sets a ticker off: each change of the best prices, or each trade.
        return int(parameters.get("event_trigger") == "bbo")

    def _snapshot(self, channel: str, market: Market, detail: int) -> list[Json]:
        match channel:
            case "book":
                view = self._views.get((market.wire_symbol, detail))
                if view is None:
                    view = self._views[market.wire_symbol, detail] = DepthView(market, detail)
                return [view.snapshot()]
            case "trade":
                return [channels.trade(market, printed) for printed in list(market.tape)[-50:]]
            case "ohlc":
                return [channels.candle(market, detail)]
            case _:
                return [channels.ticker(market, self._venue_time_ms())]

    def _change_private(self, client: _Client, method: str, channel: str, parameters: Json) -> tuple[Json, list[Json]]:
        account = self._gate.account_of_token(parameters.get("token"), to_ms(self._clock.now()) / 1000)
        if method == "unsubscribe":
            client.accounts.pop(channel, None)
            return {"channel": channel}, []
        client.accounts[channel] = account
        data = self._private.snapshot(channel, account, parameters)
        message = {"channel": channel, "type": "snapshot", "data": data, "sequence": next(client.sequence)}
        return {"channel": channel, "snapshot": True}, [message]

    # -- what happens ------------------------------------------------------------------------------------------

    def _hear(self, event: VenueEvent) -> None:
        match event:
            case TapeTrade():
                self._tell_trade(event)
            case BookChanged():
                self._changed.add(event.symbol)
                self._tell_best(self._exchange.markets[event.symbol])
            case OrderChanged():
                for told in self._private.executions(event):
                    self._tell("executions", event.order.account, [told])
            case BalancesChanged():
                self._tell("balances", event.account, self._private.balances(event))

    def _tell(self, channel: str, account: str, data: list[Json]) -> None:
        for client in list(self._clients) if data else ():
            if client.accounts.get(channel) == account:
                sequence = next(client.sequence)
                self._send(client, {"channel": channel, "type": "update", "data": data, "sequence": sequence})

    def _tell_trade(self, printed: TapeTrade) -> None:
        market = self._exchange.markets[printed.symbol]

        def stamp() -> None:
            sent = TradeSent(printed.symbol, printed.trade_id, printed.time_ms, Stamp.now())
            self._timings.trades.append(sent)

        self._spread("trade", market, 0, lambda: channels.trade(market, printed), stamp)
        self._spread("ticker", market, 0, lambda: channels.ticker(market, self._venue_time_ms()))

    def _tell_best(self, market: Market) -> None:
        best = best_levels(market)
        if self._best.get(market.wire_symbol) != best:
            self._best[market.wire_symbol] = best
            self._spread("ticker", market, 1, lambda: channels.ticker(market, self._venue_time_ms()))

    def _flush(self, market: Market) -> None:
        symbol = market.wire_symbol
        if symbol in self._changed:
            self._changed.discard(symbol)
            for (of, depth), view in self._views.items():
                message = view.update(self._venue_time_ms()) if of == symbol else None
                if message is not None and symbol not in self._lost:
                    self._spread("book", market, depth, lambda message=message: message)  # type: ignore[misc]
            self._lost.discard(symbol)
        if self._candles.get(symbol) != market.candles.running:
            self._candles[symbol] = market.candles.running
            for interval in INTERVALS_MS:
                made = lambda interval=interval: channels.candle(market, interval)  # noqa: E731
                self._spread("ohlc", market, interval, made)

    # -- sending -----------------------------------------------------------------------------------------------

    def _spread(
        self,
        channel: str,
        market: Market,
        detail: int,
        make: Callable[[], Json],
        before: Callable[[], None] | None = None,
    ) -> None:
        """Make the message once, if anybody listens, and queue it to all who do."""
        topic = channel, market.wire_symbol, detail
        listening = [client for client in self._clients if topic in client.topics]
        if not listening or self.muted:
            return
        text = dumps({"channel": channel, "type": "update", "data": [make()]})
        for client in listening:
            client.socket.send(text, before)

    def _send(self, client: _Client, message: Json) -> None:
        client.socket.send(dumps(message))

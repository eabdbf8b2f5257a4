"""Coinbase's WebSocket: market channels and the ``user`` channel over one socket, by subscription.

Trades and tickers leave with the change that caused them, books every 100 ms of wall time, candles and heartbeats
every second. Invariant: a socket's messages are numbered in one row across all channels, and a message that is lost
leaves its number out; the ``user`` channel tells of the account whose token subscribed and of no other.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web
from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.enums import Side

from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BookChanged, OrderChanged, TapeTrade, VenueEvent
from algotrendy_simulator.market import Market
from algotrendy_simulator.timings import Stamp, Timings, TradeSent
from algotrendy_simulator.venues.binance.depth import DepthRow
from algotrendy_simulator.venues.binance.sockets import PING_INTERVAL_S, SPOILING, Socket
from algotrendy_simulator.venues.coinbase import order_wire, wire
from algotrendy_simulator.venues.coinbase.authentication import account_of_token
from algotrendy_simulator.venues.coinbase.identity import Products, product_id
from algotrendy_simulator.venues.coinbase.refusals import Unauthorized
from algotrendy_simulator.venues.coinbase.signed_operations import SignedOperations
from algotrendy_simulator.venues.coinbase.wire import Json

FLUSH_S = 0.1
MARKET = ("level2", "ticker", "ticker_batch", "market_trades", "candles", "status")
_NAMES = {"level2": "l2_data"}
_SNAPSHOT_TRADES = 50
_CANDLES_MS = 300_000


@dataclass(slots=True, eq=False)
class _Client:
    socket: Socket
    topics: dict[str, set[str]] = field(default_factory=dict)
    """Products by market channel; for ``heartbeats`` nothing."""
    account: str | None = None
    """Whose orders it hears of."""
    sequence: "count[int]" = field(default_factory=count)


class Streams:
    def __init__(
        self,
        exchange: Exchange,
        products: Products,
        signed: SignedOperations,
        clock: Clock,
        venue_time_ms: Callable[[], int],
        timings: Timings,
    ) -> None:
        self._exchange = exchange
        self._products = products
        self._signed = signed
        self._clock = clock
        self._venue_time_ms = venue_time_ms
        self._timings = timings
        self._clients: set[_Client] = set()
        self._rows = {symbol: DepthRow(market) for symbol, market in exchange.markets.items()}
        self._lost: set[str] = set()
        self.muted = False
        exchange.listeners.append(self._hear)

    def counts(self) -> dict[str, int]:
        users = sum(client.account is not None for client in self._clients)
        return {"market": len(self._clients) - users, "user": users}

    def names(self) -> list[str]:
        """Who is listened to, as ``channel:product``."""
        return sorted(
            {f"{topic}:{name}" for each in self._clients for topic in each.topics for name in each.topics[topic]}
        )

    async def serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(heartbeat=PING_INTERVAL_S, compress=False)
        await websocket.prepare(request)
        client = _Client(Socket(websocket, request.transport, request.app.get(SPOILING)))
        self._clients.add(client)
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
            of = "market" if client.account is None else "user"
            if kind in (of, "all"):
                client.socket.cut()
                cut[of] += 1
        return cut

    def lose_depth(self, symbol: str) -> None:
        """Have the next book message of a symbol not sent; its number is missing then."""
        self._lost.add(symbol)

    async def close(self) -> None:
        for client in list(self._clients):
            await client.socket.close()

    async def run(self) -> None:
        """Send for ever what is sent by the wall's clock."""
        for turn in count(1):
            await asyncio.sleep(FLUSH_S)
            for market in self._exchange.markets.values():
                self._flush_book(market)
            if turn % 10 == 0:
                self._every_second(turn // 10)

    # -- subscriptions -----------------------------------------------------------------------------------------

    def _take(self, client: _Client, text: str) -> None:
        try:
            request = json.loads(text)
            kind, channel, products = request["type"], request["channel"], request.get("product_ids") or []
            known = [name for name in products if self._products.find(name) is not None]
        except (ValueError, TypeError, KeyError, AttributeError):
            self._complain(client, "failure to parse the message")
            return
        if kind not in ("subscribe", "unsubscribe") or channel not in (*MARKET, "heartbeats", "user"):
            self._complain(client, "channel or type is not supported")
        elif len(known) < len(products):
            self._complain(client, "failed to subscribe, product_id not found")
        elif kind == "unsubscribe":
            self._unsubscribe(client, channel, known)
        elif channel == "user":
            self._subscribe_user(client, request.get("jwt"))
        else:
            client.topics.setdefault(channel, set()).update(known)
            self._say_subscriptions(client)
            for name in known:
                market = self._products.find(name)
                assert market is not None
                for event in self._snapshot(channel, market):
                    self._send(client, channel, [event])

    def _subscribe_user(self, client: _Client, token: Any) -> None:
        try:
            account = account_of_token(self._exchange, str(token), to_ms(self._clock.now()) / 1000, None)
        except Unauthorized:
            self._complain(client, "authentication failure")
            return
        client.account = account.name
        self._say_subscriptions(client)
        orders = [self._told(order) for order in self._exchange.open_orders(account)]
        self._send(client, "user", [{"type": "snapshot", "orders": orders, "positions": {}}])

    def _unsubscribe(self, client: _Client, channel: str, products: list[str]) -> None:
        if channel == "user":
            client.account = None
        elif channel in client.topics:
            client.topics[channel] -= set(products)
            if not client.topics[channel]:
                del client.topics[channel]
        self._say_subscriptions(client)

    def _say_subscriptions(self, client: _Client) -> None:
        shown = {topic: sorted(names) or [topic] for topic, names in client.topics.items()}
        if client.account is not None:
            shown["user"] = [client.account]
        self._send(client, "subscriptions", [{"subscriptions": shown}])

    def _snapshot(self, channel: str, market: Market) -> Iterable[Json]:
        now_ms, name = self._venue_time_ms(), product_id(market)
        match channel:
            case "level2":
                book = market.engine.book
                updates = [wire.level(side, *found, now_ms) for side in Side for found in book.levels(side)]
                yield {"type": "snapshot", "product_id": name, "updates": updates}
            case "market_trades":
                newest = list(market.tape)[-_SNAPSHOT_TRADES:]
                if newest:
                    yield {"type": "snapshot", "trades": [wire.trade(printed, name) for printed in reversed(newest)]}
            case "candles":
                yield {"type": "snapshot", "candles": [self._candle(market)]}
            case "status":
                yield {"type": "snapshot", "products": [wire.product(market, now_ms)]}
            case _:
                yield {"type": "snapshot", "tickers": [wire.ticker(market, now_ms)]}

    # -- what happens ------------------------------------------------------------------------------------------

    def _hear(self, event: VenueEvent) -> None:
        match event:
            case TapeTrade():
                self._tell_trade(event)
            case BookChanged():
                self._rows[event.symbol].note()
            case OrderChanged():
                told = [{"type": "update", "orders": [self._told(event.order)]}]
                for client in list(self._clients):
                    if client.account == event.order.account:
                        self._send(client, "user", told)

    def _told(self, order: Any) -> Json:
        return order_wire.told(order, self._signed.fills_until(order), self._products.id_of(order.symbol))

    def _tell_trade(self, printed: TapeTrade) -> None:
        market = self._exchange.markets[printed.symbol]
        name = product_id(market)

        def stamp() -> None:
            sent = TradeSent(printed.symbol, printed.trade_id, printed.time_ms, Stamp.now())
            self._timings.trades.append(sent)

        trades = lambda: {"type": "update", "trades": [wire.trade(printed, name)]}  # noqa: E731
        self._spread("market_trades", name, trades, stamp)
        self._spread("ticker", name, lambda: self._ticker(market))

    def _ticker(self, market: Market) -> Json:
        return {"type": "update", "tickers": [wire.ticker(market, self._venue_time_ms())]}

    def _candle(self, market: Market) -> Json:
        begin = market.candles.running.open_time_ms
        found = market.candles.spans(_CANDLES_MS, begin - begin % _CANDLES_MS, begin + 1)[0]
        return wire.candle(found) | {"product_id": product_id(market)}

    def _flush_book(self, market: Market) -> None:
        message = self._rows[market.wire_symbol].next_message(self._venue_time_ms())
        if message is None:
            return
        now_ms = self._venue_time_ms()
        updates = [
            wire.level(side, Decimal(price), Decimal(quantity), now_ms)
            for side, key in ((Side.BUY, "b"), (Side.SELL, "a"))
            for price, quantity in message[key]
        ]
        if not updates:
            return
        lost = market.wire_symbol in self._lost
        self._lost.discard(market.wire_symbol)
        event = {"type": "update", "product_id": product_id(market), "updates": updates}
        self._spread("level2", product_id(market), lambda: event, lost=lost)

    def _every_second(self, second: int) -> None:
        for market in self._exchange.markets.values():
            name = product_id(market)
            self._spread("candles", name, lambda market=market: {"type": "update", "candles": [self._candle(market)]})  # type: ignore[misc]
            if second % 5 == 0:
                self._spread("ticker_batch", name, lambda market=market: self._ticker(market))  # type: ignore[misc]
        now_ms = to_ms(self._clock.now())
        beat = {"current_time": wire.instant(now_ms), "heartbeat_counter": str(second)}
        for client in list(self._clients):
            if "heartbeats" in client.topics and not self.muted:
                self._send(client, "heartbeats", [beat])

    # -- sending -----------------------------------------------------------------------------------------------

    def _spread(
        self,
        channel: str,
        product: str,
        make: Callable[[], Json],
        before: Callable[[], None] | None = None,
        lost: bool = False,
    ) -> None:
        """Make the event once, if anybody listens, and queue it to all who do."""
        listening = [client for client in self._clients if product in client.topics.get(channel, ())]
        if not listening or self.muted:
            return
        text = json.dumps([make()], separators=(",", ":"))
        for client in listening:
            if lost:
                next(client.sequence)
            else:
                self._send_text(client, channel, text, before)

    def _send(self, client: _Client, channel: str, events: list[Json]) -> None:
        self._send_text(client, channel, json.dumps(events, separators=(",", ":")))

    def _send_text(self, client: _Client, channel: str, events: str, before: Callable[[], None] | None = None) -> None:
        stamp = wire.instant(to_ms(self._clock.now()))
        head = f'{{"channel":"{_NAMES.get(channel, channel)}","client_id":"","timestamp":"{stamp}"'
        client.socket.send(f'{head},"sequence_num":{next(client.sequence)},"events":{events}}}', before)

    def _complain(self, client: _Client, message: str) -> None:
        client.socket.send(json.dumps({"type": "error", "message": message}))

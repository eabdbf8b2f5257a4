"""Bybit's private stream: ``auth``, then the topics ``order``, ``execution``, ``wallet``, ``position`` and ``dcp.*``.

Invariant: a topic hears the events of the account that authenticated and of no other, in the order of the books. When
the last connection that holds an account's ``dcp`` topic is gone, the account's orders are cancelled after the window
it set, unless one comes back before.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.ids import new_id

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BalancesChanged, OrderChanged, PositionChanged, VenueEvent
from algotrendy_simulator.venues.binance.sockets import PING_INTERVAL_S, Socket
from algotrendy_simulator.venues.bybit import order_wire
from algotrendy_simulator.venues.bybit.authentication import verified_socket
from algotrendy_simulator.venues.bybit.products import LINEAR, Products, category_of
from algotrendy_simulator.venues.bybit.refusals import SPOT, BybitError
from algotrendy_simulator.venues.bybit.signed_operations import DEFAULT_WINDOW_S
from algotrendy_simulator.venues.bybit.wire import Json

TOPICS = frozenset(
    f"{topic}{suffix}" for topic in ("order", "execution") for suffix in ("", ".spot", ".linear")
) | {"wallet", "position", "position.linear"}  # fmt: skip
DISCONNECTION_TOPICS = {"dcp.spot": SPOT, "dcp.future": LINEAR, "dcp.option": "option"}


@dataclass(slots=True, eq=False)
class _Client:
    socket: Socket
    connection: str
    account: Account | None = None
    topics: set[str] = field(default_factory=set)


class UserSockets:
    def __init__(
        self, exchange: Exchange, products: Products, windows_s: dict[tuple[str, str], int], clock: Clock
    ) -> None:
        self._exchange = exchange
        self._products = products
        self._windows_s = windows_s
        self._clock = clock
        self._clients: set[_Client] = set()
        exchange.listeners.append(self._hear)

    @property
    def socket_count(self) -> int:
        return len(self._clients)

    @property
    def subscription_count(self) -> int:
        return sum(len(client.topics) for client in self._clients)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(heartbeat=PING_INTERVAL_S, compress=False)
        await websocket.prepare(request)
        client = _Client(Socket(websocket, request.transport), new_id())
        self._clients.add(client)
        try:
            async for message in websocket:
                if message.type is WSMsgType.TEXT:
                    self._answer(client, message.data)
        finally:
            self._clients.discard(client)
            self._disconnected(client)
            client.socket.cut()
        return websocket

    def drop(self) -> int:
        """Cut all sockets; how many there were."""
        for client in list(self._clients):
            client.socket.cut()
        return len(self._clients)

    async def close(self) -> None:
        for client in list(self._clients):
            await client.socket.close()

    def _answer(self, client: _Client, text: str) -> None:
        try:
            request = json.loads(text)
            operation, arguments, request_id = request["op"], request.get("args") or [], request.get("req_id", "")
        except (ValueError, TypeError, KeyError, AttributeError):
            self._say(client, {"success": False, "ret_msg": "Params Error", "op": ""})
            return
        reply: Json = {"success": True, "ret_msg": "", "op": operation, "req_id": request_id}
        try:
            self._run(client, operation, arguments, reply)
        except BybitError as refused:
            reply |= {"success": False, "ret_msg": refused.message}
            if operation == "auth":
                reply["retCode"] = refused.code
        self._say(client, reply)

    def _run(self, client: _Client, operation: str, arguments: Any, reply: Json) -> None:
        match operation:
            case "auth":
                client.account = verified_socket(self._exchange, arguments, self._now_ms())
            case "ping":
                reply |= {"op": "pong", "args": [str(self._now_ms())]}
            case "subscribe" if client.account is None:
                raise BybitError(10003, "Request not authorized")
            case "subscribe":
                unknown = [topic for topic in arguments if topic not in TOPICS | DISCONNECTION_TOPICS.keys()]
                if unknown:
                    raise BybitError(10001, f"error:handler not found,topic:{','.join(map(str, unknown))}")
                client.topics.update(arguments)
                if client.topics & DISCONNECTION_TOPICS.keys() and client.account is not None:
                    self._exchange.arm_dead_man(client.account, 0)
            case "unsubscribe":
                client.topics.difference_update(arguments)
            case _:
                raise BybitError(10404, f"op type is not found: {operation}")

    def _disconnected(self, client: _Client) -> None:
        account = client.account
        if account is None:
            return
        guarded = client.topics & DISCONNECTION_TOPICS.keys()
        others = [other for other in self._clients if other.account is account]
        left = {topic for topic in guarded if not any(topic in other.topics for other in others)}
        windows = [self._windows_s.get((account.name, DISCONNECTION_TOPICS[topic]), DEFAULT_WINDOW_S) for topic in left]
        if windows:
            self._exchange.arm_dead_man(account, min(windows) * 1000)

    def _hear(self, event: VenueEvent) -> None:
        match event:
            case OrderChanged():
                self._tell_order(event)
            case BalancesChanged():
                coins = [order_wire.coin_of(asset, free + locked, locked) for asset, free, locked in event.balances]
                data = {"accountType": "UNIFIED", "accountLTV": "0", "coin": coins}
                self._tell(event.account, ("wallet",), [data])
            case PositionChanged():
                market = self._products.of_engine(event.position.symbol)
                shown = order_wire.position(market, event.position, event.time_ms)
                self._tell(event.position.account, ("position", "position.linear"), [shown])

    def _tell_order(self, event: OrderChanged) -> None:
        order, fill = event.order, event.fill
        market = self._products.of_engine(order.symbol)
        category = category_of(market)
        if fill is not None:
            shown = order_wire.execution(market, fill, order)
            self._tell(order.account, ("execution", f"execution.{category}"), [shown])
        fills = self._exchange.fills_of_order(order.order_id)
        shown = {"category": category} | order_wire.order(market, order, fills)
        self._tell(order.account, ("order", f"order.{category}"), [shown])

    def _tell(self, account: str, topics: tuple[str, ...], data: list[Json]) -> None:
        for client in self._clients:
            if client.account is not None and client.account.name == account:
                for topic in client.topics.intersection(topics):
                    self._say(client, {"id": new_id(), "topic": topic, "creationTime": self._now_ms(), "data": data})

    def _say(self, client: _Client, values: Json) -> None:
        client.socket.send(json.dumps(values | {"conn_id": client.connection}, separators=(",", ":")))

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())

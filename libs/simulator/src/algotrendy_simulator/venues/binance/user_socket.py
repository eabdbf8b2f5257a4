"""Binance's WebSocket API: signed calls, and the user data stream by ``userDataStream.subscribe.signature``.

Invariant: a subscription hears the events of the account that signed it and of no other, in the order of the books.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web
from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BalancesChanged, Execution, OrderChanged, VenueEvent
from algotrendy_simulator.timings import Stamp, Timings
from algotrendy_simulator.venues.binance import order_wire
from algotrendy_simulator.venues.binance.amendments import Amendments
from algotrendy_simulator.venues.binance.authentication import (
    account_of_key,
    parameters_of_message,
    verify_signature,
    verify_time,
)
from algotrendy_simulator.venues.binance.order_lists import OrderLists
from algotrendy_simulator.venues.binance.parameters import Parameters
from algotrendy_simulator.venues.binance.public_operations import PublicOperations
from algotrendy_simulator.venues.binance.refusals import BinanceError
from algotrendy_simulator.venues.binance.signed_operations import SignedOperations
from algotrendy_simulator.venues.binance.sockets import PING_INTERVAL_S, Socket


@dataclass(slots=True, eq=False)
class _Client:
    socket: Socket
    subscriptions: dict[int, str] = field(default_factory=dict)
    """Account by subscription id."""


class UserSockets:
    def __init__(
        self,
        exchange: Exchange,
        public: PublicOperations,
        signed: SignedOperations,
        lists: OrderLists,
        amendments: Amendments,
        clock: Clock,
        timings: Timings,
    ) -> None:
        self._timings = timings
        self._exchange = exchange
        self._clock = clock
        self._clients: set[_Client] = set()
        self._ids = count()
        self._lists_done: set[int] = set()
        self._public: dict[str, Callable[[Parameters], Any]] = {
            "ping": public.ping,
            "time": public.time,
            "exchangeInfo": public.exchange_information,
            "depth": public.depth,
            "klines": public.klines,
            "trades.recent": public.trades,
            "ticker.book": public.book_ticker,
            "ticker.price": public.price_ticker,
        }
        self._place_order = signed.place
        self._signed: dict[str, Callable[[Account, Parameters], Any]] = {
            "account.status": signed.account,
            "order.test": signed.check,
            "order.status": signed.query,
            "order.cancel": signed.cancel,
            "openOrders.status": signed.open_orders,
            "openOrders.cancelAll": signed.cancel_all,
            "allOrders": signed.all_orders,
            "myTrades": signed.my_trades,
            "order.amend.keepPriority": amendments.keep_priority,
            "order.cancelReplace": amendments.cancel_replace,
            "orderList.place.oco": lists.place_pair,
            "orderList.cancel": lists.cancel,
            "orderList.status": lists.query,
            "openOrderLists.status": lists.open_lists,
        }
        exchange.listeners.append(self._hear)

    @property
    def socket_count(self) -> int:
        return len(self._clients)

    @property
    def subscription_count(self) -> int:
        return sum(len(client.subscriptions) for client in self._clients)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(heartbeat=PING_INTERVAL_S, compress=False)
        await websocket.prepare(request)
        client = _Client(Socket(websocket, request.transport))
        self._clients.add(client)
        try:
            async for message in websocket:
                if message.type is WSMsgType.TEXT:
                    client.socket.send(json.dumps(self._answer(client, message.data), separators=(",", ":")))
        finally:
            self._clients.discard(client)
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

    def _answer(self, client: _Client, text: str) -> dict[str, Any]:
        received = Stamp.now()
        try:
            request = json.loads(text)
            request_id, method, values = request.get("id"), request["method"], request.get("params") or {}
        except (ValueError, TypeError, KeyError, AttributeError):
            malformed = BinanceError(-1135, "Invalid JSON Request")
            return {"id": None, "status": 400, "error": malformed.body()}
        try:
            return {"id": request_id, "status": 200, "result": self._run(client, method, values, received)}
        except BinanceError as refused:
            return {"id": request_id, "status": refused.status, "error": refused.body()}

    def _run(self, client: _Client, method: str, values: Any, received: Stamp) -> Any:
        if not isinstance(values, dict):
            raise BinanceError(-1100, "Illegal characters found in parameter 'params'.")
        parameters, payload, signature = parameters_of_message(values)
        if method in self._public:
            return self._public[method](parameters)
        if method == "userDataStream.unsubscribe":
            return self._unsubscribe(client, parameters)
        if method not in (*self._signed, "order.place", "userDataStream.subscribe.signature"):
            raise BinanceError(-1000, "Unknown method.")
        account = account_of_key(self._exchange, parameters.optional("apiKey"))
        verify_time(parameters, to_ms(self._clock.now()))
        verify_signature(account, payload, signature)
        if method == "order.place":
            return self._place(account, parameters, received)
        if method in self._signed:
            return self._signed[method](account, parameters)
        subscription = next(self._ids)
        client.subscriptions[subscription] = account.name
        return {"subscriptionId": subscription}

    def _place(self, account: Account, parameters: Parameters, received: Stamp) -> Any:
        order_id = None
        try:
            answer = self._place_order(account, parameters)
            order_id = answer["orderId"]
            return answer
        finally:
            self._timings.order_answered(parameters.optional("newClientOrderId") or "", order_id, received)

    def _unsubscribe(self, client: _Client, parameters: Parameters) -> dict[str, Any]:
        subscription = parameters.integer("subscriptionId")
        if subscription is None:
            client.subscriptions.clear()
        else:
            client.subscriptions.pop(subscription, None)
        return {}

    def _hear(self, event: VenueEvent) -> None:
        match event:
            case OrderChanged():
                self._tell(event.order.account, order_wire.execution_report(event))
                self._tell_of_list(event)
            case BalancesChanged():
                self._tell(event.account, order_wire.account_position(event))

    def _tell_of_list(self, event: OrderChanged) -> None:
        """A pair is told of when its second leg is there, and once when both have ended."""
        order = event.order
        if order.sibling is None:
            return
        legs = sorted((order, self._exchange.orders[order.sibling]), key=lambda leg: leg.order_id)
        list_id = order_wire.list_id(order)
        if any(leg.status.open for leg in legs):
            if event.execution is Execution.NEW and order.order_id != list_id:
                self._tell(order.account, order_wire.list_status(legs))
        elif list_id not in self._lists_done:
            self._lists_done.add(list_id)
            self._tell(order.account, order_wire.list_status(legs))

    def _tell(self, account: str, event: dict[str, Any]) -> None:
        for client in self._clients:
            for subscription, subscribed in client.subscriptions.items():
                if subscribed == account:
                    text = json.dumps({"subscriptionId": subscription, "event": event}, separators=(",", ":"))
                    client.socket.send(text)

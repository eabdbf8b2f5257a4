"""The stream: a ticket over REST, then a WebSocket that begins with everything and goes on with what changes.

Invariant: a socket opens only for a page of our own origin with an unused ticket of a session that lives.
"""

import asyncio
from contextlib import suppress

from algotrendy_common.clock import Clock
from algotrendy_common.ids import AccountId
from fastapi import APIRouter, WebSocket
from pydantic import TypeAdapter, ValidationError
from starlette.websockets import WebSocketDisconnect

from algotrendy_gateway.api.access import Owner
from algotrendy_gateway.api.border import same_origin
from algotrendy_gateway.desk import Desk
from algotrendy_gateway.domain.board import Board
from algotrendy_gateway.domain.overview import overview_change
from algotrendy_gateway.domain.risk import Approval, Halt
from algotrendy_gateway.domain.shape import Shape
from algotrendy_gateway.errors import TooMany
from algotrendy_gateway.security.gate import Gate
from algotrendy_gateway.stream.client import TRY_AGAIN_LATER, Client
from algotrendy_gateway.stream.hub import Hub
from algotrendy_gateway.stream.messages import Hello, Kind, Pong, Snapshot, Subscribe, tail

POLICY = 1008
_MAX_ASKED = 16_384
"""Characters a client may send at once; its longest useful message is far shorter."""
_MAX_RATE = 50
"""Messages a client may send in a second."""
_SAID: TypeAdapter[Subscribe | Pong] = TypeAdapter(Subscribe | Pong)


class TicketRequest(Shape):
    account: AccountId | None = None
    """Whose orders and positions to stream; the first account where it is not said."""


class Ticket(Shape):
    ticket: str
    """Opens one stream, once, within 30 s: ``/api/stream?ticket=…``."""


def ticket_routes(gate: Gate, desk: Desk) -> APIRouter:
    routes = APIRouter(prefix="/stream", tags=["stream"])

    @routes.post("/ticket")
    async def stream_ticket(owner: Owner, request: TicketRequest | None = None) -> Ticket:
        wanted = None if request is None else request.account
        account = (await desk.accounts())[0] if wanted is None else await desk.account(wanted)
        return Ticket(ticket=await gate.ticket(owner, account.account))

    return routes


def socket_routes(board: Board, hub: Hub, gate: Gate, version: str, clock: Clock) -> APIRouter:
    """Apart from the REST routes: a socket shows its ticket, not a bearer token."""
    routes = APIRouter(prefix="/stream")

    @routes.websocket("")
    async def stream(socket: WebSocket, ticket: str = "") -> None:
        admitted = await gate.use_ticket(ticket) if same_origin(socket.headers) else None
        if admitted is None:
            await socket.close(POLICY)
            return
        owner, account = admitted
        await socket.accept()
        if account not in board.accounts:
            await socket.close(TRY_AGAIN_LATER, "the account is not known yet")
            return
        client = Client(owner, account, socket.send_text)
        try:
            hub.join(client)
        except TooMany:
            await socket.close(TRY_AGAIN_LATER, "too many streams")
            return
        greet(client, board, version, clock)
        try:
            await _converse(socket, client)
        finally:
            hub.leave(client)

    return routes


def greet(client: Client, board: Board, version: str, clock: Clock) -> None:
    """Everything as it is now. No await between joining the hub and this, so nothing falls between."""
    now, account = clock.now(), client.account
    hello = Hello(
        mode=board.accounts[account].mode, replay=board.replay, account=account, server_time=now, version=version
    )
    snapshot = Snapshot(
        quotes=tuple(quote for _, quote in sorted(board.quotes.items())),
        orders=tuple(board.orders.open(account)),
        positions=board.positions(account),
        balances=board.balances(account),
        strategies=tuple(strategy for strategy in board.strategies() if strategy.account == account),
        overview=overview_change(board, account, now),
        feeds=board.feeds(now),
        halts=tuple(Halt.of(halt) for halt in board.halts()),
        approvals=tuple(Approval.of(waiting) for waiting in board.approvals(now)),
    )
    client.put_first(tail(Kind.HELLO, hello))
    client.put_first(tail(Kind.SNAPSHOT, snapshot))


async def _converse(socket: WebSocket, client: Client) -> None:
    """Until either side ends it."""
    sending = asyncio.create_task(client.send_forever())
    listening = asyncio.create_task(_listen(socket, client))
    try:
        await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and sending.exception() is None:
            code, reason = sending.result()
            with suppress(RuntimeError, WebSocketDisconnect):  # it is gone already
                await socket.close(code, reason)
    finally:
        sending.cancel()
        listening.cancel()
        await asyncio.gather(sending, listening, return_exceptions=True)


async def _listen(socket: WebSocket, client: Client) -> None:
    """Take what the client says until it leaves; nonsense ends it."""
    second, said = 0, 0
    while True:
        received = await socket.receive()
        if received["type"] == "websocket.disconnect":
            return
        now = int(asyncio.get_running_loop().time())
        second, said = (now, 1) if now != second else (second, said + 1)
        text = received.get("text") or ""
        if len(text) > _MAX_ASKED or said > _MAX_RATE:
            client.end(POLICY, "too much")
        try:
            message = _SAID.validate_json(text)
        except ValidationError:
            # The sender ends the conversation, so that the close code goes out.
            client.end(POLICY, "not understood")
            continue
        if isinstance(message, Subscribe):
            client.subscribe(message.symbols, message.timeframe)

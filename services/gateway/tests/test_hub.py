"""Fan-out: pace, bounds and numbering, with clients whose sending the test holds in its hand."""

import asyncio
import json

import pytest
from algotrendy_gateway.domain.roles import Role
from algotrendy_gateway.domain.shape import Shape
from algotrendy_gateway.errors import TooMany
from algotrendy_gateway.store.sessions import SessionOwner
from algotrendy_gateway.stream.client import MAX_QUEUED, MAX_TRADES, TRY_AGAIN_LATER, Client
from algotrendy_gateway.stream.hub import Hub
from algotrendy_gateway.stream.messages import Delta, Kind


class Value(Shape):
    value: float


class Wire:
    """A socket: slow until it is let go."""

    def __init__(self) -> None:
        self.sent: list[dict] = []
        self.open = asyncio.Event()

    async def send(self, text: str) -> None:
        await self.open.wait()
        self.sent.append(json.loads(text))


def client_on(wire: Wire, session: str = "s", account: str = "paper-1") -> Client:
    return Client(SessionOwner(session, "vic", "Vic", Role.VIEWER), account, wire.send)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_slow_client_gets_every_order_and_the_newest_quote_only():
    hub, wire = Hub(max_clients=9, max_per_session=9), Wire()
    client = client_on(wire)
    hub.join(client)
    sending = asyncio.create_task(client.send_forever())
    await settle()
    for number in range(100):
        hub.publish(Delta(Kind.QUOTE, Value(value=number), key=("binance", "BTC-USDT")))
        hub.publish(Delta(Kind.ORDER, Value(value=number), account="paper-1"))
        hub.flush()
    wire.open.set()
    await settle()
    orders = [message["data"]["value"] for message in wire.sent if message["kind"] == "order"]
    quotes = [message["data"]["value"] for message in wire.sent if message["kind"] == "quote"]
    assert orders == list(range(100))
    assert quotes[-1] == 99
    assert len(quotes) <= 2
    assert [message["seq"] for message in wire.sent] == list(range(1, len(wire.sent) + 1))
    client.end(1000, "done")
    assert await sending == (1000, "done")


async def test_a_client_that_never_reads_is_cut_off_and_memory_stays_bounded():
    hub, wire = Hub(max_clients=9, max_per_session=9), Wire()
    client = client_on(wire)
    client.subscribe(("BTC-USDT",), "1m")
    hub.join(client)
    for _ in range(MAX_TRADES * 3):
        hub.publish(Delta(Kind.TRADE, Value(value=1), symbol="BTC-USDT"))
    for _ in range(MAX_QUEUED + 1):
        hub.publish(Delta(Kind.ORDER, Value(value=1), account="paper-1"))
    wire.open.set()
    assert await client.send_forever() == (TRY_AGAIN_LATER, "too slow")
    assert len(client._trades) <= MAX_TRADES


async def test_nan_never_goes_out():
    hub, wire = Hub(max_clients=9, max_per_session=9), Wire()
    client = client_on(wire)
    hub.join(client)
    wire.open.set()
    sending = asyncio.create_task(client.send_forever())
    hub.publish(Delta(Kind.FILL, Value(value=float("nan")), account="paper-1"))
    await settle()
    assert wire.sent[0]["data"] == {"value": None}
    client.end(1000, "done")
    await sending


async def test_what_nobody_wants_is_not_even_serialised(monkeypatch):
    hub, wire = Hub(max_clients=9, max_per_session=9), Wire()
    hub.join(client_on(wire))

    def serialise(*_):
        raise AssertionError("serialised for nobody")

    monkeypatch.setattr("algotrendy_gateway.stream.hub.tail", serialise)
    hub.publish(Delta(Kind.ORDER, Value(value=1), account="paper-2"))
    hub.publish(Delta(Kind.TRADE, Value(value=1), symbol="BTC-USDT"))
    with pytest.raises(AssertionError, match="serialised"):
        hub.publish(Delta(Kind.ALERT, Value(value=1)))


async def test_a_delta_is_serialised_once_for_all(monkeypatch):
    from algotrendy_gateway.stream import hub as module

    hub, made = Hub(max_clients=2000, max_per_session=2000), []
    for _ in range(1000):
        hub.join(client_on(Wire()))
    original = module.tail
    monkeypatch.setattr(module, "tail", lambda kind, data: made.append(kind) or original(kind, data))
    hub.publish(Delta(Kind.ORDER, Value(value=1), account="paper-1"))
    assert made == [Kind.ORDER]


async def test_the_house_and_each_session_have_room_for_so_many():
    hub = Hub(max_clients=3, max_per_session=2)
    first, second = client_on(Wire()), client_on(Wire())
    hub.join(first)
    hub.join(second)
    with pytest.raises(TooMany):
        hub.join(client_on(Wire()))
    hub.join(client_on(Wire(), session="other"))
    with pytest.raises(TooMany):
        hub.join(client_on(Wire(), session="third"))
    hub.leave(first)
    hub.join(client_on(Wire()))
    assert sorted(hub.sessions) == ["other", "s"]

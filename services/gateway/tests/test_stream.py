"""The stream, by a real WebSocket client: who gets in, what comes first, what comes after, and when it ends."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import websockets
from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import FeedState, OrderStatus, Severity, Side
from algotrendy_common.events.backtest import BacktestProgressed
from algotrendy_common.events.market import BarUpdated, TradePrinted
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.events.risk import TradingState
from algotrendy_common.ids import new_id
from algotrendy_common.rpc import risk

pytestmark = pytest.mark.asyncio(loop_scope="session")
PASSWORD = "correct horse battery staple"


class Listener:
    """A client that checks the numbering of everything it receives."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.seq = 0

    async def next(self) -> tuple[str, Any]:
        message = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
        self.seq += 1
        assert message["seq"] == self.seq
        assert set(message) == {"seq", "kind", "data"}
        return message["kind"], message["data"]

    async def until(self, kind: str, matching=lambda data: True) -> Any:
        deadline = monotonic_s() + 10
        while True:
            found, data = await self.next()
            if found == kind and matching(data):
                return data
            assert monotonic_s() < deadline, f"no such {kind}"


async def ticket(running, user: str = "vic") -> str:
    answer = await running.call(user, "POST", "/api/stream/ticket")
    assert answer.status_code == 200, answer.text
    return answer.json()["ticket"]


@asynccontextmanager
async def listening(running, user: str = "vic"):
    url = f"{running.socket_url}?ticket={await ticket(running, user)}"
    async with websockets.connect(url, origin=running.url) as socket:
        yield Listener(socket)


async def greeted(listener: Listener) -> Any:
    kind, hello = await listener.next()
    assert kind == "hello"
    assert (hello["mode"], hello["replay"], hello["account"]) == ("paper", True, "paper-1")
    kind, snapshot = await listener.next()
    assert kind == "snapshot"
    return snapshot


async def test_it_begins_with_everything(running):
    async with listening(running) as listener:
        snapshot = await greeted(listener)
    kinds = {"quotes", "orders", "positions", "balances", "strategies", "overview", "feeds", "halts", "approvals"}
    assert set(snapshot) == kinds
    assert snapshot["quotes"][0]["symbol"] == "BTC-USDT"
    assert snapshot["positions"][0]["quantity"] == "1"
    assert snapshot["balances"][0]["asset"] == "USDT"
    assert snapshot["strategies"][0]["strategy"] == "sma-cross-btc"
    assert snapshot["overview"]["trading_state"] == "active"
    assert snapshot["feeds"][0]["venue"] == "binance"


async def test_it_beats_every_second_with_the_figures(running):
    async with listening(running) as listener:
        await greeted(listener)
        beat = await listener.until("heartbeat")
        assert (beat["mode"], beat["trading_state"]) == ("paper", "active")
        overview = await listener.until("overview")
        assert overview["equity"] == "100500"
        assert overview["account"] == "paper-1"
        started = monotonic_s()
        await listener.until("heartbeat")
        await listener.until("heartbeat")
        assert 0.5 < monotonic_s() - started < 4


async def test_what_happens_is_told(running, world):
    async with listening(running) as listener:
        await greeted(listener)
        await world.tell(world.quote("30100", "30110"))
        quote = await listener.until("quote", lambda data: data["bid"] == "30100")
        assert quote["last"] is not None
        order = world.order(OrderStatus.OPEN)
        await world.tell(order)
        assert (await listener.until("order"))["order_id"] == order.terms.order_id
        fill = world.fill(order)
        await world.tell(fill)
        assert (await listener.until("fill"))["trade_id"] == fill.trade_id
        filled = world.order(OrderStatus.FILLED, revision=2, terms=order.terms)
        await world.tell(filled)
        assert (await listener.until("order"))["status"] == "filled"
        await world.tell(world.order(OrderStatus.OPEN, revision=1, terms=order.terms))
        await world.tell(world.signal())
        kind, _ = await listener.next()
        while kind != "signal":
            assert kind != "order", "an older revision was told"
            kind, _ = await listener.next()
        world.feed_state = FeedState.STALE
        await listener.until("feed", lambda data: data["state"] == "stale")
        world.feed_state = FeedState.LIVE
        await listener.until("feed", lambda data: data["state"] == "live")
        alert = world.make(
            "risk", AlertRaised, service="risk", severity=Severity.INFO, code="c", message="m", context={}
        )
        await world.tell(alert)
        assert (await listener.until("alert"))["alert_id"] == alert.event_id
        progress = world.make("backtest", BacktestProgressed, run_id=new_id(), stage="bars", done=1, total=2)
        await world.tell(progress)
        assert (await listener.until("backtest"))["run_id"] == progress.run_id


async def test_halts_and_approvals_are_told_at_once_and_stand_in_the_snapshot(running, world):
    waiting = world.request()
    world.pending = [waiting]
    async with listening(running) as listener:
        await greeted(listener)
        await world.tell(waiting)
        assert (await listener.until("approval"))["order_id"] == waiting.terms.order_id
        halt = world.halt(risk.HaltAsked(account="paper-1", by="tom", reason="r"))
        world.halts = [halt]
        await world.tell(halt)
        assert (await listener.until("halt"))["key"] == "paper-1"
    async with listening(running) as second:
        snapshot = await greeted(second)
        assert [row["key"] for row in snapshot["halts"]] == ["paper-1"]
        assert waiting.terms.order_id in [row["order_id"] for row in snapshot["approvals"]]
        world.pending, world.halts = [], []
        await world.tell(world.refusal(waiting.terms))
        ended = await second.until("approval_ended", lambda data: data["order_id"] == waiting.terms.order_id)
        assert ended == {"order_id": waiting.terms.order_id}
        await world.tell(
            halt.model_copy(update={"event_id": new_id(), "engaged": False, "received_time": datetime.now(UTC)})
        )
        assert (await second.until("halt", lambda data: not data["engaged"]))["key"] == "paper-1"


async def test_a_position_is_told_anew_when_its_guard_changes(running, world):
    async with listening(running) as listener:
        await greeted(listener)
        await world.tell(world.protection(revision=7, stop_price=Decimal(27500)))
        told = await listener.until("position", lambda data: data["guard"]["stop_price"] == "27500")
        assert told["symbol"] == "BTC-USDT"


async def test_a_halt_is_told_at_once(running, world):
    async with listening(running) as listener:
        await greeted(listener)
        await world.tell(
            world.risk_state().model_copy(update={"trading_state": TradingState.HALTED, "halted_by": "tom"})
        )
        told = await listener.until("overview", lambda data: data["trading_state"] == "halted")
        assert told["halted_by"] == "tom"
        await world.tell(world.risk_state())
        await listener.until("overview", lambda data: data["trading_state"] == "active")


async def test_a_flat_position_is_told(running, world):
    async with listening(running) as listener:
        await greeted(listener)
        revision = int(datetime.now(UTC).timestamp() * 1000)
        await world.tell(world.position("0", revision))
        flat = await listener.until("position", lambda data: data["quantity"] == "0")
        assert flat["unrealised_pnl"] == "0"
        await world.tell(world.position("1", revision + 1))
        assert (await listener.until("position", lambda data: data["quantity"] == "1"))["mark_price"]


async def test_another_accounts_affairs_are_not_told(running, world):
    async with listening(running) as listener:
        await greeted(listener)
        await world.tell(world.order(terms=world.terms(account="paper-2")))
        mine = world.order()
        await world.tell(mine)
        assert (await listener.until("order"))["account"] == "paper-1"


def trade(world, symbol: str):
    return world.make(
        "ingest", TradePrinted, venue="binance", symbol=symbol, trade_id="1", price=Decimal(1), quantity=Decimal(1),
        side=Side.BUY,
    )  # fmt: skip


def bar(world, symbol: str, timeframe: str):
    prices = {name: Decimal(1) for name in ("open", "high", "low", "close")}
    return world.make(
        "ingest", BarUpdated, venue="binance", symbol=symbol, timeframe=timeframe, volume=Decimal(1), trade_count=1,
        open_time=datetime(2026, 1, 1, tzinfo=UTC), closed=True, **prices,
    )  # fmt: skip


async def test_trades_and_bars_come_to_those_who_ask_for_them(running, world):
    async with listening(running) as asking, listening(running) as silent:
        await greeted(asking)
        await greeted(silent)
        await asking.socket.send(json.dumps({"op": "subscribe", "symbols": ["LTC-USDT"], "timeframe": "5m"}))
        await asking.socket.send(json.dumps({"op": "pong"}))
        seen: list[tuple[str, Any]] = []
        while not any(kind == "bar" for kind, _ in seen):
            # Said again until the subscription has arrived.
            for event in (trade(world, "BTC-USDT"), trade(world, "LTC-USDT")):
                await world.tell(event)
            for event in (bar(world, "LTC-USDT", "1m"), bar(world, "BTC-USDT", "5m"), bar(world, "LTC-USDT", "5m")):
                await world.tell(event)
            seen += [await asking.next() for _ in range(4)]
        bars = [data for kind, data in seen if kind == "bar"]
        assert {(bar["symbol"], bar["timeframe"]) for bar in bars} == {("LTC-USDT", "5m")}
        assert {data["symbol"] for kind, data in seen if kind == "trade"} <= {"LTC-USDT"}
        assert {(await silent.next())[0] for _ in range(4)} <= {"quote", "heartbeat", "overview", "position", "feed"}


# -- who gets in -------------------------------------------------------------------------------------------------------


async def refused(running, query: str, origin: str | None) -> None:
    with pytest.raises(websockets.InvalidStatus) as failure:
        async with websockets.connect(f"{running.socket_url}{query}", origin=origin):
            pass
    assert failure.value.response.status_code == 403


async def test_a_ticket_opens_one_stream(running):
    query = f"?ticket={await ticket(running)}"
    async with websockets.connect(f"{running.socket_url}{query}", origin=running.url):
        await refused(running, query, running.url)


async def test_a_ticket_is_used_up_even_by_two_at_once(running):
    url = f"{running.socket_url}?ticket={await ticket(running)}"

    async def enter() -> bool:
        try:
            async with websockets.connect(url, origin=running.url):
                return True
        except websockets.InvalidStatus:
            return False

    assert sorted(await asyncio.gather(*(enter() for _ in range(8)))) == [False] * 7 + [True]


@pytest.mark.parametrize("query", ["", "?ticket=", "?ticket=made-up", "?token=x"])
async def test_without_a_ticket_nobody_gets_in(running, query: str):
    await refused(running, query, running.url)


@pytest.mark.parametrize("origin", [None, "https://evil.example", "http://127.0.0.1:1", "null", "file://"])
async def test_a_foreign_page_does_not_get_in(running, origin: str | None):
    await refused(running, f"?ticket={await ticket(running)}", origin)


async def test_a_late_ticket_does_not_open(running, sql):
    late = await ticket(running)
    await sql.execute("UPDATE stream_tickets SET expires_at = now() - interval '1 second'")
    await refused(running, f"?ticket={late}", running.url)


async def test_a_ticket_of_a_session_that_ended_does_not_open(running):
    async with running.client() as http:
        login = await http.post("/api/auth/login", json={"username": "uma", "password": PASSWORD})
        access = {"Authorization": f"Bearer {login.json()['access_token']}"}
        secret = (await http.post("/api/stream/ticket", headers=access)).json()["ticket"]
        await http.post("/api/auth/logout", headers={"X-Requested-With": "algotrendy"})
    await refused(running, f"?ticket={secret}", running.url)


# -- when it ends ------------------------------------------------------------------------------------------------------


async def closed(listener: Listener) -> int:
    async def drain() -> None:
        while True:
            await listener.socket.recv()

    with pytest.raises(websockets.ConnectionClosed) as failure:
        await asyncio.wait_for(drain(), 10)
    assert failure.value.rcvd is not None
    return failure.value.rcvd.code


async def test_logging_out_ends_the_stream(running):
    async with running.client() as http:
        login = await http.post("/api/auth/login", json={"username": "uma", "password": PASSWORD})
        access = {"Authorization": f"Bearer {login.json()['access_token']}"}
        secret = (await http.post("/api/stream/ticket", headers=access)).json()["ticket"]
        async with websockets.connect(f"{running.socket_url}?ticket={secret}", origin=running.url) as socket:
            listener = Listener(socket)
            await greeted(listener)
            await http.post("/api/auth/logout", headers={"X-Requested-With": "algotrendy"})
            assert await closed(listener) == 4401


@pytest.mark.parametrize("said", ["{", "null", '{"op":"order"}', '{"op":"pong","x":1}', "x" * 20_000])
async def test_nonsense_ends_the_stream(running, said: str):
    async with listening(running) as listener:
        await listener.socket.send(said)
        assert await closed(listener) == 1008


async def test_a_chatterbox_is_cut_off(running):
    async with listening(running) as listener:
        for _ in range(200):
            await listener.socket.send('{"op":"pong"}')
        assert await closed(listener) == 1008


async def test_a_session_may_not_open_streams_without_end(gateways, world):
    async with gateways(MAX_STREAMS_PER_SESSION="1") as small:
        await small.synchronised()
        async with listening(small) as first:
            await greeted(first)
            async with listening(small) as second:
                assert await closed(second) == 1013


async def test_stopping_the_gateway_says_goodbye(gateways, world):
    async with gateways() as short:
        await short.synchronised()
        context = listening(short)
        listener = await context.__aenter__()
        await greeted(listener)
    assert await closed(listener) in (1001, 1012)
    await context.__aexit__(None, None, None)

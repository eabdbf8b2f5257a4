"""Kraken's words against ours, and the traps of its API and of the library that speaks it, each a test."""

import asyncio
import contextlib
import inspect
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from algotrendy_broker_gateway.adapters import kraken_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.kraken import KrakenVenue
from algotrendy_broker_gateway.adapters.kraken_requests import TYPES, order_request
from algotrendy_broker_gateway.adapters.kraken_stream import Executions
from algotrendy_broker_gateway.adapters.kraken_wire import Wire, asks_for_silence, explicit, refused
from algotrendy_broker_gateway.domain.rate_limit import SharedLimits, TokenBucket
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueReport
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused
from algotrendy_broker_gateway.ports import BalancesReported, StreamLost, StreamOpened, Unreadable
from algotrendy_common.enums import Liquidity, MarginMode, Mode, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import new_id
from algotrendy_simulator.demo_keys import demo_key
from algotrendy_simulator.server import Running, serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin
from pydantic import SecretStr

PAYLOADS = Path(__file__).parent / "payloads/kraken"
DEMO = demo_key("kraken")
BTC = "BTC-USDT"
ID = "c" * 32
MARGIN = {"margin_mode": MarginMode.CROSS, "leverage": Decimal(3)}


def recorded(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def terms(**changes):
    shape = {
        "order_id": "0" * 32, "account": "paper-1", "venue": "kraken", "symbol": BTC, "side": Side.BUY,
        "type": OrderType.LIMIT, "quantity": Decimal("0.50"), "limit_price": Decimal("10000.10"),
    }  # fmt: skip
    return OrderTerms(**(shape | changes))


def same(symbol):
    return symbol


def nothing(client_id):
    return None


def assets(symbol):
    return "BTC", "USD"


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"ordertype": "limit", "price": "10000.1", "price2": None, "oflags": "fciq", "timeinforce": None}),
        ({"time_in_force": TimeInForce.POST_ONLY}, {"oflags": "fciq,post"}),
        ({"time_in_force": TimeInForce.IOC}, {"timeinforce": "IOC"}),
        ({"time_in_force": TimeInForce.FOK}, {"timeinforce": "FOK"}),
        (
            {"time_in_force": TimeInForce.GTD, "good_until": datetime(2026, 11, 21, 12, 0, 0, 1, tzinfo=UTC)},
            {"timeinforce": "GTD", "expiretm": "1795262401"},
        ),
        ({"type": OrderType.MARKET, "limit_price": None}, {"ordertype": "market", "price": None}),
        (MARGIN, {"leverage": "3", "reduce_only": None}),
        (MARGIN | {"reduce_only": True}, {"leverage": "3", "reduce_only": "true"}),
        ({"margin_mode": MarginMode.CROSS, "reduce_only": True}, {"leverage": "2", "reduce_only": "true"}),
        # Without margin there is nothing that an order could turn.
        ({"reduce_only": True}, {"leverage": None, "reduce_only": None}),
    ],
)
def test_a_request_says_exactly_the_terms(changes, expected):
    request = order_request(ID, terms(**changes), "XBTUSDT", None)

    assert {name: request.get(name) for name in expected} == expected
    assert (request["cl_ord_id"], request["volume"], request["pair"]) == (ID, "0.5", "XBTUSDT")
    assert "userref" not in request


@pytest.mark.parametrize("kind", sorted(kind for kind in TYPES if kind.triggered))
def test_what_waits_for_a_price_never_goes_out_as_a_plain_order(kind):
    """``triggerPrice``, the library's word elsewhere, is ignored here: the order would be live at once."""
    trigger = {"trailing_ratio": Decimal("0.015")} if kind is OrderType.TRAILING_STOP else {"trigger_price": Decimal(9)}
    request = order_request(ID, terms(type=kind, side=Side.SELL, **trigger), "XBTUSDT", None)

    assert request["ordertype"] == kind.value.replace("_", "-").replace("stop", "stop-loss").replace(
        "trailing-stop-loss", "trailing-stop"
    )
    assert request["price"] == ("+1.5%" if kind is OrderType.TRAILING_STOP else "9")
    assert request.get("price2") == ("10000.1" if kind.priced else None)
    assert not request.keys() & {"triggerPrice", "stopPrice", "trigger_price"}


@pytest.mark.parametrize(
    "changes",
    [
        {"type": OrderType.OCO, "trigger_price": Decimal(9)},
        {"type": OrderType.STOP},
        {"type": OrderType.STOP_LIMIT, "trigger_price": Decimal(9), "time_in_force": TimeInForce.IOC},
        {"type": OrderType.TRAILING_STOP, "trailing_ratio": Decimal("0.01"), "trigger_price": Decimal(9)},
        {"limit_price": None},
        {"time_in_force": TimeInForce.GTD},
        {"margin_mode": MarginMode.ISOLATED, "leverage": Decimal(3)},
        {"margin_mode": MarginMode.CROSS},
        MARGIN | {"leverage": Decimal("2.5")},
        MARGIN | {"leverage": Decimal(1)},
    ],
)
def test_what_has_no_word_is_refused_and_never_weakened(changes):
    with pytest.raises(VenueRefused):
        order_request(ID, terms(**changes), "XBTUSDT", None)


def test_signs_as_the_documentation_does():
    known = recorded("signing")
    wire = Wire({"apiKey": "key", "secret": known["secret"]}, print, print)
    wire.incrementing_nonce = lambda: int(known["nonce"])
    body = dict(part.split("=") for part in known["payload"].split("&")[1:])

    signed = wire.sign("AddOrder", ["private"], "POST", body)

    assert (signed["body"], signed["headers"]["API-Sign"]) == (known["payload"], known["signature"])


# -- what the venue says -----------------------------------------------------------------------------------------------


def test_reads_recorded_orders():
    rows = recorded("open_orders")["result"]["open"]
    limit, stop = (report.order for report in messages.orders(rows, same, nothing))

    assert (limit.type, limit.limit_price, limit.quantity) == (OrderType.LIMIT, Decimal(29500), Decimal("0.5"))
    assert (limit.client_id, limit.standing, limit.waiting) == (limit.venue_order_id, Standing.WORKING, False)
    assert (stop.type, stop.side, stop.waiting) == (OrderType.STOP, Side.SELL, True)

    (cancelled,) = (r.order for r in messages.orders(recorded("closed_orders")["result"]["closed"], same, nothing))
    assert (cancelled.client_id, cancelled.standing, cancelled.reason) == ("123", Standing.CANCELLED, "cancelled")


def test_reads_a_recorded_trailing_stop():
    rows = recorded("open_trailing_stop")["result"]["open"]
    (trailing,) = (report.order for report in messages.orders(rows, same, nothing))

    assert (trailing.type, trailing.trailing_ratio) == (OrderType.TRAILING_STOP, Decimal("0.5"))
    assert (trailing.trigger_price, trailing.limit_price, trailing.waiting) == (Decimal("0.7579"), None, True)


def test_reads_recorded_trades():
    rows = recorded("trades")["result"]["trades"]
    fills = [messages.trade(name, row, same, assets) for name, row in rows.items()]

    assert [fill.trade_id for fill in fills] == ["THVRQM-33VKH-UCI7BS", "TCWJEG-FL4SZ-3FKGH6"]
    assert {(fill.price, fill.liquidity, fill.fee_currency) for fill in fills} == {
        (Decimal(30010), Liquidity.MAKER, "USD")
    }
    assert fills[0].event_time == datetime(2023, 7, 6, 18, 23, 16, 880200, tzinfo=UTC)


def test_reads_recorded_pairs_and_their_steps():
    pair = recorded("asset_pairs")["result"]["XXBTZUSD"]
    found = messages.instrument("BTC-USD", "BTC", "USD", pair)

    assert (found.price_step, found.quantity_step) == (Decimal(pair["tick_size"]), Decimal("0.00000001"))
    assert (found.taker_fee, found.maker_fee) == (Decimal("0.0026"), Decimal("0.0016"))
    assert found.max_leverage == 5


def test_reads_recorded_positions():
    (position,) = messages.positions(recorded("positions")["result"], same, datetime.now(UTC))

    assert (position.symbol, position.quantity, position.entry_price) == ("XXBTZUSD", Decimal("0.5"), Decimal(100_000))
    assert position.margin_mode is MarginMode.CROSS
    assert messages.positions([], same, datetime.now(UTC)) == ()


def test_what_is_staked_counts_as_reserved_and_not_as_gone():
    found = {
        "XXBT": {"balance": "1.5", "hold_trade": "0.5"},
        "XBT.B": {"balance": "2.0", "hold_trade": "0"},
        "XBT.F": {"balance": "0.25", "hold_trade": "0"},
        "ZUSD": {"balance": "0.0000", "hold_trade": "0"},
    }
    (own,) = messages.balances(found, {"XXBT": "BTC", "XBT": "BTC", "ZUSD": "USD"}.__getitem__)

    assert (own.asset, own.total, own.available, own.reserved) == (
        "BTC", Decimal("3.75"), Decimal("1.25"), Decimal("2.5"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "text", "sure", "code"),
    [
        (200, "EOrder:Insufficient funds", True, "insufficient_balance"),
        (200, "EOrder:Post only order", True, "would_take"),
        (200, "EGeneral:Invalid arguments:volume", True, "venue_filter"),
        (200, "EAPI:Invalid nonce", True, "clock_skew"),
        (200, "EAPI:Rate limit exceeded", True, "rate_limited"),
        (200, "EService:Market in cancel_only mode", True, "venue_refused"),
        # The venue itself does not know.
        (200, "EService:Unavailable", False, None),
        (200, "EService:Busy", False, None),
        (200, "EService:Timeout", False, None),
        (200, "EGeneral:Internal error", False, None),
        (200, "EDatabase:Internal error", False, None),
        (520, None, False, None),
        # Proof that an order of this id is there.
        (200, "EOrder:Duplicate order", False, None),
        (200, "EOrder:cl_ord_id already in use", False, None),
    ],
)
def test_only_a_plain_no_is_a_refusal(status, text, sure, code):
    answer = Answered(status, text, text or "")
    assert explicit(answer) is sure
    if sure:
        assert refused(answer).code == code
    assert asks_for_silence(answer) is (text == "EAPI:Rate limit exceeded")


# -- the executions channel --------------------------------------------------------------------------------------------


def row(kind, **more):
    shared = {"order_id": "OAAAAA-AAAAA-AAAAAB", "exec_type": kind, "timestamp": "2026-11-21T12:00:00.000001Z"}
    return shared | more


PENDING = row(
    "pending_new", symbol="BTC/USDT", side="buy", order_type="limit", order_qty=Decimal("1.0"), cl_ord_id=ID,
    order_status="pending_new", limit_price=Decimal("26500.0"), time_in_force="GTC", cum_qty=Decimal("0.0"),
)  # fmt: skip
TRADE = row(
    "trade", exec_id="T1", trade_id=7, symbol="BTC/USDT", side="buy", order_type="limit", last_qty=Decimal("0.1"),
    last_price=Decimal("26500.0"), liquidity_ind="m", order_status="partially_filled",
    fees=[{"asset": "USDT", "qty": Decimal("2.65")}],
)  # fmt: skip


def test_later_messages_name_only_what_is_new():
    executions = Executions(same)
    assert executions.take(PENDING) is None
    accepted = executions.take(row("new", order_status="new"))
    traded = executions.take(TRADE)
    ended = executions.take(row("canceled", order_status="canceled", reason="User requested"))

    assert (accepted.order.client_id, accepted.order.standing) == (ID, Standing.WORKING)
    assert (traded.order.executed_quantity, traded.fills[0].quantity) == (Decimal("0.1"), Decimal("0.1"))
    assert (traded.fills[0].fee, traded.fills[0].liquidity) == (Decimal("2.65"), Liquidity.MAKER)
    assert (ended.order.standing, ended.order.quantity, ended.order.executed_quantity) == (
        Standing.CANCELLED, Decimal(1), Decimal("0.1"),
    )  # fmt: skip


def test_a_trade_told_twice_is_one_and_an_ended_order_stays_so():
    executions = Executions(same)
    executions.take(PENDING)
    executions.take(TRADE)
    assert executions.take(TRADE) is None
    executions.take(row("canceled", order_status="canceled"))
    late = executions.take(TRADE | {"exec_id": "T2"})

    assert (late.order.standing, late.order.executed_quantity) == (Standing.CANCELLED, Decimal("0.2"))
    assert [fill.trade_id for fill in late.fills] == ["T2"]


@pytest.mark.parametrize(
    ("fees", "expected"),
    [
        ([], (Decimal(0), "USDT")),
        ([{"asset": "USDT", "qty": Decimal("1.5")}, {"asset": "USDT", "qty": Decimal("0.5")}], (Decimal(2), "USDT")),
        ([{"asset": "BTC", "qty": Decimal("0.0001")}], (Decimal("0.0001"), "BTC")),
    ],
)
def test_a_fee_is_what_it_says_and_in_what_it_says(fees, expected):
    executions = Executions(same)
    executions.take(PENDING)

    (fill,) = executions.take(TRADE | {"fees": fees}).fills
    assert (fill.fee, fill.fee_currency) == expected


def test_nothing_is_made_up_about_an_order_that_was_not_told_of():
    with pytest.raises(KeyError):
        Executions(same).take(row("canceled", order_status="canceled"))
    with pytest.raises(TypeError):
        Executions(same).take(TRADE | {"order_qty": Decimal(1), "last_qty": 0.1})


# -- against a simulated Kraken --------------------------------------------------------------------------------------


@pytest.fixture
async def simulated():
    settings = SimulatorSettings(port=0, paused=True, history=30, venue="kraken", weight_per_minute=10**7)
    async with serving(settings) as running:
        yield running


def access(running: Running, **changes) -> VenueAccess:
    """With more calls allowed than the real venue does, as the simulated one is told to."""
    limits = SharedLimits()
    limits.by_key("kraken", "calls", DEMO.key, lambda: TokenBucket(10_000, 1_000))
    values = {
        "mode": Mode.PAPER, "http_url": running.http, "ws_url": running.ws, "api_key": SecretStr(DEMO.key),
        "api_secret": SecretStr(DEMO.secret), "answer_timeout": timedelta(seconds=2), "limits": limits,
    }  # fmt: skip
    return VenueAccess(**(values | changes))


@pytest.fixture
async def venue(simulated):
    venue = KrakenVenue(access(simulated))
    await venue.connect()
    yield venue
    await venue.close()


async def heard_until(venue, wanted, within_s=60.0):
    heard = []

    async def listen():
        async with contextlib.aclosing(venue.stream()) as arriving:
            async for message in arriving:
                heard.append(message)
                if wanted(message):
                    return

    await asyncio.wait_for(listen(), within_s)
    return heard


async def last_price(simulated):
    status = await call_admin(simulated.http, "GET", "/admin/status")
    return Decimal(next(each["last_price"] for each in status["symbols"] if each["symbol"] == "BTCUSDT"))


def market(**changes):
    return terms(**{"type": OrderType.MARKET, "limit_price": None, "quantity": Decimal("0.1")} | changes)


async def test_bitcoin_is_bitcoin_under_each_of_its_names(venue, simulated):
    assert venue.assets(BTC) == ("BTC", "USDT")
    assert {venue._symbol(name) for name in ("XBTUSDT", "BTC/USDT")} == {BTC}
    report = await venue.submit(ID, market())

    assert {row.asset for row in await venue.balances()} == {"BTC", "USDT"}
    assert {fill.symbol for fill in await venue.fills_of(BTC, report.order.venue_order_id)} == {BTC}


async def test_calls_at_once_leave_one_after_the_other(venue):
    """Kraken refuses a nonce that is lower than one that arrived before it, however they were sent."""
    asked = [venue.balances() if number % 2 else venue.open_orders() for number in range(24)]

    assert len(await asyncio.gather(*asked)) == 24


async def test_a_second_order_under_a_working_id_is_proof_of_the_first(venue):
    first = await venue.submit(ID, terms(quantity=Decimal("0.01")))
    with pytest.raises(OutcomeUnknown):
        await venue.submit(ID, terms(quantity=Decimal("0.02")))

    found = await venue.order(BTC, ID)
    assert (found.order.venue_order_id, found.order.quantity) == (first.order.venue_order_id, Decimal("0.01"))


async def test_the_newest_order_of_a_reused_id_is_found(venue):
    """An id is unique among open orders only."""
    await venue.submit(ID, terms(quantity=Decimal("0.01")))
    await venue.cancel(BTC, ID)
    second = await venue.submit(ID, terms(quantity=Decimal("0.02")))
    await venue.cancel(BTC, ID)

    assert (await venue.order(BTC, ID)).order.venue_order_id == second.order.venue_order_id


def test_the_library_would_ask_for_an_id_by_another_name():
    """Its ``fetch_order`` makes a ``userref`` of it, which is a number; so no question of ours goes through it."""
    assert "'userref'" in inspect.getsource(Wire.fetch_order)
    assert "fetch_order" not in inspect.getsource(inspect.getmodule(KrakenVenue))


async def test_a_stop_waits_and_a_trailing_one_goes_out_in_percent(venue, simulated):
    price = await last_price(simulated)
    stop = {"type": OrderType.STOP_LIMIT, "quantity": Decimal("0.01"), "trigger_price": price + 100}
    await venue.submit(ID, terms(**stop, limit_price=price + 200))
    trailing_id = new_id()
    await venue.submit(
        trailing_id, market(type=OrderType.TRAILING_STOP, trailing_ratio=Decimal("0.0125"), quantity=Decimal("0.01"))
    )

    waiting = {report.order.client_id: report.order for report in await venue.open_orders()}
    assert (waiting[ID].type, waiting[ID].waiting) == (OrderType.STOP_LIMIT, True)
    assert (waiting[ID].trigger_price, waiting[ID].limit_price) == (price + 100, price + 200)
    assert waiting[trailing_id].trailing_ratio == Decimal("0.0125")
    assert await call_admin(simulated.http, "GET", "/admin/fills") == []


async def test_leverage_opens_a_position_and_reduce_only_closes_it(venue, simulated):
    await venue.submit(new_id(), market(side=Side.SELL, **MARGIN))
    (position,) = await venue.positions()
    (own,) = await call_admin(simulated.http, "GET", "/admin/positions")
    assert (position.symbol, position.quantity, position.leverage) == (BTC, Decimal("-0.1"), Decimal(3))
    assert abs(position.entry_price - Decimal(own["entry_price"])) < Decimal("0.0001")
    assert {row.asset for row in await venue.balances()} == {"USDT"}, "borrowed coins are no balance"

    await venue.submit(new_id(), market(quantity=Decimal("0.4"), reduce_only=True, margin_mode=MarginMode.CROSS))

    assert await venue.positions() == ()


async def test_the_leverage_that_was_set_goes_with_orders_that_name_none(venue):
    assert venue.instrument(BTC).max_leverage == 5
    await venue.set_leverage(BTC, Decimal(4), MarginMode.CROSS)
    await venue.submit(new_id(), market(margin_mode=MarginMode.CROSS))

    assert (await venue.positions())[0].leverage == Decimal(4)
    for leverage, mode in ((Decimal(7), MarginMode.CROSS), (Decimal(2), MarginMode.ISOLATED)):
        with pytest.raises(VenueRefused):
            await venue.set_leverage(BTC, leverage, mode)


async def test_there_is_nothing_to_reduce_without_a_position(venue, simulated):
    with pytest.raises(VenueRefused) as no:
        await venue.submit(new_id(), market(side=Side.SELL, reduce_only=True, **MARGIN))

    assert no.value.code == "reduce_only"
    assert await call_admin(simulated.http, "GET", "/admin/fills") == []


async def test_the_dead_mans_switch_cancels_what_a_dead_man_left(venue):
    await venue.submit(ID, terms(quantity=Decimal("0.01")))

    def gone(message):
        return isinstance(message, VenueReport) and message.order.standing is Standing.CANCELLED

    listening = asyncio.create_task(heard_until(venue, gone))
    await venue.arm_dead_man_switch(timedelta(milliseconds=300))

    assert (await listening)[-1].order.client_id == ID
    assert (await venue.order(BTC, ID)).order.standing is Standing.CANCELLED


async def test_balances_are_asked_for_after_what_the_stream_tells(venue):
    """The channel tells totals, and nothing of what orders hold."""
    await venue.submit(ID, terms(quantity=Decimal(1)))

    def held(message):
        return isinstance(message, BalancesReported) and any(row.reserved for row in message.balances)

    heard = await heard_until(venue, held)
    (usdt,) = heard[-1].balances
    assert (usdt.asset, usdt.total, usdt.total - usdt.available) == ("USDT", Decimal(100_000), usdt.reserved)
    assert usdt.reserved > 10_000


async def test_numbers_of_the_stream_are_read_as_they_are_written(venue):
    quantity = Decimal("0.123457")

    def traded(message):
        return isinstance(message, VenueReport) and message.order.standing is Standing.DONE

    listening = asyncio.create_task(heard_until(venue, traded))
    await asyncio.wait_for(venue._subscribed.wait(), 5)
    report = await venue.submit(ID, market(quantity=quantity))

    told = [fill for message in await listening if isinstance(message, VenueReport) for fill in message.fills]
    asked = await venue.fills_of(BTC, report.order.venue_order_id)
    assert {fill.trade_id: (fill.price, fill.quantity, fill.fee) for fill in told} == {
        fill.trade_id: (fill.price, fill.quantity, fill.fee) for fill in asked
    }
    assert sum(fill.quantity for fill in told) == quantity


async def test_a_token_that_is_not_taken_is_a_lost_stream_and_not_a_silent_one(venue):
    """ccxt would answer the refused subscription to nobody, and wait."""
    real = venue._wire.privatePostGetWebSocketsToken

    async def another(request):
        return {"error": [], "result": {"token": "another", "expires": 900}}

    venue._wire.privatePostGetWebSocketsToken = another
    lost = (await heard_until(venue, lambda message: isinstance(message, StreamLost)))[-1]
    venue._wire.privatePostGetWebSocketsToken = real
    assert "token" in lost.detail.lower()
    assert isinstance((await heard_until(venue, lambda m: isinstance(m, StreamOpened)))[-1], StreamOpened)


async def test_a_hole_in_the_private_numbering_is_told(venue):
    listening = asyncio.create_task(heard_until(venue, lambda message: isinstance(message, Unreadable)))
    await asyncio.wait_for(venue._subscribed.wait(), 5)
    venue._wire._last = {socket: number - 2 for socket, number in venue._wire._last.items()}
    await venue.submit(ID, terms(quantity=Decimal("0.01")))

    assert "missing" in (await listening)[-1].detail

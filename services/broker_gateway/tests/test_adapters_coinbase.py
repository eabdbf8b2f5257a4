"""Coinbase's words against ours, and the traps of its API and of the library that speaks it, each a test."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from algotrendy_broker_gateway.adapters import coinbase, coinbase_messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.coinbase import CoinbaseVenue
from algotrendy_broker_gateway.adapters.coinbase_requests import DOWN, UP, order_request
from algotrendy_broker_gateway.adapters.coinbase_wire import Wire, explicit, refused
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
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

PAYLOADS = Path(__file__).parent / "payloads/coinbase"
DEMO = demo_key("coinbase")
BTC = "BTC-USDT"
ID = "c" * 32


def recorded(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def terms(**changes):
    shape = {
        "order_id": "0" * 32, "account": "paper-1", "venue": "coinbase", "symbol": BTC, "side": Side.BUY,
        "type": OrderType.LIMIT, "quantity": Decimal("0.50"), "limit_price": Decimal("10000.10"),
    }  # fmt: skip
    return OrderTerms(**(shape | changes))


def same(symbol):
    return symbol


def assets(symbol):
    base, _, quote = symbol.partition("-")
    return base, quote


# -- requests --------------------------------------------------------------------------------------------------------


SIZE = {"base_size": "0.5", "limit_price": "10000.1"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"limit_limit_gtc": SIZE | {"post_only": False}}),
        ({"time_in_force": TimeInForce.POST_ONLY}, {"limit_limit_gtc": SIZE | {"post_only": True}}),
        ({"time_in_force": TimeInForce.IOC}, {"sor_limit_ioc": SIZE}),
        ({"time_in_force": TimeInForce.FOK}, {"limit_limit_fok": SIZE}),
        (
            {"time_in_force": TimeInForce.GTD, "good_until": datetime(2026, 11, 21, 12, tzinfo=UTC)},
            {"limit_limit_gtd": SIZE | {"end_time": "2026-11-21T12:00:00.000000Z", "post_only": False}},
        ),
        # The library makes a quote amount of a market purchase; ours is the quantity that was approved.
        ({"type": OrderType.MARKET, "limit_price": None}, {"market_market_ioc": {"base_size": "0.5"}}),
    ],
)
def test_a_request_says_exactly_the_terms(changes, expected):
    request = order_request(ID, terms(**changes), BTC)

    assert request == {
        "client_order_id": ID,
        "product_id": BTC,
        "side": "BUY",
        "order_configuration": expected,
    }


@pytest.mark.parametrize(
    ("kind", "side", "direction"),
    [
        (OrderType.STOP_LIMIT, Side.BUY, UP),
        (OrderType.STOP_LIMIT, Side.SELL, DOWN),
        (OrderType.TAKE_PROFIT_LIMIT, Side.BUY, DOWN),
        (OrderType.TAKE_PROFIT_LIMIT, Side.SELL, UP),
    ],
)
def test_a_stop_always_says_where_its_price_comes_from(kind, side, direction):
    request = order_request(ID, terms(type=kind, side=side, trigger_price=Decimal(9000)), BTC)

    stop = request["order_configuration"]["stop_limit_stop_limit_gtc"]
    assert stop == SIZE | {"stop_price": "9000", "stop_direction": direction}


@pytest.mark.parametrize(
    "changes",
    [
        {"type": OrderType.STOP, "trigger_price": Decimal(9000)},
        {"type": OrderType.TRAILING_STOP, "trailing_ratio": Decimal("0.01")},
        {"type": OrderType.OCO, "trigger_price": Decimal(9000)},
        {"type": OrderType.STOP_LIMIT, "trigger_price": Decimal(9000), "time_in_force": TimeInForce.IOC},
        {"type": OrderType.STOP_LIMIT},
        {"limit_price": None},
        {"time_in_force": TimeInForce.GTD},
        {"reduce_only": True},
        {"leverage": Decimal(3), "margin_mode": MarginMode.CROSS},
    ],
)
def test_what_has_no_word_is_refused_and_never_weakened(changes):
    with pytest.raises(VenueRefused):
        order_request(ID, terms(**changes), BTC)


def test_staking_and_the_dead_mans_switch_are_not_offered():
    assert not CoinbaseVenue.capabilities.earn
    assert not hasattr(CoinbaseVenue, "earn")
    assert not CoinbaseVenue.capabilities.dead_man_switch


# -- what the venue says -----------------------------------------------------------------------------------------------


def test_reads_recorded_orders():
    first, second = (coinbase_messages.order(row, same) for row in recorded("orders")["orders"])

    assert (first.client_id, first.standing, first.type) == ("11111-000000-000001", Standing.WORKING, OrderType.LIMIT)
    assert (first.quantity, first.limit_price, first.executed_quantity) == (Decimal("0.01"), Decimal(45000), Decimal(0))
    # Worth a hundred dollars when it was made: what it came to is its quantity.
    assert (second.type, second.standing) == (OrderType.MARKET, Standing.DONE)
    assert second.quantity == second.executed_quantity == Decimal("0.0325")


def test_reads_a_recorded_market_sale_and_its_fill():
    (sold,) = (coinbase_messages.order(row, same) for row in recorded("closed_orders")["orders"])
    (fill,) = (coinbase_messages.fill(row, same, assets) for row in recorded("fills")["fills"])

    assert (sold.symbol, sold.side, sold.quantity, sold.standing) == ("ADA-USDT", Side.SELL, 10, Standing.DONE)
    assert sold.time_in_force is TimeInForce.IOC
    assert (fill.venue_order_id, fill.price, fill.quantity) == (sold.venue_order_id, Decimal("0.392"), Decimal(10))
    assert (fill.fee, fill.fee_currency, fill.liquidity) == (Decimal("0.03136"), "USDT", Liquidity.TAKER)
    assert fill.trade_id == recorded("fills")["fills"][0]["entry_id"]


def test_a_fill_whose_size_is_in_quote_is_made_into_base():
    row = recorded("fills")["fills"][0] | {"size": "3.92", "size_in_quote": True}

    assert coinbase_messages.fill(row, same, assets).quantity == Decimal(10)


def test_a_correction_is_no_fill():
    row = recorded("fills")["fills"][0] | {"trade_type": "REVERSAL"}

    assert coinbase_messages.fill(row, same, assets) is None


def test_wallets_of_one_asset_count_together():
    (wallet,) = recorded("accounts")["accounts"]

    (one,) = coinbase_messages.balances([wallet, wallet])

    assert (one.asset, one.total, one.available, one.reserved) == (
        "BTC", Decimal("4.92"), Decimal("2.46"), Decimal("2.46"),
    )  # fmt: skip


def test_a_number_that_passed_a_float_is_refused():
    row = recorded("orders")["orders"][0] | {"filled_size": 0.001}

    with pytest.raises(TypeError):
        coinbase_messages.order(row, same)


def test_the_user_channel_says_no_size():
    message = recorded("user")
    row = message["events"][0]["orders"][0]

    working = coinbase_messages.told(row, message["timestamp"], same, None)
    assert (working.quantity, working.standing) == (Decimal("0.001"), Standing.WORKING)

    ended = row | {"status": "CANCELLED", "cumulative_quantity": "0.0004", "leaves_quantity": "0"}
    asked = terms(quantity=Decimal("0.001"))
    ours = coinbase_messages.told(ended, message["timestamp"], same, asked)
    assert (ours.quantity, ours.executed_quantity, ours.standing) == (
        Decimal("0.001"), Decimal("0.0004"), Standing.CANCELLED,
    )  # fmt: skip
    with pytest.raises(ValueError, match="size"):
        coinbase_messages.told(ended, message["timestamp"], same, None)


@pytest.mark.parametrize(
    ("answer", "sure", "code"),
    [
        (Answered(200, "INSUFFICIENT_FUND", ""), True, "insufficient_balance"),
        (Answered(200, "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE", ""), True, "would_trigger"),
        (Answered(400, "INVALID_ARGUMENT", ""), True, "venue_refused"),
        (Answered(401, None, "Unauthorized"), True, "key_refused"),
        (Answered(429, "rate_limit_exceeded", "", 1.0), True, "rate_limited"),
        (Answered(408, None, ""), False, None),
        (Answered(500, "internal_server_error", ""), False, None),
        (Answered(503, "UNAVAILABLE", ""), False, None),
    ],
)
def test_only_a_plain_no_is_a_refusal(answer, sure, code):
    assert explicit(answer) is sure
    if sure:
        assert refused(answer).code == code


def test_a_hole_in_the_numbering_is_told():
    arrived = []
    wire = Wire({}, arrived.append, lambda: None)
    for number in (0, 1, 4):
        wire.handle_message(wire, {"channel": "heartbeats", "sequence_num": number, "events": []})

    assert arrived == [{"channel": "gap", "missing": 2}]


# -- against a simulated Coinbase ------------------------------------------------------------------------------------


@pytest.fixture
async def simulated():
    settings = SimulatorSettings(port=0, paused=True, history=30, venue="coinbase", weight_per_minute=10**6)
    async with serving(settings) as running:
        yield running


def access(running: Running, **changes) -> VenueAccess:
    values = {
        "mode": Mode.PAPER, "http_url": running.http, "ws_url": running.ws, "api_key": SecretStr(DEMO.key),
        "api_secret": SecretStr(DEMO.secret), "answer_timeout": timedelta(seconds=2),
    }  # fmt: skip
    return VenueAccess(**(values | changes))


@pytest.fixture
async def venue(simulated):
    venue = CoinbaseVenue(access(simulated))
    await venue.connect()
    yield venue
    await venue.close()


async def heard_until(venue, wanted, within_s=60.0):
    heard = []

    async def listen():
        async with contextlib.aclosing(venue.stream()) as messages:
            async for message in messages:
                heard.append(message)
                if wanted(message):
                    return

    await asyncio.wait_for(listen(), within_s)
    return heard


async def test_an_order_is_found_by_our_id_whatever_became_of_it(venue, monkeypatch):
    """There is no question by our id: it is sought page by page, newest first."""
    monkeypatch.setattr(coinbase, "_PAGE", 2)
    ids = [new_id() for _ in range(5)]
    for client_id in ids:
        await venue.submit(client_id, terms(quantity=Decimal("0.01")))
    await venue.cancel(BTC, ids[0])

    assert len(await venue.open_orders()) == 4
    found = await venue.order(BTC, ids[0])
    assert (found.order.client_id, found.order.standing) == (ids[0], Standing.CANCELLED)
    assert await venue.order(BTC, new_id()) is None
    assert await venue.cancel(BTC, ids[0]) is None


async def test_a_reused_id_is_answered_with_the_first_order(venue):
    first = await venue.submit(ID, terms(quantity=Decimal("0.01")))
    await venue.cancel(BTC, ID)

    second = await venue.submit(ID, terms(quantity=Decimal("0.02")))

    assert second.order.venue_order_id == first.order.venue_order_id
    assert await venue.open_orders() == ()


async def test_fills_come_over_many_pages_once(venue, monkeypatch):
    cursor = await venue.fills_cursor(BTC)
    for _ in range(2):
        await venue.submit(new_id(), terms(type=OrderType.MARKET, quantity=Decimal("0.7"), limit_price=None))
    monkeypatch.setattr(coinbase, "_PAGE", 2)

    page = await venue.fills_after(BTC, cursor)

    assert len(page.fills) > 3
    assert sum(fill.quantity for fill in page.fills) == Decimal("1.4")
    assert (await venue.fills_after(BTC, page.cursor)).fills == ()


async def test_a_clock_that_runs_ahead_signs_with_the_venues_time(simulated):
    venue = CoinbaseVenue(access(simulated))
    ours = venue._wire.milliseconds
    venue._wire.milliseconds = lambda: ours() + 300_000
    try:
        await venue.connect()
        assert await venue.balances()
    finally:
        await venue.close()


async def test_the_size_of_a_cancelled_rest_is_known_from_what_was_sent(venue, simulated):
    """The channel says what was traded and that nothing is left."""
    client_id = new_id()

    def ended(message):
        return isinstance(message, VenueReport) and message.order.standing is Standing.CANCELLED

    listening = asyncio.create_task(heard_until(venue, ended))
    await asyncio.sleep(0)
    book = await call_admin(simulated.http, "GET", "/admin/books")
    best, first = (Decimal(text) for text in book["BTCUSDT"]["asks"][0])
    shape = {"limit_price": best, "quantity": first + 1, "time_in_force": TimeInForce.IOC}
    await asyncio.wait_for(venue._subscribed.wait(), 5)
    await venue.submit(client_id, terms(**shape))

    report = (await listening)[-1]
    assert (report.order.client_id, report.order.quantity) == (client_id, first + 1)
    assert report.order.executed_quantity == first


async def test_a_stranger_on_the_socket_is_lost_and_not_waited_for(simulated):
    """ccxt raises the venue's complaint from the reading itself, and the waiting would never end."""
    venue = CoinbaseVenue(access(simulated))
    await venue.connect()
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    venue._wire.secret = pem.decode()
    try:
        heard = await heard_until(venue, lambda message: isinstance(message, StreamLost))
    finally:
        await venue.close()
    assert "authentication failure" in heard[-1].detail


async def test_each_socket_has_a_token_of_its_own(venue, simulated):
    """ccxt keeps one until the second it ends in."""
    tokens = []
    original = venue._wire.create_auth_token

    def noting(seconds, method=None, url=None, useEddsa=False):  # noqa: N803 - the library's name
        token = original(seconds, method, url, useEddsa)
        if url is None:
            tokens.append(token)
        return token

    venue._wire.create_auth_token = noting
    opened = 0

    def twice(message):
        nonlocal opened
        opened += isinstance(message, StreamOpened)
        return opened == 2

    listening = asyncio.create_task(heard_until(venue, twice))
    await asyncio.wait_for(venue._subscribed.wait(), 5)
    await call_admin(simulated.http, "POST", "/admin/sockets/drop", {"kind": "user"})
    await listening

    assert len(tokens) == len(set(tokens)) == 2


async def test_an_order_of_others_that_ends_is_unreadable_and_so_compared(venue, simulated):
    listening = asyncio.create_task(heard_until(venue, lambda message: isinstance(message, Unreadable)))
    await asyncio.wait_for(venue._subscribed.wait(), 5)
    stranger = {"account": "paper-1", "symbol": "BTCUSDT", "side": "buy", "quantity": "0.01", "limit_price": "10000"}
    await call_admin(simulated.http, "POST", "/admin/orders/place", stranger | {"client_order_id": "outside"})
    await call_admin(
        simulated.http, "POST", "/admin/orders/cancel", {"account": "paper-1", "client_order_id": "outside"}
    )

    heard = await listening
    assert [m.order.client_id for m in heard if isinstance(m, VenueReport)] == ["outside"]


async def test_a_lost_answer_is_an_unknown_outcome_and_the_order_is_found(venue, simulated):
    fault = {"kind": "lost_after", "path": "/api/v3/brokerage/orders", "method": "POST"}
    await call_admin(simulated.http, "POST", "/admin/faults", fault)
    with pytest.raises(OutcomeUnknown):
        await venue.submit(ID, terms(quantity=Decimal("0.01")))

    assert (await venue.order(BTC, ID)).order.standing is Standing.WORKING


async def test_balances_are_asked_for_after_what_the_stream_tells(venue):
    """There is no channel that tells of them."""
    await venue.submit(ID, terms(quantity=Decimal(1)))

    def held(message):
        return isinstance(message, BalancesReported) and any(row.reserved for row in message.balances)

    (usdt,) = (await heard_until(venue, held))[-1].balances
    assert (usdt.asset, usdt.total) == ("USDT", Decimal(100_000))
    assert Decimal(10_000) < usdt.reserved == usdt.total - usdt.available

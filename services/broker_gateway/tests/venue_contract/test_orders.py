"""Plain orders: sent with our own id, found again by it, filled, cancelled, refused."""

import contextlib
from datetime import timedelta
from decimal import Decimal

import pytest
from algotrendy_broker_gateway.domain.capabilities import DuplicateIds
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.errors import KeyTooPowerful, OutcomeUnknown, VenueRefused
from algotrendy_common.clock import SystemClock
from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.ids import new_id
from pydantic import SecretStr

pytestmark = pytest.mark.asyncio(loop_scope="session")
SPOT = "BTC-USDT"


async def test_lists_its_instruments(contract):
    found = contract.venue.instrument(SPOT)

    assert contract.venue.assets(SPOT) == ("BTC", "USDT")
    assert (found.venue, found.symbol) == (contract.name, SPOT)
    assert found.price_step == Decimal("0.01")
    assert found.quantity_step == Decimal("0.000001")
    assert found.min_quantity <= Decimal("0.001") < found.max_quantity
    assert Decimal(0) < found.taker_fee < Decimal("0.02")


async def test_does_not_list_what_is_not_there(contract):
    with pytest.raises(VenueRefused):
        contract.venue.instrument("NO-SUCH")
    with pytest.raises(VenueRefused):
        await contract.submit(symbol="NO-SUCH")


async def test_refuses_a_key_that_may_withdraw(contract, powerful_key):
    if contract.name == "cryptocom":
        assert contract.venue.capabilities.earn is False
        return
    async with contract.opened(api_key=SecretStr(powerful_key)) as venue:
        with pytest.raises(KeyTooPowerful):
            await venue.connect()


@pytest.mark.parametrize("side", list(Side))
async def test_a_market_order_fills_and_its_fills_are_the_venues(contract, side):
    client_id, report = await contract.submit(side=side, quantity=Decimal("0.731235"))

    ended = await contract.ends(client_id, report)
    fills = await contract.venue.fills_of(SPOT, report.order.venue_order_id)
    (own,) = await contract.named(client_id)
    assert (ended.order.standing, ended.order.executed_quantity) == (Standing.DONE, Decimal("0.731235"))
    assert ended.order.side is side
    assert [(fill.price, fill.quantity, fill.fee, fill.fee_currency, fill.liquidity) for fill in fills] == [
        (
            Decimal(row["price"]),
            Decimal(row["qty"]),
            Decimal(row["commission"]),
            row["commissionAsset"],
            Liquidity.TAKER,
        )
        for row in await contract.fills(str(own["orderId"]))
    ]
    assert len({fill.trade_id for fill in fills}) == len(fills)
    assert {fill.venue_order_id for fill in fills} == {report.order.venue_order_id}
    assert sum(fill.quantity for fill in fills) == Decimal("0.731235")


async def test_a_resting_order_is_found_by_our_id_and_cancelled(contract):
    client_id, report = await contract.rest()

    found = await contract.found(client_id)
    (own,) = await contract.named(client_id)
    assert found is not None
    assert (found.order.client_id, found.order.standing) == (client_id, Standing.WORKING)
    assert found.order.venue_order_id == report.order.venue_order_id
    assert (found.order.type, found.order.time_in_force) == (OrderType.LIMIT, TimeInForce.GTC)
    assert (found.order.limit_price, found.order.quantity) == (Decimal(own["price"]), Decimal("0.01"))
    assert client_id in {one.order.client_id for one in await contract.venue.open_orders()}

    cancelled = await contract.venue.cancel(SPOT, client_id, report.order.venue_order_id)

    assert cancelled is not None
    ended = await contract.ends(client_id, report)
    assert (ended.order.standing, ended.order.executed_quantity) == (Standing.CANCELLED, Decimal(0))
    assert await contract.venue.cancel(SPOT, client_id, report.order.venue_order_id) is None
    assert await contract.venue.open_orders() == ()


async def test_an_order_is_cancelled_by_our_id_alone(contract):
    client_id, report = await contract.rest()

    await contract.venue.cancel(SPOT, client_id)

    assert (await contract.ends(client_id, report)).order.standing is Standing.CANCELLED


async def test_what_has_traded_is_not_there_to_cancel(contract):
    client_id, report = await contract.submit()
    await contract.ends(client_id, report)

    assert await contract.venue.cancel(SPOT, client_id, report.order.venue_order_id) is None


async def test_nobody_knows_an_order_that_was_never_sent(contract):
    assert await contract.found(new_id()) is None
    assert await contract.venue.cancel(SPOT, new_id()) is None


async def test_immediate_or_cancel_trades_what_it_can(contract):
    ask = await contract.best(Side.SELL)
    shape = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.IOC, "quantity": Decimal("1.5")}
    client_id, report = await contract.submit(limit_price=ask, **shape)

    ended = await contract.ends(client_id, report)
    assert ended.order.standing is Standing.CANCELLED
    assert Decimal(0) < ended.order.executed_quantity < Decimal("1.5")
    fills = await contract.venue.fills_of(SPOT, report.order.venue_order_id)
    assert sum(fill.quantity for fill in fills) == ended.order.executed_quantity


@pytest.mark.parametrize("time_in_force", [TimeInForce.FOK, TimeInForce.POST_ONLY])
async def test_all_or_nothing_and_maker_or_nothing_end_in_nothing(contract, time_in_force):
    ask = await contract.best(Side.SELL)
    shape = {"type": OrderType.LIMIT, "time_in_force": time_in_force, "quantity": Decimal("1.5"), "limit_price": ask}
    with contextlib.suppress(VenueRefused):
        client_id, report = await contract.submit(**shape)
        ended = await contract.ends(client_id, report)
        assert ended.order.standing in (Standing.CANCELLED, Standing.REJECTED)
        assert ended.order.executed_quantity == 0
    assert await contract.fills() == []
    assert await contract.venue.open_orders() == ()


async def test_fill_or_kill_fills_and_post_only_rests(contract):
    ask = await contract.best(Side.SELL)
    shape = {"type": OrderType.LIMIT, "quantity": Decimal("0.01")}
    killed, filled = await contract.submit(limit_price=ask, time_in_force=TimeInForce.FOK, **shape)
    assert (await contract.ends(killed, filled)).order.standing is Standing.DONE

    client_id, _ = await contract.rest(time_in_force=TimeInForce.POST_ONLY)
    found = await contract.found(client_id)
    assert found is not None
    assert (found.order.time_in_force, found.order.standing) == (TimeInForce.POST_ONLY, Standing.WORKING)


async def test_a_dated_order_ends_at_its_date(contract):
    if TimeInForce.GTD not in contract.venue.capabilities.times_in_force:
        assert TimeInForce.GTC in contract.venue.capabilities.times_in_force
        return
    until = SystemClock().now() + timedelta(seconds=2)
    client_id, report = await contract.rest(time_in_force=TimeInForce.GTD, good_until=until)
    assert (await contract.found(client_id)).order.time_in_force is TimeInForce.GTD

    ended = await contract.ends(client_id, report)

    assert ended.order.standing is Standing.CANCELLED
    assert SystemClock().now() >= until - timedelta(seconds=1)


async def test_whoever_is_taken_is_a_maker(contract):
    price = await contract.best(Side.BUY) + Decimal("0.01")
    client_id, report = await contract.submit(type=OrderType.LIMIT, limit_price=price, quantity=Decimal("0.02"))
    await contract.act(Side.SELL, Decimal("0.015"))

    async def partly():
        fills = await contract.venue.fills_of(SPOT, report.order.venue_order_id)
        return fills if sum(fill.quantity for fill in fills) == Decimal("0.015") else ()

    fills = await contract.eventually(partly)
    assert {(fill.liquidity, fill.price) for fill in fills} == {(Liquidity.MAKER, price)}
    working = await contract.found(client_id)
    assert (working.order.standing, working.order.executed_quantity) == (Standing.WORKING, Decimal("0.015"))


async def test_cancels_everything_at_once(contract):
    ids = [await contract.rest(), await contract.rest(symbol=SPOT, quantity=Decimal("0.02"))]

    await contract.venue.cancel_all()

    for client_id, report in ids:
        assert (await contract.ends(client_id, report)).order.standing is Standing.CANCELLED
    assert await contract.venue.open_orders() == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal(150), "type": OrderType.LIMIT, "limit_price": Decimal(5000)},
        {"quantity": Decimal(50), "side": Side.SELL},
        {"quantity": Decimal("0.0000001")},
        {"type": OrderType.LIMIT, "limit_price": Decimal("5000.001")},
    ],
    ids=["more money than there is", "more coins than there are", "less than the least", "off the price grid"],
)
async def test_a_plain_no_is_a_refusal(contract, changes):
    client_id = new_id()
    with pytest.raises(VenueRefused) as no:
        await contract.venue.submit(client_id, contract.terms(**changes))

    assert no.value.code not in ("rate_limited", "clock_skew")
    assert await contract.named(client_id) == []
    assert await contract.found(client_id) is None


@pytest.mark.parametrize("after_fill", [False, True])
async def test_an_id_used_twice_makes_no_second_order(contract, after_fill):
    duplicates = contract.venue.capabilities.duplicate_ids
    if after_fill:
        client_id, report = await contract.submit()
        await contract.ends(client_id, report)
    else:
        client_id, report = await contract.rest()
    price = (await contract.best(Side.BUY) * Decimal("0.9")).quantize(Decimal(1))
    again = contract.terms(type=OrderType.LIMIT, limit_price=price)
    with contextlib.suppress(VenueRefused, OutcomeUnknown):
        second = await contract.venue.submit(client_id, again)
        assert second.order.client_id == client_id

    orders = await contract.named(client_id)
    if duplicates is DuplicateIds.ALWAYS or (duplicates is DuplicateIds.WHILE_OPEN and not after_fill):
        assert len(orders) == 1
    else:
        assert 1 <= len(orders) <= 2

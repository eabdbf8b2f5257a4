"""Orders that wait for a price at the venue: not in the book before it comes, traded when it has."""

import contextlib
from decimal import Decimal

import pytest
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.errors import VenueRefused
from algotrendy_broker_gateway.ports import Unreadable
from algotrendy_common.enums import OrderType, Side, TimeInForce

pytestmark = pytest.mark.asyncio(loop_scope="session")
SPOT = "BTC-USDT"
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
WAITING = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)


def holds(contract, type_):
    """Whether the venue takes it; the gateway watches the price for what it does not."""
    return type_ in contract.venue.capabilities.resting


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("type_", WAITING)
async def test_waits_for_its_price_and_then_trades(contract, type_, side):
    if not holds(contract, type_):
        assert type_.triggered
        return
    falling = (side is Side.SELL) == (type_ in STOPS)
    await contract.step()
    trigger = await contract.best(Side.BUY) - 2 if falling else await contract.best(Side.SELL) + 2
    limit = {"limit_price": trigger - 4 * side.sign * -1} if type_.priced else {}
    client_id, report = await contract.submit(type=type_, side=side, trigger_price=trigger, **limit)

    waiting = await contract.found(client_id)
    assert waiting is not None
    assert (waiting.order.type, waiting.order.waiting) == (type_, True)
    assert (waiting.order.trigger_price, waiting.order.quantity) == (trigger, Decimal("0.01"))
    assert waiting.order.limit_price == limit.get("limit_price")
    assert waiting.order.standing is Standing.WORKING
    assert client_id in {one.order.client_id for one in await contract.venue.open_orders()}
    (own,) = await contract.named(client_id)
    assert (own["waiting"], own["executedQty"]) == (True, "0.00000000")

    await contract.sweep(Side.SELL if falling else Side.BUY, trigger)

    ended = await contract.ends(client_id, report)
    fills = await contract.venue.fills_of(SPOT, ended.order.venue_order_id)
    assert (ended.order.standing, ended.order.executed_quantity) == (Standing.DONE, Decimal("0.01"))
    assert sum(fill.quantity for fill in fills) == Decimal("0.01")
    # However many orders the venue makes of one, it has one id for us.
    page = await contract.venue.fills_after(SPOT, contract.nothing_yet)
    assert {fill.venue_order_id for fill in page.fills} == {report.order.venue_order_id}


@pytest.mark.parametrize("type_", [OrderType.STOP, OrderType.STOP_LIMIT, OrderType.OCO])
async def test_the_stream_tells_its_life_under_one_id(contract, type_):
    if not holds(contract, type_):
        assert type_.triggered
        return
    async with contract.listening() as heard:
        client_id, report = await submit_sale(contract, type_)
        await contract.eventually(lambda: contract.reports(client_id))
        await contract.sweep(Side.SELL, await contract.best(Side.BUY) - 4)
        await contract.eventually(lambda: contract.reports(client_id)[-1].order.standing is Standing.DONE)
        expected = await contract.venue.fills_of(SPOT, report.order.venue_order_id)

        def all_told():
            told = [fill for one in contract.reports(client_id) for fill in one.fills]
            return not told or len(told) == len(expected)

        await contract.eventually(all_told)

    told = contract.reports(client_id)
    assert {one.order.venue_order_id for one in told} == {report.order.venue_order_id}
    fills = [fill for one in told for fill in one.fills]
    assert fills == [] or {fill.trade_id: fill for fill in fills} == {fill.trade_id: fill for fill in expected}
    assert len(fills) == len({fill.trade_id for fill in fills})
    assert not [message for message in heard if isinstance(message, Unreadable)]


@pytest.mark.parametrize("type_", [*WAITING, OrderType.TRAILING_STOP, OrderType.OCO])
async def test_is_cancelled_while_it_waits(contract, type_):
    if not holds(contract, type_):
        assert type_.triggered
        return
    client_id, report = await submit_sale(contract, type_)

    await contract.venue.cancel(SPOT, client_id, report.order.venue_order_id)

    assert (await contract.ends(client_id, report)).order.standing is Standing.CANCELLED
    assert await contract.venue.cancel(SPOT, client_id, report.order.venue_order_id) is None
    assert await contract.venue.open_orders() == ()
    assert not [order for order in await contract.orders() if order["status"] == "NEW"]


@pytest.mark.parametrize("type_", [OrderType.STOP, OrderType.TRAILING_STOP, OrderType.OCO])
async def test_goes_with_all_the_others(contract, type_):
    if not holds(contract, type_):
        assert type_.triggered
        return
    client_id, report = await submit_sale(contract, type_)
    await contract.rest()

    await contract.venue.cancel_all()

    assert (await contract.ends(client_id, report)).order.standing is Standing.CANCELLED
    assert await contract.venue.open_orders() == ()


async def submit_sale(contract, type_):
    await contract.step()
    bid, ask = await contract.best(Side.BUY), await contract.best(Side.SELL)
    shape = {
        OrderType.STOP: {"trigger_price": bid - 3},
        OrderType.STOP_LIMIT: {"trigger_price": bid - 3, "limit_price": bid - 6},
        OrderType.TAKE_PROFIT: {"trigger_price": ask + 3},
        OrderType.TAKE_PROFIT_LIMIT: {"trigger_price": ask + 3, "limit_price": ask},
        OrderType.TRAILING_STOP: {"trailing_ratio": Decimal("0.001")},
        OrderType.OCO: {"trigger_price": bid - 3, "limit_price": ask + 3},
    }[type_]
    return await contract.submit(type=type_, side=Side.SELL, **shape)


@pytest.mark.parametrize("way", list(Side))
async def test_of_a_pair_one_leg_trades_and_the_other_is_gone(contract, way):
    if not holds(contract, OrderType.OCO):
        assert OrderType.OCO.triggered
        return
    client_id, report = await submit_sale(contract, OrderType.OCO)
    assert (await contract.found(client_id)).order.type is OrderType.OCO
    bid, ask = await contract.best(Side.BUY), await contract.best(Side.SELL)

    # Past the one or the other of the two prices.
    await contract.sweep(way, ask + 5 if way is Side.BUY else bid - 4)

    ended = await contract.ends(client_id, report)
    assert (ended.order.standing, ended.order.executed_quantity) == (Standing.DONE, Decimal("0.01"))
    fills = await contract.venue.fills_of(SPOT, ended.order.venue_order_id)
    assert sum(fill.quantity for fill in fills) == Decimal("0.01")
    assert sum(Decimal(row["qty"]) for row in await contract.fills()) == Decimal("0.01")
    assert await contract.venue.open_orders() == ()


async def test_a_trailing_stop_follows_and_then_trades(contract):
    if not holds(contract, OrderType.TRAILING_STOP):
        assert OrderType.TRAILING_STOP.triggered
        return
    client_id, report = await submit_sale(contract, OrderType.TRAILING_STOP)
    found = await contract.found(client_id)
    assert (found.order.type, found.order.trailing_ratio) == (OrderType.TRAILING_STOP, Decimal("0.001"))
    assert found.order.waiting

    for _ in range(48):
        await contract.step(minutes=5)
        (own,) = await contract.named(client_id)
        if own["status"] == "FILLED":
            break

    assert (await contract.ends(client_id, report)).order.standing is Standing.DONE


async def test_a_price_that_is_there_already_is_refused_or_trades(contract):
    if not holds(contract, OrderType.STOP):
        assert OrderType.STOP.triggered
        return
    ask = await contract.best(Side.SELL)
    with contextlib.suppress(VenueRefused):
        client_id, report = await contract.submit(type=OrderType.STOP, side=Side.SELL, trigger_price=ask + 50)
        assert (await contract.ends(client_id, report)).order.executed_quantity in (Decimal(0), Decimal("0.01"))
    assert not [order for order in await contract.orders() if order["waiting"] and order["status"] == "NEW"]


async def test_a_triggered_limit_keeps_its_price(contract):
    """Kraken's ``triggerPrice`` would have gone live as a plain limit order: nothing may trade before the trigger."""
    if not holds(contract, OrderType.STOP_LIMIT):
        assert OrderType.STOP_LIMIT.triggered
        return
    await contract.step()
    ask = await contract.best(Side.SELL)
    client_id, _ = await contract.submit(
        type=OrderType.STOP_LIMIT, trigger_price=ask + 3, limit_price=ask + 30, time_in_force=TimeInForce.GTC
    )

    assert await contract.fills() == []
    (own,) = await contract.named(client_id)
    assert own["waiting"]

"""The user stream: each change and each fill once, in order, and back again after its socket is cut."""

from decimal import Decimal

import pytest
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.ports import BalancesReported, StreamLost, StreamOpened, Unreadable
from algotrendy_common.enums import OrderType, Side

pytestmark = pytest.mark.asyncio(loop_scope="session")
SPOT = "BTC-USDT"
NO_BALANCES = frozenset({"coinbase"})
"""Venues whose stream says nothing of balances."""


async def test_tells_an_orders_life_in_order(contract):
    async with contract.listening() as heard:
        client_id, report = await contract.rest()
        await contract.eventually(lambda: contract.reports(client_id))
        await contract.venue.cancel(SPOT, client_id, report.order.venue_order_id)
        await contract.eventually(lambda: contract.reports(client_id)[-1].order.standing is Standing.CANCELLED)

    told = [one.order for one in contract.reports(client_id)]
    assert [order.standing for order in told][:1] == [Standing.WORKING]
    assert {order.venue_order_id for order in told} == {report.order.venue_order_id}
    assert {order.executed_quantity for order in told} == {Decimal(0)}
    assert told[0].limit_price == report.order.limit_price or report.order.limit_price is None
    assert not [message for message in heard if isinstance(message, Unreadable)]


async def test_tells_each_fill_once(contract):
    async with contract.listening() as heard:
        client_id, report = await contract.submit(quantity=Decimal("0.9"))
        done = await contract.eventually(
            lambda: [one for one in contract.reports(client_id) if one.order.standing is Standing.DONE]
        )
        expected = await contract.venue.fills_of(SPOT, report.order.venue_order_id)

        def all_told():
            told = [fill for one in contract.reports(client_id) for fill in one.fills]
            return not told or len(told) == len(expected)

        await contract.eventually(all_told)

    assert done[-1].order.executed_quantity == Decimal("0.9")
    told = [fill for one in contract.reports(client_id) for fill in one.fills]
    assert len(told) == len({fill.trade_id for fill in told})
    # A venue whose stream names no trades leaves them to the question that follows; the others tell them all.
    assert told == [] or {fill.trade_id: fill for fill in told} == {fill.trade_id: fill for fill in expected}
    executed = [one.order.executed_quantity for one in contract.reports(client_id)]
    assert executed == sorted(executed)
    assert not [message for message in heard if isinstance(message, Unreadable)]


async def test_tells_balances(contract):
    async with contract.listening() as heard:
        await contract.submit(quantity=Decimal("0.05"))

        async def told():
            reported = [one for message in heard if isinstance(message, BalancesReported) for one in message.balances]
            latest = {one.asset: (one.total, one.available) for one in reported}
            return latest.get("BTC") == (await contract.balances())["BTC"]

        if contract.name not in NO_BALANCES:
            assert await contract.eventually(told)
        else:
            assert (await contract.venue.balances())[0].total > 0


async def test_tells_of_a_maker_that_is_taken(contract):
    async with contract.listening():
        price = await contract.best(Side.BUY) + Decimal("0.01")
        client_id, _ = await contract.submit(type=OrderType.LIMIT, limit_price=price, quantity=Decimal("0.02"))
        await contract.act(Side.SELL, Decimal("0.005"))
        await contract.act(Side.SELL, Decimal("0.007"))
        await contract.eventually(
            lambda: Decimal("0.012") in [one.order.executed_quantity for one in contract.reports(client_id)]
        )
        told = contract.reports(client_id)
    assert [one.order.executed_quantity for one in told] == sorted(one.order.executed_quantity for one in told)
    assert told[-1].order.standing is Standing.WORKING


async def test_tells_what_others_did_to_our_order(contract):
    async with contract.listening():
        client_id, _ = await contract.rest()
        await contract.simulated.admin(
            "POST", "/admin/orders/cancel", {"account": contract.account, "client_order_id": client_id}
        )

        assert await contract.eventually(
            lambda: contract.reports(client_id) and contract.reports(client_id)[-1].order.standing is Standing.CANCELLED
        )


async def test_comes_back_after_its_socket_is_cut(contract):
    async with contract.listening() as heard:
        await contract.simulated.admin("POST", "/admin/sockets/drop", {"kind": "user"})
        await contract.eventually(lambda: [message for message in heard if isinstance(message, StreamLost)])
        await contract.eventually(lambda: heard.count(StreamOpened()) == 2)
        client_id, _ = await contract.rest()
        await contract.eventually(lambda: contract.reports(client_id))

    kinds = [message for message in heard if isinstance(message, StreamLost | StreamOpened)]
    assert [type(message) for message in kinds] == [StreamOpened, StreamLost, StreamOpened]

"""Perpetuals and margin, where the venue has them: leverage, positions, reductions, and the dead-man's switch."""

from datetime import timedelta
from decimal import Decimal

import pytest
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.errors import VenueRefused
from algotrendy_common.enums import MarginMode, OrderType, Side
from algotrendy_core.instruments import InstrumentKind

pytestmark = pytest.mark.asyncio(loop_scope="session")
PERPETUAL = "BTC-USDT-PERP"


def offered(contract):
    try:
        return contract.venue.instrument(PERPETUAL)
    except VenueRefused:
        return None


async def opened(contract, side=Side.BUY, quantity=Decimal("0.05"), mode=MarginMode.CROSS):
    shape = {"symbol": PERPETUAL, "margin_mode": mode, "leverage": Decimal(5)}
    client_id, report = await contract.submit(side=side, quantity=quantity, **shape)
    return await contract.ends(client_id, report, PERPETUAL)


async def test_spot_alone_is_declared_where_there_is_nothing_else(contract):
    if offered(contract) is not None:
        assert contract.venue.capabilities.max_leverage > 1
        assert contract.venue.capabilities.reduce_only
        return
    with pytest.raises(VenueRefused):
        await contract.venue.set_leverage(PERPETUAL, Decimal(3), MarginMode.CROSS)
    assert await contract.venue.positions() == ()


async def test_quantities_are_base_whatever_a_contract_is(contract):
    instrument = offered(contract)
    if instrument is None:
        return
    assert (instrument.kind, instrument.quantity_step) == (InstrumentKind.PERPETUAL, Decimal("0.0001"))
    assert instrument.max_leverage > 1

    ended = await opened(contract, quantity=Decimal("0.0503"))

    (fill, *more) = await contract.venue.fills_of(PERPETUAL, ended.order.venue_order_id)
    assert sum(one.quantity for one in (fill, *more)) == ended.order.executed_quantity == Decimal("0.0503")
    assert fill.fee_currency == "USDT"
    rows = await contract.fills()
    assert sum(Decimal(row["commission"]) for row in rows) == sum(one.fee for one in (fill, *more))


@pytest.mark.parametrize("side", list(Side))
async def test_a_position_is_the_venues_own(contract, side):
    if offered(contract) is None:
        return
    await contract.venue.set_leverage(PERPETUAL, Decimal(5), MarginMode.CROSS)
    await opened(contract, side)

    (position,) = await contract.venue.positions()

    (own,) = await contract.simulated.admin("GET", f"/admin/positions?account={contract.account}")
    assert (position.symbol, position.quantity) == (PERPETUAL, Decimal("0.05") * side.sign)
    assert position.quantity == Decimal(own["quantity"])
    assert abs(position.entry_price - Decimal(own["entry_price"])) < Decimal("0.0001")
    assert (position.leverage, position.margin_mode) == (Decimal(5), MarginMode.CROSS)


async def test_reduce_only_takes_off_and_never_turns(contract):
    if offered(contract) is None:
        return
    await opened(contract)

    client_id, report = await contract.submit(
        symbol=PERPETUAL, side=Side.SELL, quantity=Decimal("0.08"), reduce_only=True, margin_mode=MarginMode.CROSS
    )
    await contract.ends(client_id, report, PERPETUAL)

    assert await contract.venue.positions() == ()


async def test_there_is_nothing_to_reduce_without_a_position(contract):
    if offered(contract) is None:
        return
    terms = {"symbol": PERPETUAL, "side": Side.SELL, "reduce_only": True, "margin_mode": MarginMode.CROSS}
    with pytest.raises(VenueRefused):
        await contract.submit(**terms)
    assert await contract.fills() == []


async def test_a_stop_guards_a_position(contract):
    if offered(contract) is None or OrderType.STOP not in contract.venue.capabilities.resting:
        return
    await contract.step()
    await opened(contract)
    trigger = await contract.best(Side.BUY, PERPETUAL) - 2
    client_id, report = await contract.submit(
        symbol=PERPETUAL,
        side=Side.SELL,
        type=OrderType.STOP,
        trigger_price=trigger,
        quantity=Decimal("0.05"),
        reduce_only=True,
        margin_mode=MarginMode.CROSS,
    )
    waiting = await contract.found(client_id, PERPETUAL)
    assert (waiting.order.waiting, waiting.order.reduce_only, waiting.order.quantity) == (True, True, Decimal("0.05"))

    await contract.sweep(Side.SELL, trigger, PERPETUAL)

    assert (await contract.ends(client_id, report, PERPETUAL)).order.standing is Standing.DONE
    assert await contract.venue.positions() == ()


async def test_leverage_past_the_venues_most_is_refused(contract):
    if offered(contract) is None:
        return
    with pytest.raises(VenueRefused):
        await contract.venue.set_leverage(PERPETUAL, Decimal(1000), MarginMode.CROSS)


async def test_the_dead_mans_switch_is_armed_and_disarmed_or_refused(contract):
    if not contract.venue.capabilities.dead_man_switch:
        with pytest.raises(VenueRefused):
            await contract.venue.arm_dead_man_switch(timedelta(seconds=30))
        return
    client_id, _ = await contract.rest()

    await contract.venue.arm_dead_man_switch(timedelta(seconds=30))
    await contract.venue.arm_dead_man_switch(timedelta(0))

    assert (await contract.found(client_id)).order.standing is Standing.WORKING

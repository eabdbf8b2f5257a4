"""The watchdog, on real servers: no position stays bare, whoever opened it and whoever took its exit away."""

import json
from decimal import Decimal

from algotrendy_common.enums import HaltLevel, OrderSource, OrderType, Side
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.events.risk import HaltChanged, TradingState

REQUIRED = {
    "PROTECTION": json.dumps(
        {"required": True, "default_stop_ratio": "0.05", "restore_within": "PT0.5S", "flatten_after": "PT1.5S"}
    )
}


async def _stops(world) -> list:
    return [order for order in await world.working() if order["side"] == "SELL"]


async def _stopped(world, quantity: Decimal) -> bool:
    return sum(Decimal(stop["origQty"]) for stop in await _stops(world)) == quantity


async def _held(world) -> Decimal:
    rows = await world.query("SELECT quantity FROM positions WHERE account = $1 AND strategy = ''", world.account)
    return rows[0]["quantity"] if rows else Decimal(0)


async def test_a_position_without_a_stop_is_given_one_at_the_accounts_distance(world):
    async with world.running(**REQUIRED):
        entry = await world.approve()
        filled = await world.reaches(entry.order_id, "filled")
        told = await world.guarded("protected")
        wanted = filled.average_price * Decimal("0.95")

    assert abs(told.stop_price - wanted) < wanted * Decimal("0.006")
    (stop,) = await _stops(world)
    assert Decimal(stop["origQty"]) == Decimal("0.00999")
    await world.books_equal_the_venues()


async def test_a_stop_that_somebody_took_away_is_placed_again(world):
    async with world.running(**REQUIRED):
        entry = await world.approve()
        await world.reaches(entry.order_id, "filled")
        await world.guarded("protected")
        (stop,) = await _stops(world)
        await world.venue.admin("POST", "/admin/orders/cancel", {"account": world.account, "order_id": stop["orderId"]})

        async def again():
            stops = await _stops(world)
            return len(stops) == 1 and stops[0]["orderId"] != stop["orderId"]

        await world.becomes(again)
        await world.guarded("protected")

    await world.books_equal_the_venues()


async def test_a_position_that_was_opened_by_hand_is_guarded_and_one_closed_by_hand_is_not(world):
    async with world.running(**REQUIRED):
        await world.by_hand("POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.02")
        await world.guarded("protected", protected_quantity=Decimal("0.01998"))
        # There is the opening's coin beside: a sell by hand does not need what the stop has locked.
        await world.by_hand("POST", "/api/v3/order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.01")
        await world.guarded("protected", protected_quantity=Decimal("0.00998"))
        await world.becomes(lambda: _stopped(world, Decimal("0.00998")))
        await world.by_hand("POST", "/api/v3/order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.00998")
        await world.guarded("flat")

        async def unguarded():
            return await _stops(world) == []

        await world.becomes(unguarded)
    await world.books_equal_the_venues()


async def test_a_position_that_cannot_be_guarded_alarms_and_is_closed(world):
    async with world.running(**REQUIRED):
        price = await world.standing_market() + 1
        await world.by_others(Side.BUY, price + 1)  # so that nobody asks for less
        entry = await world.approve(type=OrderType.LIMIT, limit_price=price)
        await world.reaches(entry.order_id, "open")
        await world.fault("reject", times=4)
        await world.by_others(Side.SELL, price, "0.01")
        await world.hears(AlertRaised, lambda alert: alert.code == "position_bare")
        await world.becomes(lambda: _is_flat(world))
        await world.hears(AlertRaised, lambda alert: alert.code == "position_bare_too_long")

    closed = [
        update
        for update in world.heard
        if type(update).__name__ == "OrderUpdated"
        and update.origin.source is OrderSource.PROTECTION
        and update.status == "filled"
    ]
    assert {update.terms.type for update in closed} == {OrderType.MARKET}
    await world.books_equal_the_venues()


async def _is_flat(world) -> bool:
    return await _held(world) < Decimal("0.00002")


async def test_a_halt_leaves_exits_where_they_are(world):
    async with world.running(**REQUIRED):
        entry = await world.approve()
        await world.reaches(entry.order_id, "filled")
        await world.guarded("protected")
        resting = await world.approve_resting()
        await world.reaches(resting.order_id, "open")
        before = await _stops(world)
        await world.say_risk(TradingState.HALTED)
        await world.reaches(resting.order_id, "cancelled")
        assert await _stops(world) == before

    await world.books_equal_the_venues()


async def test_a_kill_switch_that_closes_positions_sells_what_is_held_and_leaves_no_exit(world):
    async with world.running(**REQUIRED):
        entry = await world.approve(quantity=Decimal("0.02"))
        await world.reaches(entry.order_id, "filled")
        await world.guarded("protected")
        await world.risk.bus.publish(
            world.risk.events.make(
                HaltChanged,
                level=HaltLevel.ACCOUNT,
                key=world.account,
                revision=1,
                engaged=True,
                by="ada",
                reason="drill",
                flatten=True,
                since=world.risk.clock.now(),
            )
        )
        await world.guarded("flat")

    assert await world.working() == []
    assert await _held(world) < Decimal("0.00001")
    await world.books_equal_the_venues()

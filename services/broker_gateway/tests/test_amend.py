"""An order that replaces another: the old is gone before the new leaves, and what it traded is not traded again."""

from decimal import Decimal

import pytest
from algotrendy_common.enums import OrderType, Side


async def test_an_amended_order_leaves_only_after_the_old_one_is_gone(world):
    async with world.running():
        first = await world.approve_resting()
        await world.reaches(first.order_id, "open")
        second = await world.approve_resting(limit_price=Decimal(6000), replaces=first.order_id)
        await world.reaches(second.order_id, "open")
        await world.reaches(first.order_id, "cancelled")

    old, new = sorted(await world.venue_orders(), key=lambda order: order["orderId"])
    assert (old["status"], new["status"]) == ("CANCELED", "NEW")
    assert old["updateTime"] <= new["time"]


async def test_what_the_old_order_filled_is_taken_off_the_new_one(world):
    async with world.running():
        price = await world.standing_market() + 1
        await world.by_others(Side.BUY, price + 1)  # so that nobody asks for less
        first = await world.approve(type=OrderType.LIMIT, limit_price=price, quantity=Decimal("0.5"))
        await world.reaches(first.order_id, "open")
        await world.by_others(Side.SELL, price, "0.2")
        await world.reaches(first.order_id, "partially_filled")
        second = await world.approve(
            type=OrderType.LIMIT, limit_price=Decimal(6000), quantity=Decimal("0.6"), replaces=first.order_id
        )
        after = await world.reaches(second.order_id, "open")
        await world.reaches(first.order_id, "cancelled")

    assert after.terms.quantity == Decimal("0.4")
    assert [Decimal(order["origQty"]) for order in await world.working()] == [Decimal("0.4")]
    await world.books_equal_the_venues()


async def test_nothing_replaces_an_order_that_has_traded_in_full(world):
    async with world.running():
        first = await world.approve()
        await world.reaches(first.order_id, "filled")
        second = await world.approve(replaces=first.order_id)
        refused = await world.reaches(second.order_id, "cancelled")

    assert refused.reason_code == "replaced_filled"
    assert len(await world.venue_orders()) == 1


@pytest.mark.parametrize("fault", ["lost_after", "lost_before"])
async def test_an_unanswered_cancellation_never_lets_both_work(world, fault):
    async with world.running():
        first = await world.approve_resting()
        await world.reaches(first.order_id, "open")
        await world.fault(fault, method="DELETE")
        second = await world.approve_resting(limit_price=Decimal(6000), replaces=first.order_id)
        await world.reaches(second.order_id, "open")
        assert world.status(first.order_id) == "cancelled"

    assert len(await world.working()) == 1
    await world.books_equal_the_venues()

"""Orders that wait for a price at the gateway, and what a venue cannot do, on real servers.

The simulated venue can hold every type; here the adapter says that it cannot, so that the gateway has to.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_broker_gateway.adapters.binance import BinanceVenue
from algotrendy_common import ids
from algotrendy_common.enums import HeldBy, MarginMode, OrderType, Side, TimeInForce
from algotrendy_common.events.risk import TradingState


@pytest.fixture
def holds(monkeypatch):
    """Say which types the venue holds beside plain ones."""

    def only(*types: OrderType) -> None:
        resting = frozenset({OrderType.MARKET, OrderType.LIMIT, *types})
        monkeypatch.setattr(BinanceVenue, "capabilities", replace(BinanceVenue.capabilities, resting=resting))

    return only


async def test_a_stop_that_the_venue_cannot_hold_waits_here_and_is_sent_once(world, holds):
    holds()
    async with world.running():
        bid = await world.standing_market()
        trigger = (bid * Decimal("0.99")).quantize(Decimal("0.01"))
        terms = await world.approve(side=Side.SELL, type=OrderType.STOP, trigger_price=trigger)
        held = await world.reaches(terms.order_id, "open")
        assert held.held_by is HeldBy.GATEWAY
        await world.say_quote(trigger + 1)
        assert await world.venue_orders() == []
        for _ in range(3):
            await world.say_quote(trigger)
        filled = await world.reaches(terms.order_id, "filled")

    assert filled.filled_quantity == terms.quantity
    (order,) = await world.venue_orders()
    assert order["clientOrderId"] == ids.client_order_id(terms.order_id)
    await world.books_equal_the_venues()


@pytest.mark.parametrize("fault", ["lost_after", "lost_before"])
async def test_a_triggered_order_whose_answer_is_lost_is_asked_for_and_never_sent_again(world, holds, fault):
    holds()
    async with world.running():
        bid = await world.standing_market()
        terms = await world.approve(side=Side.SELL, type=OrderType.STOP, trigger_price=bid - 10)
        await world.reaches(terms.order_id, "open")
        await world.fault(fault)
        await world.say_quote(bid - 20)
        await world.reaches(terms.order_id, "filled" if fault == "lost_after" else "lost")

    assert len(await world.venue_orders()) == (1 if fault == "lost_after" else 0)
    await world.books_equal_the_venues()


async def test_a_trailing_stop_goes_on_after_kill_9_from_where_it_had_come(world, holds):
    holds()
    bid = await world.standing_market()
    high = (bid * 2).quantize(Decimal("0.01"))
    async with world.process(holding=("market", "limit")) as process:
        terms = await world.approve(side=Side.SELL, type=OrderType.TRAILING_STOP, trailing_ratio=Decimal("0.01"))
        await world.reaches(terms.order_id, "open")

        async def stored():
            await world.say_quote(high)
            (row,) = await world.query(
                "SELECT document ->> 'best' AS best FROM watches WHERE account = $1", world.account
            )
            return row["best"] is not None and Decimal(row["best"]) == high

        await world.becomes(stored)
        process.kill()
        await process.wait()
    async with world.running():

        async def fired():
            await world.say_quote((high * Decimal("0.985")).quantize(Decimal("0.01")))
            return world.status(terms.order_id) == "filled"

        await world.becomes(fired)

    assert len(await world.venue_orders()) == 1
    await world.books_equal_the_venues()


async def test_an_oco_that_the_venue_has_not_rests_its_stop_and_goes_on_with_the_take_profit(world, holds):
    holds(OrderType.STOP)
    async with world.running():
        bid = await world.standing_market()
        terms = await world.approve(
            side=Side.SELL, type=OrderType.OCO, limit_price=bid, trigger_price=(bid / 2).quantize(Decimal("0.01"))
        )
        resting = await world.reaches(terms.order_id, "open")
        assert [order["type"] for order in await world.working()] != []
        await world.say_quote(bid)
        filled = await world.reaches(terms.order_id, "filled")

    stop, limit = sorted(await world.venue_orders(), key=lambda order: order["orderId"])
    assert resting.client_order_id == stop["clientOrderId"]
    assert filled.client_order_id == limit["clientOrderId"] == ids.client_order_id(terms.order_id, 1)
    assert (stop["status"], limit["status"]) == ("CANCELED", "FILLED")
    assert filled.filled_quantity == terms.quantity
    await world.books_equal_the_venues()


async def test_the_legs_of_an_oco_follow_one_another_and_never_trade_more_than_its_quantity(world, holds):
    holds(OrderType.STOP)
    async with world.running():
        bid = await world.standing_market()
        take, low = bid + 50, (bid / 2).quantize(Decimal("0.01"))
        terms = await world.approve(
            side=Side.SELL, type=OrderType.OCO, limit_price=take, trigger_price=low, quantity=Decimal("0.5")
        )
        await world.reaches(terms.order_id, "open")
        await world.say_quote(take)  # the venue's own book is not there: the limit order rests

        async def limit_rests():
            return [order["type"] for order in await world.working()] == ["LIMIT"]

        await world.becomes(limit_rests)
        await world.by_others(Side.BUY, take, "300")
        await world.venue.admin("POST", "/admin/partial_fills", {"fraction": "0.3"})
        partly = await world.becomes(lambda: world.updates(terms.order_id)[-1].filled_quantity)
        assert partly <= terms.quantity
        await world.say_quote(low)
        filled = await world.reaches(terms.order_id, "filled")

    assert filled.filled_quantity == terms.quantity
    assert sum(Decimal(fill["qty"]) for fill in await world.venue_fills()) == terms.quantity
    await world.books_equal_the_venues()


async def test_a_held_order_is_cancelled_here_and_by_a_halt_and_an_exit_that_is_held_stays_and_sells(world, holds):
    holds()
    async with world.running():
        bid = await world.standing_market()
        await world.say_quote(bid)
        bought = await world.approve()
        await world.reaches(bought.order_id, "filled")
        unwanted, guard = [
            await world.approve(side=Side.SELL, type=OrderType.STOP, trigger_price=bid - number * 10, reduce_only=True)
            for number in (1, 2)
        ]
        entry = await world.approve(side=Side.BUY, type=OrderType.STOP, trigger_price=bid * 2)
        for terms in (unwanted, guard, entry):
            await world.reaches(terms.order_id, "open")
        await world.request_cancel(unwanted.order_id)
        await world.reaches(unwanted.order_id, "cancelled")
        await world.say_risk(TradingState.HALTED)
        await world.reaches(entry.order_id, "cancelled")
        await world.say_quote(bid - 100)
        await world.reaches(guard.order_id, "filled")

    assert [order["side"] for order in await world.venue_orders()] == ["BUY", "SELL"]
    await world.books_equal_the_venues()


async def test_an_order_good_until_a_time_ends_then_though_the_venue_knows_no_end(world):
    async with world.running():
        until = datetime.now(UTC) + timedelta(seconds=1.5)
        terms = await world.approve_resting(time_in_force=TimeInForce.GTD, good_until=until)
        await world.reaches(terms.order_id, "open")
        ended = await world.reaches(terms.order_id, "cancelled")

    assert ended.received_time >= until
    assert [order["timeInForce"] for order in await world.venue_orders()] == ["GTC"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"leverage": Decimal(3)}, "leverage_unsupported"),
        ({"margin_mode": MarginMode.CROSS}, "margin_mode_unsupported"),
        ({"type": OrderType.STOP}, "trigger_price_missing"),
        ({"quantity": Decimal("0.00005"), "type": OrderType.LIMIT, "limit_price": Decimal(5000)}, "exit_infeasible"),
        ({"replaces": "0" * 32}, "replaced_unknown"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_a_code_and_nothing_leaves(world, changes, code):
    async with world.running():
        terms = await world.approve(**changes)
        refused = await world.reaches(terms.order_id, "cancelled")

    assert refused.reason_code == code
    assert await world.venue_orders() == []


async def test_a_reduction_on_spot_is_cut_to_what_there_is(world):
    async with world.running():
        bought = await world.approve(quantity=Decimal("0.02"))
        await world.reaches(bought.order_id, "filled")
        sold = await world.approve(side=Side.SELL, quantity=Decimal("0.5"), reduce_only=True)
        filled = await world.reaches(sold.order_id, "filled")
        more = await world.approve(side=Side.SELL, quantity=Decimal("0.5"), reduce_only=True)
        nothing = await world.reaches(more.order_id, "cancelled")

    assert filled.filled_quantity == Decimal("0.01998")
    assert nothing.reason_code == "nothing_to_reduce"
    await world.books_equal_the_venues()

"""Exits that follow their entries, on real servers: the venue holds them, and its own books are the judge."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from algotrendy_broker_gateway.adapters.binance import BinanceVenue
from algotrendy_common.enums import HeldBy, OrderSource, OrderType, Side
from algotrendy_common.events.order import Protection
from algotrendy_common.rpc import broker_gateway as rpc

STEP = Decimal("0.00001")
NET = Decimal("0.999")
"""What a taker keeps of what was bought: the fee is taken in base."""


def _net(quantity: str) -> Decimal:
    return (Decimal(quantity) * NET).quantize(STEP, rounding="ROUND_DOWN")


def _exits(world) -> list:
    newest = {}
    for event in world.heard:
        if type(event).__name__ == "OrderUpdated" and event.origin.source is OrderSource.PROTECTION:
            newest[event.terms.order_id] = event
    return list(newest.values())


async def _exit_total(world) -> Decimal:
    """What could still be sold by what works at the venue: a pair's two legs are one exit."""
    rests: dict[int, Decimal] = {}
    for order in await world.working():
        if order["side"] == "SELL":
            rest = Decimal(order["origQty"]) - Decimal(order["executedQty"])
            rests[min(order["orderId"], order["sibling"] or order["orderId"])] = rest
    return sum(rests.values(), Decimal(0))


async def _alone(world, bid: Decimal) -> Decimal:
    """A price above the best bid to which nobody sells, once what was asked for below it is taken away."""
    await world.by_others(Side.BUY, bid + 2)
    return bid + 1


def _low(bid: Decimal, share: str = "0.9") -> Decimal:
    return (bid * Decimal(share)).quantize(Decimal("0.01"))


async def test_what_an_entry_bought_is_guarded_by_a_stop_at_the_venue(world):
    async with world.running():
        bid = await world.standing_market()
        entry = await world.approve(strategy="sma-cross-btc", protection=Protection(stop_price=_low(bid)))
        await world.reaches(entry.order_id, "filled")
        told = await world.guarded("protected", protected_quantity=_net("0.01"))
        asked = await world.ask(rpc.PROTECTIONS, rpc.AccountAsked(account=world.account))

    assert (told.stop_price, told.held_by) == (_low(bid), HeldBy.VENUE)
    assert asked.protections[-1].protected_quantity == _net("0.01")
    (stop,) = await world.working()
    assert (stop["side"], Decimal(stop["origQty"])) == ("SELL", _net("0.01"))
    (exit_,) = _exits(world)
    assert (exit_.origin.parent, exit_.origin.strategy) == (entry.order_id, "sma-cross-btc")
    assert exit_.terms.reduce_only
    await world.books_equal_the_venues()


async def test_exits_grow_with_each_partial_fill_of_the_entry(world):
    async with world.running():
        bid = await world.standing_market()
        price = await _alone(world, bid)
        entry = await world.approve(
            type=OrderType.LIMIT,
            limit_price=price,
            quantity=Decimal("0.5"),
            protection=Protection(stop_price=_low(bid)),
        )
        await world.reaches(entry.order_id, "open")
        for filled in ("0.1", "0.3", "0.5"):
            done = max((update.filled_quantity for update in world.updates(entry.order_id)), default=Decimal(0))
            await world.by_others(Side.SELL, price, str(Decimal(filled) - done))
            await world.becomes(
                lambda filled=filled: world.updates(entry.order_id)[-1].filled_quantity == Decimal(filled)
            )
            await world.becomes(lambda filled=filled: _covered(world, Decimal(filled)))

    assert await _exit_total(world) == world.protections()[-1].protected_quantity
    assert Decimal("0.4994") < await _exit_total(world) <= Decimal("0.5")
    await world.books_equal_the_venues()


async def _covered(world, bought: Decimal) -> bool:
    """The newest word covers the position, but for what is too small for an order."""
    if not world.protections():
        return False
    newest = max(world.protections(), key=lambda event: event.revision)
    counted = newest.position_quantity >= bought * Decimal("0.998")
    return counted and newest.position_quantity - newest.protected_quantity < Decimal("0.0001")


@pytest.mark.parametrize("way", ["take", "stop"])
async def test_one_side_of_a_bracket_ends_the_other(world, way):
    async with world.running():
        await world.standing_market()
        bids, asks = await world.levels(Side.BUY), await world.levels(Side.SELL)
        entry = await world.approve(protection=Protection(stop_price=bids[2], take_profit_price=asks[2]))
        await world.reaches(entry.order_id, "filled")
        await world.guarded("protected")
        if way == "take":
            await world.by_others(Side.BUY, asks[3])
        else:
            await world.by_others(Side.SELL, bids[3])
        await world.guarded("flat")
        await world.becomes(lambda: all(str(one.status) in ("filled", "cancelled") for one in _exits(world)))

    assert await world.working() == []
    sold = [fill for fill in await world.venue_fills() if not fill["isBuyer"]]
    assert sum(Decimal(fill["qty"]) for fill in sold) == _net("0.01")
    await world.books_equal_the_venues()


async def test_a_strategys_sell_gets_room_and_the_rest_is_guarded_again(world):
    async with world.running():
        bid = await world.standing_market()
        entry = await world.approve(quantity=Decimal("1"), protection=Protection(stop_price=_low(bid)))
        await world.reaches(entry.order_id, "filled")
        await world.guarded("protected", protected_quantity=_net("1"))
        await _take_the_opening_away(world)
        sold = await world.approve(side=Side.SELL, quantity=Decimal("0.4"))
        await world.reaches(sold.order_id, "filled")
        await world.guarded("protected", protected_quantity=_net("1") - Decimal("0.4"))

    assert await _exit_total(world) - 1 == _net("1") - Decimal("0.4")
    await world.books_equal_the_venues()


async def _take_the_opening_away(world) -> None:
    """What the account had before must not be what is sold: an order far above the market locks it."""
    resting = await world.approve(
        symbol="BTC-USDT", side=Side.SELL, type=OrderType.LIMIT, limit_price=Decimal(900_000), quantity=Decimal(1)
    )
    await world.reaches(resting.order_id, "open", "rejected")


async def test_a_stop_that_is_hit_while_room_is_made_never_sells_twice(world):
    async with world.running():
        await world.standing_market()
        bids = await world.levels(Side.BUY)
        entry = await world.approve(quantity=Decimal("0.5"), protection=Protection(stop_price=bids[2]))
        await world.reaches(entry.order_id, "filled")
        await world.guarded("protected")
        await world.fault("delay", method="DELETE", delay_ms=800)
        sell = await world.approve(side=Side.SELL, quantity=Decimal("0.3"))
        await world.reaches(sell.order_id, "approved")
        await world.by_others(Side.SELL, bids[3])
        # Whichever was first at the venue, the stop or its cancellation: the price says that all of it is to go.
        await world.reaches(sell.order_id, "cancelled", "filled")
        await world.guarded("flat")

    sold = [fill for fill in await world.venue_fills() if not fill["isBuyer"]]
    assert sum(Decimal(fill["qty"]) for fill in sold) == _net("0.5")
    assert await world.working() == []
    await world.books_equal_the_venues()


@pytest.mark.parametrize("moment", ["placing", "making room"])
async def test_kill_9_in_between_leaves_neither_a_bare_position_nor_two_exits(world, moment):
    bid = await world.standing_market()
    protection = Protection(stop_price=_low(bid))
    async with world.process() as process:
        if moment == "placing":
            price = await _alone(world, bid)
            entry = await world.approve(type=OrderType.LIMIT, limit_price=price, protection=protection)
            await world.reaches(entry.order_id, "open")
            await world.fault("delay", delay_ms=1000)
            await world.by_others(Side.SELL, price, "0.01")
            await world.becomes(lambda: len(_exits(world)) == 1)
        else:
            entry = await world.approve(protection=protection)
            await world.guarded("protected")
            await world.fault("delay", method="DELETE", delay_ms=700)
            await world.approve(side=Side.SELL, quantity=Decimal("0.004"))
            await asyncio.sleep(0.3)
        process.kill()
        await process.wait()
    async with world.running():
        await world.becomes(lambda: _settled(world))

    position = (await world.query("SELECT quantity FROM positions WHERE account = $1", world.account))[0]["quantity"]
    assert position - STEP < await _exit_total(world) <= position
    await world.books_equal_the_venues()


async def _settled(world) -> bool:
    account = world.account
    moving = await world.query(
        "SELECT 1 FROM orders WHERE account = $1 AND status IN ('approved', 'submitting', 'outcome_unknown')", account
    )
    standing = await world.query("SELECT document::json ->> 'state' AS s FROM protections WHERE account = $1", account)
    positions = await world.query("SELECT quantity FROM positions WHERE account = $1 AND strategy = ''", account)
    if moving or not positions or [row["s"] for row in standing] != ["protected"]:
        return False
    return await _exit_total(world) > positions[0]["quantity"] - STEP


async def test_a_trailing_exit_follows_the_market_and_never_goes_back(world):
    async with world.running():
        bid = await world.standing_market()
        entry = await world.approve(protection=Protection(trailing_ratio=Decimal("0.1")))
        await world.reaches(entry.order_id, "filled")
        await world.guarded("protected")
        high = (bid * Decimal("1.05")).quantize(Decimal("0.01"))
        await world.say_quote(high)
        stop = (high * Decimal("0.9")).quantize(Decimal("0.01"), rounding="ROUND_DOWN")
        await world.guarded("protected", stop_price=stop)
        await world.say_quote(bid)
        await world.say_quote((high * Decimal("1.001")).quantize(Decimal("0.01")))
        after = await world.approve_resting()
        await world.reaches(after.order_id, "open")

    assert world.protections()[-1].stop_price == stop
    assert await _exit_total(world) == _net("0.01")
    await world.books_equal_the_venues()


async def test_an_exit_that_the_venue_cannot_hold_is_watched_here_and_sells_once(world, monkeypatch):
    resting = frozenset({OrderType.MARKET, OrderType.LIMIT})
    monkeypatch.setattr(BinanceVenue, "capabilities", replace(BinanceVenue.capabilities, resting=resting))
    async with world.running():
        bid = await world.standing_market()
        entry = await world.approve(
            protection=Protection(stop_price=_low(bid), take_profit_price=(bid * 2).quantize(Decimal("0.01")))
        )
        await world.reaches(entry.order_id, "filled")
        told = await world.guarded("protected", protected_quantity=_net("0.01"))
        assert told.held_by is HeldBy.GATEWAY
        assert await world.working() == []
        for _ in range(3):
            await world.say_quote(_low(bid))
        await world.guarded("flat")

    sold = [fill for fill in await world.venue_fills() if not fill["isBuyer"]]
    assert sum(Decimal(fill["qty"]) for fill in sold) == _net("0.01")
    await world.books_equal_the_venues()


async def test_a_stop_that_trades_in_parts_is_never_made_larger_than_what_is_left(world):
    async with world.running():
        await world.standing_market()
        bids = await world.levels(Side.BUY)
        entry = await world.approve(quantity=Decimal("0.5"), protection=Protection(stop_price=bids[2]))
        await world.reaches(entry.order_id, "filled")
        await world.guarded("protected")
        await world.venue.admin("POST", "/admin/partial_fills", {"fraction": "0.4"})
        await world.by_others(Side.SELL, bids[3])
        await world.guarded("flat")

    sold = [fill for fill in await world.venue_fills() if not fill["isBuyer"]]
    assert sum(Decimal(fill["qty"]) for fill in sold) == _net("0.5")
    assert await world.working() == []
    await world.books_equal_the_venues()

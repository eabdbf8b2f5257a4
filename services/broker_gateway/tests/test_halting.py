"""The kill switch at the door: the file, with each server away, and the halts that risk tells at three levels."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from algotrendy_broker_gateway.domain.cancel_policy import guards
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder
from algotrendy_common.enums import HaltLevel, OrderType, Side, TimeInForce
from algotrendy_common.events.risk import HaltChanged
from algotrendy_common.ids import client_order_id
from algotrendy_common.rpc import broker_gateway as rpc
from algotrendy_common.rpc import risk as risk_rpc
from algotrendy_common.testing.waiting import eventually
from algotrendy_core.instruments import InstrumentKind

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def venue_order(**changes) -> VenueOrder:
    fields = {
        "venue_order_id": "1",
        "client_id": "c",
        "symbol": "BTC-USDT",
        "side": Side.SELL,
        "type": OrderType.STOP,
        "time_in_force": TimeInForce.GTC,
        "quantity": Decimal(1),
        "limit_price": None,
        "executed_quantity": Decimal(0),
        "standing": Standing.WORKING,
        "reason": "",
        "created_at": NOW,
        "updated_at": NOW,
        "waiting": True,
    }
    return VenueOrder(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "kind", "stays"),
    [
        ({}, InstrumentKind.SPOT, True),
        ({"side": Side.BUY}, InstrumentKind.SPOT, False),
        ({"waiting": False}, InstrumentKind.SPOT, False),
        ({}, InstrumentKind.PERPETUAL, False),
        ({"reduce_only": True}, InstrumentKind.PERPETUAL, True),
        ({"reduce_only": True, "side": Side.BUY}, InstrumentKind.PERPETUAL, True),
        ({"reduce_only": True, "waiting": False}, InstrumentKind.PERPETUAL, False),
    ],
)
def test_only_exits_that_wait_for_their_price_survive_a_halt(changes, kind, stays):
    assert guards(venue_order(**changes), kind) is stays


def halt(world, level: HaltLevel, key: str, *, engaged: bool = True, revision: int = 1, flatten: bool = False):
    return world.risk.events.make(
        HaltChanged,
        level=level,
        key=key,
        revision=revision,
        engaged=engaged,
        by="ada",
        reason="drill",
        flatten=flatten,
        since=datetime.now(UTC),
    )


async def resting(world, count: int, **changes) -> list[str]:
    orders = [await world.approve_resting(quantity=Decimal("0.002"), **changes) for _ in range(count)]
    for terms in orders:
        await world.reaches(terms.order_id, "open")
    return [terms.order_id for terms in orders]


async def open_at_venue(world) -> list[str]:
    return [order["clientOrderId"] for order in await world.venue_orders() if order["status"] in ("NEW",)]


async def stop_loss(world) -> str:
    """An exit made by hand at the venue: a sale that waits for its price."""
    price = (await world.best(Side.BUY) / 2).quantize(Decimal("0.01"))
    made = await world.by_hand(
        "POST", "/api/v3/order", symbol="BTCUSDT", side="SELL", type="STOP_LOSS", quantity="0.01", stopPrice=str(price)
    )
    return made["clientOrderId"]


@pytest.mark.parametrize("away", [None, "nats", "postgres"])
async def test_the_kill_file_cancels_what_works_and_lets_nothing_out_whatever_is_down(world, tmp_path, away):
    kill_file = tmp_path / "kill"
    async with world.running(KILL_FILE=str(kill_file)):
        await resting(world, 5)
        guard = await stop_loss(world)
        if away is not None:
            await world.servers.kill(away)
        try:
            kill_file.touch()
            engaged = asyncio.get_running_loop().time()
            await eventually(lambda: left(world, guard), within_s=20, every_s=0.01)
            assert asyncio.get_running_loop().time() - engaged < 3  # one is asked for; two cores run all of it
        finally:
            if away is not None:
                await world.servers.start(away)
        before = len(await world.venue_orders())
        refused = await world.approve()
        await world.reaches(refused.order_id, "cancelled", within_s=40)
        assert "halted" in world.updates(refused.order_id)[-1].reason_message
        assert len(await world.venue_orders()) == before
        assert await open_at_venue(world) == [guard]

        kill_file.unlink()
        after = await eventually(lambda: filled(world), within_s=40)
        assert after


async def left(world, guard: str) -> bool:
    return await open_at_venue(world) == [guard]


async def filled(world) -> bool:
    terms = await world.approve()
    return (await world.reaches(terms.order_id, "filled", "cancelled")).status == "filled"


async def test_an_account_is_halted_and_released_by_what_risk_tells(world):
    async with world.running():
        await resting(world, 3)
        await world.risk.bus.publish(halt(world, HaltLevel.ACCOUNT, "another-account"))
        await world.risk.bus.publish(halt(world, HaltLevel.ACCOUNT, world.account))
        await eventually(lambda: none_open(world))
        refused = await world.approve()
        await world.reaches(refused.order_id, "cancelled")
        await world.risk.bus.publish(halt(world, HaltLevel.ACCOUNT, world.account, engaged=False, revision=2))
        await world.risk.bus.publish(halt(world, HaltLevel.ACCOUNT, world.account, revision=1))  # late, and old
        assert await eventually(lambda: filled(world))


async def none_open(world) -> bool:
    return await open_at_venue(world) == []


async def test_a_global_halt_holds_every_account(world):
    async with world.running():
        await resting(world, 2)
        await world.risk.bus.publish(halt(world, HaltLevel.GLOBAL, "*"))
        await eventually(lambda: none_open(world))
        refused = await world.approve()
        await world.reaches(refused.order_id, "cancelled")


async def test_a_halted_strategy_loses_its_orders_and_the_others_go_on(world):
    async with world.running():
        (halted,) = await resting(world, 1, strategy="wild")
        (other,) = await resting(world, 1, strategy="calm")
        await world.risk.bus.publish(halt(world, HaltLevel.STRATEGY, "wild"))
        await world.reaches(halted, "cancelled")
        refused = await world.approve(strategy="wild")
        await world.reaches(refused.order_id, "cancelled")
        goes_on = await world.approve(strategy="calm")
        await world.reaches(goes_on.order_id, "filled")
        assert world.status(other) == "open"


async def test_a_halted_strategy_loses_its_orders_while_the_store_is_away_and_the_others_keep_theirs(world):
    """From memory and the venue alone; what it sent before a start counts as what it sends now."""
    async with world.running():
        before = await resting(world, 2, strategy="wild")
    async with world.running():
        await resting(world, 2, strategy="wild")
        (other,) = await resting(world, 1, strategy="calm")
        guard = await stop_loss(world)
        kept = {client_order_id(other), guard}
        assert len(await open_at_venue(world)) == 6
        await world.servers.kill("postgres")
        try:
            await world.risk.bus.publish(halt(world, HaltLevel.STRATEGY, "wild"))

            async def only_the_others() -> bool:
                return set(await open_at_venue(world)) == kept

            await eventually(only_the_others, within_s=20)
        finally:
            await world.servers.start("postgres")
        for order_id in before:  # the books hear of it as soon as there are any
            await world.reaches(order_id, "cancelled")
        refused = await world.approve(strategy="wild")
        await world.reaches(refused.order_id, "cancelled")
        goes_on = await world.approve(strategy="calm")
        await world.reaches(goes_on.order_id, "filled")
        assert set(await open_at_venue(world)) == kept
        await world.books_equal_the_venues()


async def test_a_halt_that_flattens_closes_the_position(world):
    async with world.running():
        bought = await world.approve(quantity=Decimal("0.01"), strategy="sma")
        await world.reaches(bought.order_id, "filled")
        await world.risk.bus.publish(halt(world, HaltLevel.ACCOUNT, world.account, flatten=True))

        async def flat() -> bool:
            positions = (await world.ask(rpc.POSITIONS, rpc.AccountAsked(account=world.account))).positions
            return all(abs(position.quantity) < Decimal("0.0002") for position in positions)

        await eventually(flat)
        await world.books_equal_the_venues()


async def test_halts_that_were_missed_are_heard_from_risk_and_so_is_their_end(world):
    """At most once is how they are told: so risk is asked, too."""
    in_force = [halt(world, HaltLevel.STRATEGY, "wild"), halt(world, HaltLevel.ACCOUNT, world.account)]

    async def answer(message) -> None:
        await message.respond(risk_rpc.Halts(halts=tuple(in_force)).model_dump_json().encode())

    await world.risk.bus.client.subscribe(risk_rpc.HALTS.subject, cb=answer)
    async with world.running():
        refused = await world.approve()
        await world.reaches(refused.order_id, "cancelled")
        in_force.pop()
        assert await eventually(lambda: filled(world))
        refused = await world.approve(strategy="wild")
        await world.reaches(refused.order_id, "cancelled")
        in_force.pop()

        async def trades_again() -> bool:
            terms = await world.approve(strategy="wild")
            return (await world.reaches(terms.order_id, "filled", "cancelled")).status == "filled"

        await eventually(trades_again)


async def test_everything_is_cancelled_where_somebody_asks_for_it(world):
    async with world.running():
        await resting(world, 3)
        asked = rpc.CancelAllAsked(account=world.account, by="ada", reason="drill")
        assert (await world.ask(rpc.CANCEL_ALL, asked)).orders == 3
        await eventually(lambda: none_open(world))
        again = await world.approve()
        await world.reaches(again.order_id, "filled")

"""A venue goes down and comes back: its strategies go on trading at another, and no books disagree anywhere."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from decimal import Decimal

import pytest
from algotrendy_common.enums import OrderSource, OrderType, Side, Timeframe
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.events.order import OrderOrigin, OrderProposed, OrderRefused, OrderTerms
from algotrendy_common.events.risk import RiskStateChanged
from algotrendy_common.events.signal import StrategyStateChanged
from algotrendy_common.ids import new_id
from algotrendy_common.testing.waiting import eventually
from algotrendy_local.testing import Servers, servers_running
from algotrendy_simulator.testing import RunningVenue, running_venue

from tests.e2e.books import differences
from tests.e2e.two_venues import HOME, STAND_IN, SYMBOL, VENUES, TwoVenues, running

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]
TURNS, STAYS = "turns", "stays"


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with servers_running("nats", "postgres", migrate=True) as found:
        yield found


@pytest.fixture
async def venues() -> AsyncIterator[dict[str, RunningVenue]]:
    async with AsyncExitStack() as stack:
        found = {}
        for account, venue in VENUES.items():
            found[venue] = await stack.enter_async_context(running_venue(venue=venue, speed=1, history=30))
            body = {"account": account, "key": account, "secret": account, "balances": {"USDT": "100000"}}
            await found[venue].admin("POST", "/admin/accounts", body)
        yield found


def seed(strategy: str, timeframe: Timeframe) -> dict[str, object]:
    """Long after a rise, flat after a fall."""
    return {
        "strategy": strategy, "name": strategy, "kind": "sma_cross", "venue": "binance", "symbol": SYMBOL,
        "timeframe": timeframe.value, "account": HOME, "parameters": {"fast": 1, "slow": 2}, "capital_share": "0.1",
        "status": "running",
    }  # fmt: skip


async def ready(world: TwoVenues) -> None:
    async def both() -> bool:
        infos = await world.accounts()
        return len(infos) == len(VENUES) and all(info.ready and info.stand_in is None for info in infos.values())

    await eventually(both)
    for account in VENUES:  # sized by: a later word than the first means that the agent has heard the first
        await eventually(lambda account=account: len(valued(world, account)) > 1)


def valued(world: TwoVenues, account: str) -> list[RiskStateChanged]:
    return [one for one in world.of(RiskStateChanged) if one.account == account and one.equity is not None]


async def trades(world: TwoVenues, strategy: str, count: int) -> OrderProposed:
    """The strategy's newest of so many orders, once it is filled and counted."""
    try:
        orders = await eventually(lambda: found if len(found := world.of(OrderProposed, strategy)) == count else None)
        newest = orders[-1]
        await eventually(lambda: (now := world.order(newest.terms.order_id)) and now.status == "filled")
        await eventually(lambda: counted(world.state(strategy), newest.terms))
    except TimeoutError as error:
        said = world.state(strategy)
        refused = [(one.code, one.observed) for one in world.of(OrderRefused)]
        raise AssertionError(f"{error}; {said and said.status_detail}; refused {refused}") from error
    return newest


def counted(state: StrategyStateChanged, terms: OrderTerms) -> bool:
    """All its fills are: these strategies hold all or nothing, but for fees in base and what is less than a step."""
    held = state.position_quantity / terms.quantity
    return state.status_detail == "order filled" and (
        held > Decimal("0.99") if terms.side is Side.BUY else held < Decimal("0.01")
    )


def where(order: OrderProposed) -> tuple[str, str, str]:
    return order.terms.account, order.terms.venue, order.terms.side.value


async def routed(world: TwoVenues, venue: str | None) -> None:
    await eventually(lambda: all((now := world.state(name)) and now.routed_venue == venue for name in (TURNS, STAYS)))


async def says(world: TwoVenues, strategy: str, detail: str) -> None:
    await eventually(lambda: detail in world.state(strategy).status_detail)


async def resting_order(world: TwoVenues) -> str:
    """A person's, far below the market at home."""
    terms = OrderTerms(
        order_id=new_id(), account=HOME, venue="binance", symbol=SYMBOL, side=Side.BUY, type=OrderType.LIMIT,
        quantity=Decimal("0.01"), limit_price=await far_below(world),
    )  # fmt: skip
    origin = OrderOrigin(source=OrderSource.TRADER, user="ada")
    proposed = world.person.events.make(OrderProposed, terms=terms, origin=origin)
    await world.person.bus.jetstream.publish("order.proposed", proposed.to_json())
    await eventually(lambda: (now := world.order(terms.order_id)) and now.status == "open")
    return terms.order_id


async def far_below(world: TwoVenues) -> Decimal:
    book = (await world.venues["binance"].admin("GET", "/admin/books"))["BTCUSDT"]
    return (Decimal(book["bids"][0][0]) * Decimal("0.96")).quantize(Decimal(1))


async def books_agree(world: TwoVenues) -> None:
    found: list[str] = []

    async def agree() -> bool:
        found.clear()
        for account, venue in VENUES.items():
            said = await world.said(account)
            found.extend(await asyncio.to_thread(differences, said, world.venues[venue].http, account))
        return not found

    try:
        await eventually(agree, 30)
    except TimeoutError as error:
        raise AssertionError("\n".join(found)) from error


async def test_strategies_trade_on_at_the_stand_ins_venue_and_come_back(servers, venues):
    seeds = [seed(TURNS, Timeframe.M1), seed(STAYS, Timeframe.M5)]
    async with running(servers, venues, seeds) as world:
        await ready(world)
        await eventually(lambda: len(world.asked) >= 2 * len(seeds))  # caught up: bars before that are not traded on
        bought = await trade_at_home(world)
        resting = await resting_order(world)

        await venues["binance"].admin("POST", "/admin/maintenance", {"on": True})
        await routed(world, "bybit")
        await eventually(
            lambda: [one.context["account"] for one in world.of(AlertRaised) if one.code == "venue_down"] == [HOME]
        )

        # What is held at home waits there; what is flat goes on, and by prices of the stand-in's venue alone.
        await world.bar(14, "80", Timeframe.M5, only="bybit")
        await says(world, STAYS, f"what is held on {HOME} cannot be sold now")
        await world.bar(14, "300", only="bybit")
        assert where(await trades(world, TURNS, 3)) == (STAND_IN, "bybit", "buy")
        assert world.state(TURNS).held_abroad[0].account == STAND_IN
        await world.bar(15, "100", only="bybit")
        assert where(await trades(world, TURNS, 4)) == (STAND_IN, "bybit", "sell")
        await world.bar(16, "310", only="bybit")
        kept = await trades(world, TURNS, 5)
        assert where(kept) == (STAND_IN, "bybit", "buy")

        await venues["binance"].admin("POST", "/admin/maintenance", {"on": False})
        await routed(world, None)
        await ready(world)
        assert world.order(resting).status == "open"  # it stayed where it was

        # The same bar of both venues orders once; what was bought abroad is sold abroad, what was at home at home.
        await world.bar(17, "90")
        left = await trades(world, TURNS, 6)
        assert where(left) == (STAND_IN, "bybit", "sell")
        assert abs(left.terms.quantity - kept.terms.quantity) < Decimal("0.001")  # its fee was paid in base
        await world.bar(15, "70", Timeframe.M5)
        sold = await trades(world, STAYS, 2)
        assert where(sold) == (HOME, "binance", "sell")
        assert sold.terms.quantity <= bought.terms.quantity
        await world.bar(18, "320")
        assert where(await trades(world, TURNS, 7)) == (HOME, "binance", "buy")

        await books_agree(world)
        at_venues = [
            order["clientOrderId"]
            for account, venue in VENUES.items()
            for order in await venues[venue].admin("GET", f"/admin/orders?account={account}")
        ]
        assert len(at_venues) == len(set(at_venues)) == 7 + 2 + 1  # the two strategies' and the one that rests
        assert not world.of(OrderRefused)


async def trade_at_home(world: TwoVenues) -> OrderProposed:
    await world.bar(12, "210")
    assert where(await trades(world, TURNS, 1)) == (HOME, "binance", "buy")
    await world.bar(13, "110")
    assert where(await trades(world, TURNS, 2)) == (HOME, "binance", "sell")
    await world.bar(12, "220", Timeframe.M5)
    bought = await trades(world, STAYS, 1)
    assert where(bought) == (HOME, "binance", "buy")
    await world.bar(13, "230", Timeframe.M5)
    return bought

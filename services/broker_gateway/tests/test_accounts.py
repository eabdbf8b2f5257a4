"""Several accounts at several venues in one gateway: routing, failover, the venue's shared limits."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from algotrendy_broker_gateway.accounts.liveness import Liveness
from algotrendy_broker_gateway.domain.rate_limit import SharedLimits, TokenBucket
from algotrendy_common.app import App
from algotrendy_common.enums import FeedState
from algotrendy_common.events.market import FeedHealthChanged
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.events.order import OrderUpdated
from algotrendy_common.events.risk import RiskStateChanged
from algotrendy_common.rpc import broker_gateway as rpc
from algotrendy_common.rpc import ingest as market_data
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_common.testing.waiting import eventually
from algotrendy_simulator.testing import running_venue

SECOND = timedelta(seconds=1)


# -- limits ------------------------------------------------------------------------------------------------------


def test_a_cancellation_never_waits_behind_new_orders():
    bucket = TokenBucket(10, 1, reserve=0.2)
    assert [bucket.take(1, 0.0) for _ in range(8)] == [0.0] * 8
    assert bucket.take(1, 0.0) == pytest.approx(1 / 0.8)
    for _ in range(20):
        bucket.take(1, 0.0)  # a long queue of new orders
    assert [bucket.take_urgently(1, 0.0) for _ in range(2)] == [0.0, 0.0]
    assert 0 < bucket.take_urgently(1, 0.0) <= 1 / 0.2


def test_new_orders_and_cancellations_together_stay_within_the_limit():
    bucket, left = TokenBucket(10, 2, reserve=0.3), []
    for step in range(400):
        now = step / 20
        for take in (bucket.take, bucket.take_urgently):
            if (take is bucket.take and not bucket.wait(1, now)) or take is bucket.take_urgently:
                left.append(now + take(1, now))
    for start in left:
        assert sum(1 for moment in left if start <= moment < start + 5) <= 10 + 2 * 5 + 1


def test_accounts_of_one_venue_share_its_limit_and_keys_have_their_own():
    limits = SharedLimits()

    def make() -> TokenBucket:
        return TokenBucket(1, 1)

    assert limits.by_address("okx", "calls", make) is limits.by_address("okx", "calls", make)
    assert limits.by_address("okx", "calls", make) is not limits.by_address("bybit", "calls", make)
    assert limits.by_key("okx", "orders", "a", make) is limits.by_key("okx", "orders", "a", make)
    assert limits.by_key("okx", "orders", "a", make) is not limits.by_key("okx", "orders", "b", make)


# -- a venue that is away ----------------------------------------------------------------------------------------


def test_a_venue_is_down_after_being_silent_for_the_whole_limit_and_up_after_being_well_as_long():
    liveness = Liveness(10 * SECOND)
    liveness.missed(100)
    assert liveness.down(109) is None
    assert "does not answer for 10 s" in (liveness.down(110) or "")
    liveness.answered(120)
    assert liveness.down(125) == "came back only now"
    liveness.missed(126)
    liveness.answered(127)
    assert liveness.down(136) == "came back only now"
    assert liveness.down(137) is None


@pytest.mark.parametrize("state", [FeedState.STALE, FeedState.DOWN])
def test_a_venue_whose_feed_is_away_is_down_and_a_quiet_one_is_not(state):
    liveness = Liveness(10 * SECOND)
    liveness.feed(FeedState.QUIET, 0)
    assert liveness.down(100) is None
    liveness.feed(state, 100)
    assert state.value in (liveness.down(111) or "")


@pytest.fixture
async def other_venue():
    async with running_venue(speed=1, history=30) as venue:
        yield venue


def two_accounts(world, other) -> dict[str, str]:
    shared = {"venue": "binance", "symbols": ["BTC-USDT"], "api_key": world.account, "api_secret": world.account}
    first = {"http_url": world.venue.http, "ws_url": world.venue.ws} | shared
    second = {"http_url": other.http, "ws_url": other.ws} | shared
    accounts = [
        first | {"account": world.account, "failover": [f"{world.account}-b"]},
        second | {"account": f"{world.account}-b"},
    ]
    return {"ACCOUNTS": json.dumps(accounts), "VENUE_DOWN_AFTER": "PT1S", "KEEP_WARM_INTERVAL": "PT0.2S"}


async def open_account(world, venue) -> None:
    balances = {"USDT": "100000", "BTC": "1"}
    body = {"account": world.account, "key": world.account, "secret": world.account, "balances": balances}
    await venue.admin("POST", "/admin/accounts", body)


async def say_active(world, account: str) -> None:
    state = world.risk.events.make(
        RiskStateChanged,
        account=account,
        revision=1,
        trading_state="active",
        halted_by=None,
        halted_reason=None,
        halted_since=None,
        quote_currency="USDT",
        equity=None,
        cash=None,
        day_pnl=None,
        day_realised=Decimal(0),
        day_unrealised=None,
        day_fees=Decimal(0),
        exposure_gross=None,
        exposure_reserved=Decimal(0),
        drawdown_ratio=None,
        limits=(),
    )
    await world.risk.bus.publish(state)


async def infos(world) -> dict[str, rpc.AccountInfo]:
    return {one.account: one for one in (await world.ask(rpc.ACCOUNTS, Nothing())).accounts}


async def both_ready(world) -> bool:
    for account in (world.account, f"{world.account}-b"):
        await say_active(world, account)
    return all(info.ready for info in (await infos(world)).values())


async def orders_at(world, venue) -> int:
    return len(await venue.admin("GET", f"/admin/orders?account={world.account}"))


async def test_each_order_goes_to_its_accounts_venue_and_each_account_has_its_own_books(world, other_venue):
    await open_account(world, other_venue)
    async with world.running(active=False, **two_accounts(world, other_venue)):
        await eventually(lambda: both_ready(world))
        here = await world.approve()
        there = await world.approve(account=f"{world.account}-b", quantity=Decimal("0.02"))
        nowhere = await world.approve(account=f"{world.account}-c")
        await world.reaches(here.order_id, "filled")

        await eventually(lambda: comes_to(world, there.order_id, "filled"))
        assert "no account" in await eventually(lambda: comes_to(world, nowhere.order_id, "cancelled"))
        known = await infos(world)
        assert {name: (one.active, one.epoch, one.stand_in) for name, one in known.items()} == {
            world.account: (True, 1, None),
            f"{world.account}-b": (True, 1, None),
        }
        assert known[world.account].capabilities is not None
    assert await orders_at(world, world.venue) == 1
    assert await orders_at(world, other_venue) == 1


async def comes_to(world, order_id: str, status: str) -> str | None:
    """The order's reason (or its status) once it has the status; the events of another account are not heard here."""
    rows = await world.query("SELECT status, document FROM orders WHERE order_id = $1", order_id)
    if not rows or rows[0]["status"] != status:
        return None
    return OrderUpdated.from_json(rows[0]["document"]).reason_message or status


@pytest.fixture
async def ingest(servers):
    environment = {
        name: value
        for name, value in servers.environment("ingest").items()
        if name.startswith("ALGOTRENDY_NATS_") or name.endswith("_NATS_SEED_FILE")
    }
    app = App("ingest", load(ServiceSettings, "ingest", environment))

    async def instruments(asked: Nothing) -> market_data.Instruments:
        return market_data.Instruments(instruments=())

    app.answers(market_data.INSTRUMENTS, instruments)
    async with app.running():
        yield app


async def test_while_a_venue_is_down_new_orders_are_turned_away_unsent_and_the_stand_in_is_named(world, other_venue):
    """The account with the failover list is the one at the venue that dies here."""
    await open_account(world, other_venue)
    changes = two_accounts(world, other_venue)
    accounts = json.loads(changes["ACCOUNTS"])
    accounts[0]["failover"], accounts[1]["failover"] = [], [world.account]
    changes["ACCOUNTS"] = json.dumps(accounts)
    dying = f"{world.account}-b"
    async with world.running(active=False, **changes):
        await eventually(lambda: both_ready(world))
        other_venue.process.send_signal(19)  # SIGSTOP: the sockets stay open and nobody answers

        async def stand_in() -> str | None:
            return (await infos(world))[dying].stand_in

        assert await eventually(stand_in, within_s=30) == world.account

        async def told() -> bool:
            info = (await infos(world))[dying]
            return not info.ready and world.account in info.detail

        await eventually(told)
        await world.hears(AlertRaised, lambda alert: alert.code == "venue_down" and alert.context["account"] == dying)

        turned_away = await world.approve(account=dying)

        reason = await eventually(lambda: comes_to(world, turned_away.order_id, "cancelled"))
        assert "nothing was sent" in reason
        proposed_there = await world.approve()
        await world.reaches(proposed_there.order_id, "filled")

        other_venue.process.send_signal(18)

        async def back() -> bool:
            await say_active(world, dying)
            return (await infos(world))[dying].ready

        await eventually(back, within_s=40)
    assert await orders_at(world, other_venue) == 0  # what was turned away never arrived
    assert await orders_at(world, world.venue) == 1


async def test_while_a_feed_is_down_its_accounts_are_to_be_priced_and_traded_elsewhere(world, ingest):
    on_paper = {"account": f"{world.account}-b", "venue": "paper", "feed": "okx", "failover": [world.account]}
    changes = two_accounts(world, world.venue)
    changes["ACCOUNTS"] = json.dumps([json.loads(changes["ACCOUNTS"])[0] | {"failover": []}, on_paper])
    async with world.running(active=False, **changes):
        await eventually(lambda: both_ready(world))
        assert (await infos(world))[on_paper["account"]].priced_at == "okx"
        for state, stand_in, priced_at in (
            (FeedState.DOWN, world.account, "binance"),
            (FeedState.LIVE, None, "okx"),
        ):
            await ingest.bus.publish(feed_health(ingest, state))

            async def answered(stand_in=stand_in, priced_at=priced_at) -> bool:
                info = (await infos(world))[on_paper["account"]]
                return (info.stand_in, info.priced_at, info.ready) == (stand_in, priced_at, stand_in is None)

            await eventually(answered)


def feed_health(ingest: App, state: FeedState) -> FeedHealthChanged:
    return ingest.events.make(
        FeedHealthChanged,
        venue="okx",
        state=state,
        latency_ms=None,
        last_message_at=None,
        stale_symbols=(),
        gaps=0,
        reconnects=0,
        replay=False,
    )

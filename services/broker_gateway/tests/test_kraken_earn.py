"""Staking at Kraken against a simulated one: begun here, under way there, and never taken for money that is gone."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.kraken import KrakenVenue
from algotrendy_broker_gateway.adapters.kraken_earn import FLEXIBLE, allocated
from algotrendy_broker_gateway.domain.rate_limit import SharedLimits, TokenBucket
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused
from algotrendy_common.enums import Mode
from algotrendy_simulator.demo_keys import demo_key
from algotrendy_simulator.server import serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin
from pydantic import SecretStr

DEMO = demo_key("kraken")
RECORDED = json.loads((Path(__file__).parent / "payloads/kraken/allocations.json").read_text())


@pytest.fixture
async def simulated():
    settings = SimulatorSettings(port=0, paused=True, history=30, venue="kraken", weight_per_minute=10**7)
    async with serving(settings) as running:
        yield running


@pytest.fixture
async def venue(simulated):
    limits = SharedLimits()
    limits.by_key("kraken", "calls", DEMO.key, lambda: TokenBucket(10_000, 1_000))
    access = VenueAccess(
        mode=Mode.PAPER,
        http_url=simulated.http,
        ws_url=simulated.ws,
        api_key=SecretStr(DEMO.key),
        api_secret=SecretStr(DEMO.secret),
        answer_timeout=timedelta(seconds=2),
        limits=limits,
    )
    venue = KrakenVenue(access)
    await venue.connect()
    yield venue
    await venue.close()


async def of_usdt(venue, lock):
    (found,) = [product for product in await venue.earn.products("USDT") if product.lock == lock]
    return found


async def through(venue, product_id, allocate=True):
    """The change's end, by the clock of the venue."""
    deadline = asyncio.get_running_loop().time() + 10
    while await venue.earn.is_pending(product_id, allocate):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


def test_reads_recorded_allocations():
    assert allocated(RECORDED) == {"ESDQCOL-WTZEU-NU55QF": (Decimal("0.021"), False)}


async def test_tells_what_can_be_staked(venue):
    everything = await venue.earn.products(None)
    usdt = await venue.earn.products("USDT")

    assert venue.capabilities.earn
    assert {product.asset for product in everything} == {"BTC", "LTC", "USDT"}
    assert {product.lock: product.can_allocate for product in usdt} == {
        "bonded": True, "instant": True, FLEXIBLE: False,
    }  # fmt: skip
    bonded = await of_usdt(venue, "bonded")
    assert (bonded.apr_low, bonded.apr_high, bonded.minimum) == (Decimal("0.01"), Decimal("0.035"), Decimal("0.0001"))
    assert {product.asset for product in await venue.earn.products("BTC")} == {"BTC"}


async def test_what_is_staked_is_reserved_and_comes_back(venue):
    bonded = await of_usdt(venue, "bonded")

    await venue.earn.change(bonded.product_id, Decimal("1500.5"), allocate=True)

    under_way = await of_usdt(venue, "bonded")
    assert (under_way.allocated, under_way.pending) == (Decimal("1500.5"), True)
    await through(venue, bonded.product_id)
    assert not (await of_usdt(venue, "bonded")).pending
    (own,) = await venue.balances()
    assert (own.total, own.available, own.reserved) == (Decimal(100_000), Decimal("98499.5"), Decimal("1500.5"))

    await venue.earn.change(bonded.product_id, Decimal("1500.5"), allocate=False)
    await through(venue, bonded.product_id, allocate=False)
    (own,) = await venue.balances()
    assert (own.available, (await of_usdt(venue, "bonded")).allocated) == (Decimal(100_000), Decimal(0))


async def test_one_change_of_a_strategy_at_a_time(venue):
    bonded = await of_usdt(venue, "bonded")
    await venue.earn.change(bonded.product_id, Decimal(10), allocate=True)

    with pytest.raises(VenueRefused) as busy:
        await venue.earn.change(bonded.product_id, Decimal(10), allocate=True)

    assert busy.value.code == "earn_busy"
    assert (await of_usdt(venue, "bonded")).allocated == Decimal(10)


@pytest.mark.parametrize(
    ("lock", "amount", "code"),
    [
        ("bonded", "0.00001", "earn_below_minimum"),
        ("bonded", "100001", "insufficient_balance"),
        (FLEXIBLE, "10", "earn_not_allowed"),
    ],
)
async def test_a_no_is_a_refusal(venue, lock, amount, code):
    product = await of_usdt(venue, lock)
    with pytest.raises(VenueRefused) as no:
        await venue.earn.change(product.product_id, Decimal(amount), allocate=True)

    assert no.value.code == code
    with pytest.raises(VenueRefused):
        await venue.earn.change(product.product_id, Decimal(amount), allocate=False)
    with pytest.raises(VenueRefused):
        await venue.earn.change("ESXXXXX-NOSUCH-ABCDEF", Decimal(1), allocate=True)


async def test_a_lost_answer_leaves_it_open_and_the_venue_knows(venue, simulated):
    bonded = await of_usdt(venue, "bonded")
    fault = {"kind": "lost_after", "path": "/0/private/Earn/Allocate", "method": "POST"}
    await call_admin(simulated.http, "POST", "/admin/faults", fault)

    with pytest.raises(OutcomeUnknown):
        await venue.earn.change(bonded.product_id, Decimal(25), allocate=True)

    assert (await of_usdt(venue, "bonded")).allocated == Decimal(25)

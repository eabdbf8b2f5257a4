"""What is said when an answer is lost, late, senseless or a plea for silence: neither a yes nor a no that is none."""

from decimal import Decimal

import pytest
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_common.ids import new_id

pytestmark = pytest.mark.asyncio(loop_scope="session")
SPOT = "BTC-USDT"


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [("lost_before", False), ("lost_after", True), ("error_before", False), ("error_after", True)],
)
async def test_no_sure_answer_leaves_the_outcome_open_and_the_venue_knows(contract, kind, accepted):
    client_id = new_id()
    await contract.fault(kind)
    with pytest.raises(OutcomeUnknown):
        await contract.venue.submit(client_id, contract.terms())

    found = await contract.found(client_id)
    assert (found is not None) is accepted
    assert len(await contract.named(client_id)) == int(accepted)
    if found is not None:
        assert found.order.client_id == client_id


async def test_an_answer_too_late_leaves_the_outcome_open(contract):
    client_id = new_id()
    await contract.fault("delay", delay_ms=1400)
    with pytest.raises(OutcomeUnknown):
        await contract.venue.submit(client_id, contract.terms())

    assert await contract.eventually(lambda: contract.found(client_id))
    assert len(await contract.named(client_id)) == 1


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", '{"so', "{}", "[]", "null", '{"result":null}'])
async def test_a_senseless_answer_leaves_the_outcome_open(contract, garbler, body):
    standing, address = garbler
    async with contract.opened(http_url=address) as venue:
        await venue.connect()
        standing.body = body
        client_id = new_id()
        with pytest.raises(OutcomeUnknown):
            await venue.submit(client_id, contract.terms())

    assert standing.body is None
    assert (await contract.found(client_id)).order.client_id == client_id


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_broken_gateway_says_nothing_of_the_order(contract, garbler, status):
    standing, address = garbler
    async with contract.opened(http_url=address) as venue:
        await venue.connect()
        standing.body, standing.status = "<html>upstream</html>", status
        with pytest.raises(OutcomeUnknown):
            await venue.submit(new_id(), contract.terms())


@pytest.mark.parametrize("kind", ["reject", "clock_skew"])
async def test_an_explicit_no_is_a_refusal(contract, kind):
    client_id = new_id()
    await contract.fault(kind)
    with pytest.raises(VenueRefused):
        await contract.venue.submit(client_id, contract.terms())

    assert await contract.named(client_id) == []
    assert await contract.found(client_id) is None


async def test_a_closed_venue_takes_nothing_and_answers_nothing(contract):
    client_id = new_id()
    await contract.simulated.admin("POST", "/admin/maintenance", {"on": True})
    try:
        with pytest.raises((OutcomeUnknown, VenueRefused)):
            await contract.venue.submit(client_id, contract.terms())
        with pytest.raises((VenueUnreachable, VenueRefused)):
            await contract.venue.balances()
    finally:
        await contract.simulated.admin("POST", "/admin/maintenance", {"on": False})

    assert await contract.named(client_id) == []


async def test_too_many_requests_is_no_order_and_then_silence(contract):
    first, second = new_id(), new_id()
    await contract.fault("throttle")
    with pytest.raises(VenueRefused) as no:
        await contract.venue.submit(first, contract.terms())
    assert no.value.code == "rate_limited"

    with pytest.raises(VenueRefused) as silent:
        await contract.venue.submit(second, contract.terms())

    assert silent.value.code == "rate_limited"
    assert await contract.named(first) == await contract.named(second) == []

    async def speaks_again():
        try:
            return await contract.venue.balances()
        except VenueUnreachable:
            return None

    assert await contract.eventually(speaks_again)


async def test_a_ban_is_met_with_silence(contract):
    client_id = new_id()
    await contract.simulated.admin("POST", "/admin/ban", {"seconds": 2})
    try:
        with pytest.raises((OutcomeUnknown, VenueRefused)):
            await contract.venue.submit(client_id, contract.terms())
    finally:
        await contract.simulated.admin("POST", "/admin/ban", {"seconds": 0})
    with pytest.raises(VenueUnreachable):
        await contract.venue.balances()

    assert await contract.named(client_id) == []


async def test_a_lost_cancellation_is_not_taken_for_one(contract):
    client_id, report = await contract.rest()
    # A cut connection that was used before makes the client's library send an idempotent method once more.
    await contract.fault("lost_before", path="/*", method=None, times=3)
    with pytest.raises((OutcomeUnknown, VenueUnreachable)):
        await contract.venue.cancel(SPOT, client_id, report.order.venue_order_id)

    (own,) = await contract.named(client_id)
    assert own["status"] == "NEW"
    assert Decimal(own["executedQty"]) == 0

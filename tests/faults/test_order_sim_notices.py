"""The proof itself is tried: known mistakes are put in, and must be found."""

import random

from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused

from tests.faults.order_sim.run import quiet, simulated
from tests.faults.order_sim.verdict import judged
from tests.faults.order_sim.virtual_wire import VirtualVenue

SEEDS = range(20)


def found() -> set[str]:
    """What is broken, by name, over a few seeds."""
    quiet()
    names: set[str] = set()
    for seed in SEEDS:
        names |= {line.split()[2] for line in judged(simulated(seed)).broken}
    return names


async def _timeout_is_failure(venue, client_order_id, terms):
    try:
        return await SUBMIT(venue, client_order_id, terms)
    except OutcomeUnknown as unknown:
        raise VenueRefused("failed", str(unknown)) from unknown


async def _ordering_again(venue, client_order_id, terms):
    try:
        return await SUBMIT(venue, client_order_id, terms)
    except OutcomeUnknown:
        return await SUBMIT(venue, client_order_id[::-1], terms)


SUBMIT = VirtualVenue.submit


def test_a_timeout_taken_for_a_failure_is_noticed(monkeypatch):
    monkeypatch.setattr(VirtualVenue, "submit", _timeout_is_failure)
    assert "released_early" in found()


def test_ordering_again_under_a_new_id_is_noticed(monkeypatch):
    monkeypatch.setattr(VirtualVenue, "submit", _ordering_again)
    assert {"resent_under_new_id", "sent_again"} <= found()


def test_a_seed_is_one_world_and_another_seed_another():
    quiet()
    assert simulated(3).hash() == simulated(3).hash()
    assert simulated(3).hash() != simulated(4).hash()
    random.seed(0)  # whatever else draws from chance
    assert simulated(3).hash() == simulated(3).hash()

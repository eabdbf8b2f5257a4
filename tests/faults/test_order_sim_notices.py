"""The proof itself is tried: known mistakes are put in, and must be found."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import count, islice

import pytest
from algotrendy_broker_gateway.desk import guard
from algotrendy_broker_gateway.desk.cancellation import Cancellation
from algotrendy_broker_gateway.desk.preparation import Preparation
from algotrendy_broker_gateway.desk.triggers import Triggers
from algotrendy_broker_gateway.domain.outbound_count import ProtectiveCount
from algotrendy_broker_gateway.domain.protection import Plan as GuardPlan
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused
from algotrendy_common.enums import OrderType
from algotrendy_core.order_states import Cancelled, LegEnded

from tests.faults.order_sim.plan import Plan, planned
from tests.faults.order_sim.run import quiet, simulated
from tests.faults.order_sim.verdict import judged
from tests.faults.order_sim.virtual_wire import VirtualVenue


def anything(plan: Plan) -> bool:
    return True


def found(seeds: int, wanted: Callable[[Plan], bool], until: str) -> set[str]:
    """What is broken, by name, over a few seeds of a kind: no more of them than it takes to break ``until``."""
    quiet()
    names: set[str] = set()
    for seed in islice((seed for seed in count() if wanted(planned(seed))), seeds):
        names |= {line.split()[2] for line in judged(simulated(seed)).broken}
        if until in names:
            break
    return names


# ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────────

SUBMIT = VirtualVenue.submit


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


def test_a_timeout_taken_for_a_failure_is_noticed(monkeypatch):
    monkeypatch.setattr(VirtualVenue, "submit", _timeout_is_failure)
    assert "released_early" in found(20, anything, until="released_early")


def test_ordering_again_under_a_new_id_is_noticed(monkeypatch):
    monkeypatch.setattr(VirtualVenue, "submit", _ordering_again)
    assert "resent_under_new_id" in found(20, anything, until="resent_under_new_id")


def test_sending_an_amendment_before_the_first_order_is_gone_is_noticed(monkeypatch):
    async def taken_for_gone(preparation, old):
        return replace(old, state=Cancelled(old.terms, None, (), "it will be"))

    def amends(plan: Plan) -> bool:
        return sum(one.amended is not None for one in plan.tickets) > 2

    monkeypatch.setattr(Preparation, "_end", taken_for_gone)
    assert "replaced_alive" in found(20, amends, until="replaced_alive")


# ── what waits for a price ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_trigger_that_does_not_survive_a_crash_is_noticed(monkeypatch):
    async def forgotten(triggers):
        """Nothing is read from the store."""

    def waits_here(plan: Plan) -> bool:
        triggered = sum(one.type.triggered for one in plan.tickets)
        return plan.sweep and bool(plan.crashes) and triggered > 2 and OrderType.STOP not in plan.holds

    monkeypatch.setattr(Triggers, "load", forgotten)
    assert "triggers_missed" in found(30, waits_here, until="triggers_missed")


def test_a_second_leg_beside_the_first_is_noticed(monkeypatch):
    async def taken_for_gone(cancellation, order_id, patience_s):
        order = await cancellation._orders.now(order_id)
        if order is not None and order.working:
            await cancellation._books.tell(order_id, LegEnded())
        return await cancellation._orders.now(order_id)

    def in_legs(plan: Plan) -> bool:
        return plan.sweep and OrderType.STOP in plan.holds and OrderType.OCO not in plan.holds

    monkeypatch.setattr(Cancellation, "gone", taken_for_gone)
    assert "sent_beside" in found(60, in_legs, until="sent_beside")


# ── what guards positions ───────────────────────────────────────────────────────────────────────────────────────────

PLAN = guard.plan


def guards(plan: Plan) -> bool:
    return plan.required


def test_an_exit_that_does_not_follow_its_position_is_noticed(monkeypatch):
    def only_the_first(position, leaving, brackets, live, instrument, spare):
        return GuardPlan() if live else PLAN(position, leaving, brackets, live, instrument, spare)

    monkeypatch.setattr(guard, "plan", only_the_first)
    assert {"unprotected", "exits_too_large"} & found(30, guards, until="unprotected")


def test_a_doubled_exit_is_noticed(monkeypatch):
    def twice(position, leaving, brackets, live, instrument, spare):
        return PLAN(position, leaving, brackets, (), instrument, spare) if len(live) < 2 else GuardPlan()

    monkeypatch.setattr(guard, "plan", twice)
    monkeypatch.setattr(ProtectiveCount, "objection", lambda *asked: None)
    assert "exits_too_large" in found(30, lambda plan: guards(plan) and plan.sweep, until="exits_too_large")


# ── the seed ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", [3, 11])
def test_a_seed_is_one_world_and_another_seed_another(seed):
    quiet()
    once = simulated(seed).hash()
    random.seed(0)  # whatever else draws from chance
    assert simulated(seed).hash() == once
    assert simulated(seed + 1).hash() != once

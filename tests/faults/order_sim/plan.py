"""A seed's bad day: how rough it is, which orders come, what is done to them, and where the gateway dies."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from algotrendy_common.enums import OrderType

from tests.faults.order_sim.tickets import Ticket, ticket

STEPS = (
    "approval: delivered",
    "approval: about to be acknowledged",
    "intent: before its commit",
    "intent: after its commit",
    "submit: about to be sent",
    "submit: sent",
    "submit: processed",
    "submit: answered",
    "outcome: before its commit",
    "outcome: after its commit",
    "stream message: arrived",
    "cancel_wanted: before its commit",
    "cancel_wanted: after its commit",
    "cancel: about to be sent",
    "cancel: sent",
    "cancel: processed",
    "cancel: answered",
    "order: sent",
    "order: answered",
    "open orders: answered",
    "fills: answered",
    "balances: answered",
    "watermark: before its commit",
    "search: before its commit",
    "search: after its commit",
    "reconciliation: before its commit",
    "reconciliation: after its commit",
    "price: arrived",
    "held: before its commit",
    "held: after its commit",
    "trigger: before its commit",
    "trigger: after its commit",
    "leg ended: before its commit",
    "leg ended: after its commit",
    "exit: before its commit",
    "exit: after its commit",
    "exit: about to be sent",
    "exit: sent",
    "exit: processed",
    "exit: answered",
    "guard: before its commit",
    "guard: after its commit",
)
"""The protocol's steps, at each of which the gateway may die."""
_OFTEN = {"submit", "approval", "stream message", "outcome", "open orders", "balances", "exit", "trigger"}


HOLDS = (
    frozenset({OrderType.MARKET, OrderType.LIMIT}),
    frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT}),
    frozenset(OrderType) - {OrderType.OCO, OrderType.TRAILING_STOP},
    frozenset(OrderType),
)
"""What a venue takes: nothing that waits, waiting orders with a limit, all but pairs and trailing stops, everything."""


_STORMS = 0.15
"""Share of seeds in which orders come thick and almost no answer arrives."""


@dataclass(frozen=True, slots=True)
class Plan:
    share: float
    """Of order calls that meet a fault."""
    questions: float
    """Of questions that do."""
    disorder: float
    """Of stream messages that come late or twice."""
    lost_commits: float
    tickets: tuple[Ticket, ...]
    crashes: tuple[tuple[str, int], ...]
    mishaps: tuple[tuple[float, str, float], ...]
    """When, what (a method of the world), and for how long."""
    ends_s: float
    holds: frozenset[OrderType]
    """Order types that the venue takes."""
    required: bool
    """The account wants every position guarded."""
    spare: bool
    """It has base assets of its own."""
    sweep: bool
    """After all is settled the market goes through every price that anything waits for."""


def planned(seed: int) -> Plan:
    chance = random.Random(f"{seed} plan")
    ends_s = chance.uniform(10, 22)
    storm = chance.random() < _STORMS
    share = 0.95 if storm else chance.choice((0.2, 0.6, 0.9, 0.95))
    most = chance.randint(36, 56) if storm else chance.randint(8, 16)
    tickets = sorted((ticket(chance, ends_s) for _ in range(most)), key=lambda one: one.at_s)
    return Plan(
        share=share,
        questions=0.02 if storm else share / 5,
        disorder=chance.choice((0.0, 0.2, 0.6)),
        lost_commits=chance.choice((0.0, 0.01, 0.03)),
        tickets=tuple(tickets),
        crashes=tuple(_crashes(chance)),
        mishaps=tuple(sorted(_mishaps(chance, ends_s))),
        ends_s=ends_s,
        holds=chance.choice(HOLDS),
        required=chance.random() < 0.4,
        spare=chance.random() < 0.6,
        sweep=chance.random() < 0.4,
    )


def _crashes(chance: random.Random) -> Iterator[tuple[str, int]]:
    weights = [3 if step.split(":")[0] in _OFTEN else 1 for step in STEPS]
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        yield chance.choices(STEPS, weights)[0], chance.choice((1, 1, 2, 3, 5))


def _mishaps(chance: random.Random, ends_s: float) -> Iterator[tuple[float, str, float]]:
    for what, most, longest_s in (
        ("postgres_away", 2, 2.5),
        ("venue_down", 1, 5.0),
        ("stream_cut", 2, 0.0),
        ("stream_silent", 1, 8.0),
        ("venue_cancels", 2, 0.0),
        ("partial_fills", 2, 0.0),
        ("feed_silent", 1, 5.0),
        ("outside_order", 2, 0.0),
        ("halt", 1, 2.0),
        ("bus_repeats", 3, 0.0),
    ):
        for _ in range(chance.randint(0, most)):
            yield chance.uniform(2, ends_s), what, chance.uniform(0.2, longest_s) if longest_s else 0.0

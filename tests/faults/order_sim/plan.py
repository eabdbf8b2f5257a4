"""A seed's bad day: how rough it is, which orders come, what is done to them, and where the gateway dies."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce

from tests.faults.order_sim.virtual_exchange import SYMBOLS

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
)
"""The protocol's steps, at each of which the gateway may die."""
_OFTEN = {"submit", "approval", "stream message", "outcome", "open orders", "balances"}


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order to come: ``away`` is the limit's distance from the market, as a fraction, negative behind it."""

    at_s: float
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    away: Decimal
    lifetime_s: float
    cancel_after_s: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    share: float
    """Of order calls that meet a fault."""
    disorder: float
    """Of stream messages that come late or twice."""
    lost_commits: float
    tickets: tuple[Ticket, ...]
    crashes: tuple[tuple[str, int], ...]
    mishaps: tuple[tuple[float, str, float], ...]
    """When, what (a method of the world), and for how long."""
    ends_s: float


def planned(seed: int) -> Plan:
    chance = random.Random(f"{seed} plan")
    ends_s = chance.uniform(12, 28)
    share = chance.choice((0.2, 0.6, 0.9, 0.95))
    tickets = sorted((_ticket(chance, ends_s) for _ in range(chance.randint(8, 16))), key=lambda one: one.at_s)
    return Plan(
        share=share,
        disorder=chance.choice((0.0, 0.2, 0.6)),
        lost_commits=chance.choice((0.0, 0.01, 0.03)),
        tickets=tuple(tickets),
        crashes=tuple(_crashes(chance)),
        mishaps=tuple(sorted(_mishaps(chance, ends_s))),
        ends_s=ends_s,
    )


def _ticket(chance: random.Random, ends_s: float) -> Ticket:
    kind = chance.choice((OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT))
    in_force = (
        TimeInForce.GTC
        if kind is OrderType.MARKET
        else chance.choice(
            (TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY)
        )
    )
    return Ticket(
        at_s=chance.uniform(1, ends_s),
        symbol=chance.choice(SYMBOLS),
        side=chance.choice(list(Side)),
        type=kind,
        time_in_force=in_force,
        quantity=Decimal(chance.randint(20, 5000)) / 10_000,
        away=Decimal(chance.choice((-300, -5, -2, 2, 10))) / 10_000,
        lifetime_s=chance.choice((1.5, 12.0, 12.0, 12.0)),
        cancel_after_s=chance.choice((None, None, None, -0.05, 0.03, 0.5, 3.0)),
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
        ("outside_order", 2, 0.0),
        ("halt", 1, 2.0),
        ("bus_repeats", 3, 0.0),
    ):
        for _ in range(chance.randint(0, most)):
            yield chance.uniform(2, ends_s), what, chance.uniform(0.2, longest_s) if longest_s else 0.0

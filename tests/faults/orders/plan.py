"""A seed's blow: which program is killed, at which step of an order's way, and what the venue does meanwhile."""

import random
from dataclasses import dataclass

TARGETS = ("broker_gateway", "risk", "nats", "postgres")
MOMENTS = (
    "proposed",
    "approved",
    "intent_committed",
    "on_the_wire",
    "accepted",
    "unknown",
    "open",
    "filled",
    "cancel_wanted",
    "cancel_on_the_wire",
    "comparing",
    "idle",
)
"""The steps of the protocol as they can be seen from outside."""
_LOSING = ("lost_before", "lost_after", "error_before", "error_after")
_RESTS = ("open", "cancel_wanted", "cancel_on_the_wire")


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    target: str
    moment: str
    fault: str | None
    """Of the order's own call."""
    delay_ms: int
    """How long the venue sits on the call, where ``fault`` is ``delay``."""
    rests: bool
    """The order waits below the market; else it trades at once."""
    beside: int
    """Other orders under way."""
    after_ms: int
    """Between the moment and the blow."""
    again_ms: int | None
    """A second blow to the same program, so long after it was started again."""


def planned(seed: int) -> Plan:
    chance = random.Random(f"orders {seed}")
    # Every pair of program and moment comes once in as many seeds as there are pairs.
    target = TARGETS[seed % len(TARGETS)]
    moment = MOMENTS[seed // len(TARGETS) % len(MOMENTS)]
    fault: str | None = chance.choice((None, None, "delay", *_LOSING))
    if moment in ("on_the_wire", "cancel_on_the_wire"):
        fault = "delay"
    elif moment == "unknown":
        fault = chance.choice(_LOSING)
    again = moment == "comparing" or chance.random() < 0.15
    return Plan(
        seed=seed,
        target=target,
        moment=moment,
        fault=fault,
        delay_ms=chance.choice((150, 600, 1500)),
        rests=moment in _RESTS or (moment != "filled" and chance.random() < 0.3),
        beside=chance.randint(0, 2),
        after_ms=chance.choice((0, 0, 5, 30)),
        again_ms=chance.randint(50, 2500) if again else None,
    )

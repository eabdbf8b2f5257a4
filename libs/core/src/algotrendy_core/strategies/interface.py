"""What a strategy is.

A strategy is a model of parameters, a function that makes its first state, and one step: the next closed bar in, the
wanted exposure and a reason out. The step reads nothing but its arguments and changes nothing but its state (and the
ladder, where it has one), so the same calls give the same decisions live, in a backtest and after a restart.

Invariant: what is wanted is a level, not an event. A target says what to hold from now on and a ladder which orders to
have at rest from now on, bar after bar, so that a strategy started in the middle of things takes its position at its
first warm bar, and a missed bar changes nothing for long.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

WARMING_UP = 0
"""The reason code of a step that has not seen enough bars; its target is NaN."""

LIMIT = 1
STOP = 2
TAKE_PROFIT = 3
TRAILING_STOP = 4
"""Kinds of a rung. All but LIMIT are market orders once they are triggered."""


class Parameters(BaseModel):
    """Base of a strategy's parameters: numbers only, each a field with bounds, a description and a unit.

    ``Field(10, ge=2, le=500, description="…", json_schema_extra={"unit": "bars"})``
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Decision(NamedTuple):
    """What a step wants.

    ``target`` is the wanted exposure as a fraction of the strategy's capital: 1 all of it long, 0 flat, negative short;
    NaN means no opinion (yet): leave things as they are. ``reason`` is an index into the strategy's ``reasons``.
    """

    target: float
    reason: int


UNDECIDED = Decision(nan, WARMING_UP)


class Holding(NamedTuple):
    """What a strategy with a ladder is told of itself: the outcome of its own fills and nothing else."""

    quantity: float
    """In base; negative is short."""
    entry_price: float
    """The average, in quote per base; 0 while flat."""
    capital: float
    """What a target of 1 stands for, in quote."""


class BookView(NamedTuple):
    """What a strategy that reads the book sees at a step: best prices and what stands there, as its feed has them."""

    time: int
    """Of the step, in milliseconds since the epoch."""
    bid: float
    bid_quantity: float
    ask: float
    ask_quantity: float
    last: float
    """Price of the last trade; NaN before the first."""


@dataclass(slots=True)
class Rung:
    """One order that a strategy wants to have at rest; its place in the ladder is its identity.

    The step writes all fields but ``filled``, which whoever runs the strategy keeps. To be placed anew after it was
    filled, or at all, a rung needs a ``generation`` that it did not have before; a changed price or quantity within a
    generation moves the order that rests. ``kind`` 0 takes it away.
    """

    kind: int = 0
    side: int = 0
    """+1 buys, -1 sells."""
    price: float = 0.0
    """Limit or trigger price in quote per base; of a TRAILING_STOP the distance as a fraction of the price."""
    quantity: float = 0.0
    """In base. What is below the venue's minimum is not placed."""
    group: int = 0
    """Of the rungs of a group above 0, the first that is filled takes the others away."""
    generation: int = 0
    filled: float = 0.0
    """In base, of the present generation."""


@dataclass(frozen=True, slots=True)
class Strategy[P: Parameters, S]:
    """One kind of strategy. ``step`` is a plain function; where numba can compile it, backtests run it compiled."""

    name: str
    description: str
    parameters: type[P]
    initial_state: Callable[[P], S]
    step: Callable[..., Decision]
    """``step(parameters, state, candle)`` with the parameters' fields as attributes; updates ``state``.

    With a ladder ``step(parameters, state, candle, holding, ladder)``, where ``ladder[i]`` is a ``Rung``.
    """
    warm_up: Callable[[P], int]
    """Bars until the first decision with a target."""
    reasons: tuple[str, ...]
    """By reason code; the first is that of warming up."""
    rungs: Callable[[P], int] | None = None
    """How many orders it may have at rest; None: it works by targets alone."""
    reads: Literal["bars", "book"] = "bars"
    """What the third argument of ``step`` is: a closed ``Candle``, or a ``BookView`` at a stated interval."""


AnyStrategy = Strategy[Any, Any]

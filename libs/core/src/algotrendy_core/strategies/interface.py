"""What a strategy is.

A strategy is a model of parameters, a function that makes its first state, and one step: the next closed bar in, the
wanted exposure and a reason out. The step reads nothing but its arguments and changes nothing but its state, so the
same calls give the same decisions live, in a backtest and after a restart.

Invariant: a target is a level, not an event. It says what to hold from now on, bar after bar, so that a strategy
started in the middle of things takes its position at its first warm bar, and a missed bar changes nothing for long.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from algotrendy_core.bars import Candle

WARMING_UP = 0
"""The reason code of a step that has not seen enough bars; its target is NaN."""


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


@dataclass(frozen=True, slots=True)
class Strategy[P: Parameters, S]:
    """One kind of strategy. ``step`` is a plain function; where numba can compile it, backtests run it compiled."""

    name: str
    description: str
    parameters: type[P]
    initial_state: Callable[[P], S]
    step: Callable[[P, S, Candle], Decision]
    """Called as ``step(parameters, state, candle)`` with the parameters' fields as attributes; updates ``state``."""
    warm_up: Callable[[P], int]
    """Bars until the first decision with a target."""
    reasons: tuple[str, ...]
    """By reason code; the first is that of warming up."""


AnyStrategy = Strategy[Any, Any]

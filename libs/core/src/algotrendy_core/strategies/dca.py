"""Averaging (DCA): buys a first part, buys larger parts the deeper the price falls, and sells everything a little above
the average price paid.

One round is a deal: the first buy follows the price until it trades, the safety orders below it rest from then on, the
take-profit and (where asked for) the stop move with the average. Invariant: a deal ends with everything sold, by itself
or by somebody else, and only then the next one begins.
"""

from dataclasses import dataclass
from math import nan
from typing import Any

from pydantic import Field

from algotrendy_core.bars import Candle
from algotrendy_core.strategies.interface import STOP, Decision, Holding, Parameters, Strategy
from algotrendy_core.strategies.rungs import BUY, NOTHING_SHARE, SELL, rest_limit, traded

OPENING = 1
HOLDING = 2
CLOSED = 3
WAITING = 4

EXITS = 1
"""The group of take-profit and stop."""


class DcaParameters(Parameters):
    steps: int = Field(
        4, ge=0, le=30, description="Safety orders below the first buy", json_schema_extra={"unit": "orders"}
    )
    spacing: float = Field(
        0.008,
        gt=0,
        le=0.5,
        description="Distance of the first safety order from the first buy",
        json_schema_extra={"unit": "fraction"},
    )
    spacing_growth: float = Field(
        1.3, ge=1, le=5, description="Each distance is that much the one before", json_schema_extra={"unit": "times"}
    )
    size_growth: float = Field(
        1.5, ge=1, le=5, description="Each order is that much the one before", json_schema_extra={"unit": "times"}
    )
    take_profit: float = Field(
        0.01,
        gt=0,
        le=1,
        description="Rise above the average price paid at which everything is sold",
        json_schema_extra={"unit": "fraction"},
    )
    stop_loss: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Fall below the average price paid at which everything is sold; 0: no stop",
        json_schema_extra={"unit": "fraction"},
    )
    pause: int = Field(1, ge=0, le=10_000, description="Rest between two deals", json_schema_extra={"unit": "bars"})
    exposure: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Share of the capital held when every order has bought",
        json_schema_extra={"unit": "fraction"},
    )


@dataclass(slots=True)
class DcaState:
    deal: int = 0
    """Number of the present deal: the generation of its rungs."""
    active: bool = False
    holding: bool = False
    wait: int = 0
    start: float = 0.0
    """Price of the first buy."""
    unit: float = 0.0
    """What the first buy may cost."""


def initial_state(parameters: DcaParameters) -> DcaState:
    return DcaState()


def first_cost(parameters: DcaParameters, capital: float) -> float:
    weight = 1.0
    total = 1.0
    for _ in range(parameters.steps):
        weight *= parameters.size_growth
        total += weight
    return parameters.exposure * max(capital, 0.0) / total


def bought(parameters: DcaParameters, ladder: Any) -> bool:
    total = 0.0
    for i in range(parameters.steps + 1):
        total += ladder[i].filled
    return total > 0.0


def clear(parameters: DcaParameters, ladder: Any) -> None:
    for i in range(parameters.steps + 3):
        ladder[i].kind = 0


def open_deal(parameters: DcaParameters, state: DcaState, close: float, capital: float, ladder: Any) -> None:
    state.deal += 1
    state.active = True
    state.holding = False
    state.start = close
    state.unit = first_cost(parameters, capital)
    for i in range(parameters.steps + 3):
        ladder[i].generation = state.deal
        ladder[i].quantity = 0.0
    rest_limit(ladder[0], BUY, close, state.unit / close)


def rest_safety_orders(parameters: DcaParameters, state: DcaState, ladder: Any) -> None:
    distance = 0.0
    gap = parameters.spacing
    cost = state.unit
    for i in range(1, parameters.steps + 1):
        distance += gap
        gap *= parameters.spacing_growth
        cost *= parameters.size_growth
        price = state.start * (1.0 - distance)
        if price > 0.0:
            rest_limit(ladder[i], BUY, price, cost / price)


def rest_exits(parameters: DcaParameters, holding: Holding, ladder: Any) -> None:
    profit = ladder[parameters.steps + 1]
    rest_limit(profit, SELL, holding.entry_price * (1.0 + parameters.take_profit), profit.filled + holding.quantity)
    if parameters.stop_loss > 0.0:
        stop = ladder[parameters.steps + 2]
        rest_limit(stop, SELL, holding.entry_price * (1.0 - parameters.stop_loss), stop.filled + holding.quantity)
        stop.kind = STOP
        stop.group = EXITS
        profit.group = EXITS


def step(parameters: DcaParameters, state: DcaState, candle: Candle, holding: Holding, ladder: Any) -> Decision:
    if state.active:
        sold = traded(ladder[parameters.steps + 1]) or traded(ladder[parameters.steps + 2])
        gone = state.holding and holding.quantity < NOTHING_SHARE * ladder[0].quantity
        if sold or gone:
            state.active = False
            state.wait = parameters.pause
            clear(parameters, ladder)
            return Decision(nan, CLOSED)
        state.holding = state.holding or bought(parameters, ladder)
        if not state.holding:
            # Nothing bought yet: it goes with the price.
            state.start = candle.close
            rest_limit(ladder[0], BUY, candle.close, state.unit / candle.close)
            return Decision(nan, OPENING)
        rest_safety_orders(parameters, state, ladder)
        rest_exits(parameters, holding, ladder)
        return Decision(nan, HOLDING)
    if state.wait > 0:
        state.wait -= 1
        return Decision(nan, WAITING)
    if holding.capital <= 0.0:
        return Decision(nan, WAITING)
    open_deal(parameters, state, candle.close, holding.capital, ladder)
    return Decision(nan, OPENING)


DCA = Strategy(
    name="dca",
    description="Averages down: buys a part, buys more the deeper the price falls, and sells everything a little above "
    "the average price paid; needs capital for the deepest fall it is to survive",
    parameters=DcaParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: 1,
    reasons=("warming_up", "opening", "holding", "closed", "waiting"),
    rungs=lambda parameters: parameters.steps + 3,
)

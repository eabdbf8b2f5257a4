"""Grid: buys a step lower, sells that purchase a step higher, again and again, on ``levels`` prices below an anchor.

Each rung of the ladder is one cell of the grid: a limit order that buys at the cell's lower edge, and once it has
traded one that sells what was bought at the upper edge. While nothing is held the grid follows the price; once
something is held it stays where it is. Invariant: a cell sells what it bought and no more, so the cells together never
sell more than is held.
"""

from dataclasses import dataclass
from math import nan
from typing import Any

from pydantic import Field

from algotrendy_core.bars import Candle
from algotrendy_core.strategies.interface import Decision, Holding, Parameters, Strategy
from algotrendy_core.strategies.rungs import BUY, NOTHING_SHARE, SELL, resized, rest_limit, traded

LAID = 1
WAITING = 2
HOLDING = 3
STOPPED = 4


class GridParameters(Parameters):
    levels: int = Field(6, ge=1, le=40, description="Prices at which it buys", json_schema_extra={"unit": "orders"})
    spacing: float = Field(
        0.004,
        gt=0,
        le=0.2,
        description="Distance from one price to the next; it must earn two fees",
        json_schema_extra={"unit": "fraction"},
    )
    recentre: float = Field(
        0.008,
        gt=0,
        le=1,
        description="Move of the price, while nothing is held, after which the grid is laid anew around it",
        json_schema_extra={"unit": "fraction"},
    )
    stop: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Fall below the lowest price at which everything is sold; 0 never sells at a loss",
        json_schema_extra={"unit": "fraction"},
    )
    exposure: float = Field(
        0.95,
        gt=0,
        le=1,
        description="Share of the capital held when every price has bought",
        json_schema_extra={"unit": "fraction"},
    )


@dataclass(slots=True)
class GridState:
    anchor: float = 0.0
    stopping: bool = False


def initial_state(parameters: GridParameters) -> GridState:
    return GridState()


def upper_edge(parameters: GridParameters, anchor: float, level: int) -> float:
    """Where the cell sells; its lower edge is that of the next level."""
    price = anchor
    for _ in range(level):
        price *= 1.0 - parameters.spacing
    return price


def empty(parameters: GridParameters, ladder: Any) -> bool:
    """No cell has bought anything that it has not sold."""
    busy = 0
    for i in range(parameters.levels):
        if ladder[i].side == SELL or ladder[i].filled > 0.0:
            busy += 1
    return busy == 0


def for_sale(parameters: GridParameters, ladder: Any) -> float:
    """What the selling cells have yet to sell."""
    total = 0.0
    for i in range(parameters.levels):
        if ladder[i].side == SELL:
            total += ladder[i].quantity - ladder[i].filled
    return total


def turn_over(parameters: GridParameters, state: GridState, close: float, holding: Holding, ladder: Any) -> int:
    """Cells that have bought sell, cells that have sold buy; how many sell now.

    What ``filled`` says of a cell that was turned over belongs to its former generation, until the next step.
    """
    selling = 0
    free = holding.quantity - for_sale(parameters, ladder)
    for i in range(parameters.levels):
        rung = ladder[i]
        upper = upper_edge(parameters, state.anchor, i)
        if rung.side == SELL:
            # Sold, or gone without us: a stop of the gateway or a person closed the position.
            if traded(rung) or holding.quantity < NOTHING_SHARE * rung.quantity:
                rung.side = BUY
                rung.quantity = 0.0
                rung.generation += 1
            else:
                selling += 1
        elif rung.filled > 0.0 and (traded(rung) or state.stopping or close >= upper):
            quantity = min(rung.filled, free)
            rung.generation += 1
            rung.quantity = 0.0
            if quantity > 0.0:
                free -= quantity
                selling += 1
                rest_limit(rung, SELL, upper, quantity)
    return selling


def step(parameters: GridParameters, state: GridState, candle: Candle, holding: Holding, ladder: Any) -> Decision:
    close = candle.close
    fresh = state.anchor == 0.0
    lowest = upper_edge(parameters, state.anchor, parameters.levels)
    if parameters.stop > 0.0 and holding.quantity > 0.0 and close < lowest * (1.0 - parameters.stop):
        state.stopping = True
    was_empty = empty(parameters, ladder)
    selling = turn_over(parameters, state, close, holding, ladder)
    if state.stopping and selling == 0:
        state.stopping = False
        state.anchor = close
    laid = fresh or (was_empty and abs(close / state.anchor - 1.0) > parameters.recentre)
    if laid:
        state.anchor = close
    cell = parameters.exposure * max(holding.capital, 0.0) / parameters.levels
    for i in range(parameters.levels):
        rung = ladder[i]
        if rung.side == SELL:
            # Below the market: sold at whatever it gives.
            price = close * (1.0 - parameters.spacing) if state.stopping else upper_edge(parameters, state.anchor, i)
            rest_limit(rung, SELL, price, rung.quantity)
            continue
        if rung.kind == 0 and not state.stopping:
            rung.generation += 1  # what was taken away never comes back as the same
        price = upper_edge(parameters, state.anchor, i + 1)
        rest_limit(rung, BUY, price, resized(rung.quantity, cell / price))
        if state.stopping:
            rung.kind = 0
    if state.stopping:
        return Decision(nan, STOPPED)
    if laid:
        return Decision(nan, LAID)
    return Decision(nan, HOLDING if holding.quantity > 0.0 else WAITING)


GRID = Strategy(
    name="grid",
    description="Earns from moving sideways: limit orders buy at evenly spaced prices below the market and sell each "
    "purchase one step higher; loses in a lasting fall, so it has a stop",
    parameters=GridParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: 1,
    reasons=("warming_up", "laid", "waiting", "holding", "stopped"),
    rungs=lambda parameters: parameters.levels,
)

"""What the ladders of several strategies are made of.

Invariant: plain functions over one ``Rung``; compiled, the same over a record.
"""

from typing import Any

from algotrendy_core.strategies.interface import LIMIT

TRADED_SHARE = 0.9
"""Venues take quantities in steps and fees in base: what is left over may never trade, and is not waited for."""
RESIZED_SHARE = 0.1
"""A resting entry is resized when the capital asks for more than this difference: less is not worth its place in the
queue."""

NOTHING_SHARE = 0.01
"""Of a rung's quantity: to hold less is to hold nothing, whoever sold it."""

BUY = 1
SELL = -1


def traded(rung: Any) -> bool:
    """Its present generation has been filled, as far as it can be."""
    return bool(rung.generation > 0 and rung.quantity > 0.0 and rung.filled >= TRADED_SHARE * rung.quantity)


def rest_limit(rung: Any, side: int, price: float, quantity: float) -> None:
    """Let it be a limit order of the present generation."""
    rung.kind = LIMIT
    rung.side = side
    rung.price = price
    rung.quantity = quantity


def resized(now: float, wanted: float) -> float:
    """``wanted`` where it differs enough from ``now``; without capital nothing is wanted, and nothing moves."""
    if wanted > 0.0 and abs(wanted - now) > RESIZED_SHARE * wanted:
        return wanted
    return now

"""Ichimoku: conversion and base line, the cloud over this bar, and the lagging span against the price it is drawn on.

Invariant: no look-ahead. The cloud over a bar is what was drawn ``displacement`` bars ahead that many bars ago. The
lagging span, the close drawn ``displacement`` bars back, is given as its distance from the close there: above zero it
lies over the price.
"""

from dataclasses import dataclass, field
from math import nan
from typing import NamedTuple

from algotrendy_core.indicators.extremes import ExtremeState, extreme_state, highest, lowest
from algotrendy_core.kernels import ring


class Ichimoku(NamedTuple):
    conversion: float
    base: float
    span_a: float
    span_b: float
    lagging: float


@dataclass(slots=True)
class IchimokuState:
    displacement: int
    conversion_high: ExtremeState
    conversion_low: ExtremeState
    base_high: ExtremeState
    base_low: ExtremeState
    span_high: ExtremeState
    span_low: ExtremeState
    index: int = 0
    count: int = 0
    spans_a: list[float] = field(default_factory=list)
    spans_b: list[float] = field(default_factory=list)
    closes: list[float] = field(default_factory=list)


def ichimoku_state(conversion: int = 9, base: int = 26, span: int = 52, displacement: int = 26) -> IchimokuState:
    """All in bars, at least 1."""
    return IchimokuState(
        displacement,
        extreme_state(conversion),
        extreme_state(conversion),
        extreme_state(base),
        extreme_state(base),
        extreme_state(span),
        extreme_state(span),
        spans_a=ring(displacement),
        spans_b=ring(displacement),
        closes=ring(displacement),
    )


def ichimoku(state: IchimokuState, high: float, low: float, close: float) -> Ichimoku:
    """Each line is warm by itself: the last of them, the cloud, after ``span`` + ``displacement`` bars."""
    conversion = (highest(state.conversion_high, high) + lowest(state.conversion_low, low)) / 2.0
    base = (highest(state.base_high, high) + lowest(state.base_low, low)) / 2.0
    middle = (highest(state.span_high, high) + lowest(state.span_low, low)) / 2.0
    at = state.index
    span_a = nan
    span_b = nan
    lagging = nan
    if state.count == state.displacement:
        span_a = state.spans_a[at]
        span_b = state.spans_b[at]
        lagging = close - state.closes[at]
    else:
        state.count += 1
    state.spans_a[at] = (conversion + base) / 2.0
    state.spans_b[at] = middle
    state.closes[at] = close
    state.index += 1
    if state.index == state.displacement:
        state.index = 0
    return Ichimoku(conversion, base, span_a, span_b, lagging)

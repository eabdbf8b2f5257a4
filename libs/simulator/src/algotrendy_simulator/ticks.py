"""Trades made inside a recorded candle by the *anchored walk*, so that they reproduce it exactly.

The walk: a rising candle (close >= open) goes open, low, high, close, a falling one open, high, low, close; between
these anchors prices are drawn on the line to the next anchor with noise that stays inside the candle. The volume is
cut at random places into as many positive lots. The taker buys where the price rose and sells where it fell.

Invariant: first price = open, last = close, greatest = high, least = low, quantities sum to the volume; the same
candle and seed give the same ticks.
"""

from dataclasses import dataclass
from decimal import Decimal
from random import Random

from algotrendy_common.enums import Side

MINUTE_MS = 60_000
NOISE = 0.15
"""Standard deviation of a price around the line between two anchors, as a fraction of the candle's range."""


@dataclass(frozen=True, slots=True)
class Candle:
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Tick:
    """A trade to play, ``offset_ms`` after the minute's start; ``side`` is the taker's."""

    offset_ms: int
    price: Decimal
    quantity: Decimal
    side: Side


def ticks_of_candle(
    candle: Candle, seed: str, price_step: Decimal, quantity_step: Decimal, most: int
) -> tuple[Tick, ...]:
    """At most ``most`` ticks, ascending in time; fewer where the volume has fewer lots.

    Raises ValueError where the candle contradicts itself, is off the grid, or has fewer lots than distinct anchors.
    """
    low, high = _steps(candle.low, price_step), _steps(candle.high, price_step)
    lots = _steps(candle.volume, quantity_step)
    anchors = _anchors(candle, price_step)
    if not all(low <= price <= high for price in anchors):
        raise ValueError("the candle's open or close lies outside its range")
    if not lots:
        return ()
    if lots < len(anchors):
        raise ValueError("the candle's volume has too few lots to visit its four prices")
    random = Random(seed)
    count = min(max(most, len(anchors)), lots)
    prices = _walk(random, anchors, count, low, high)
    quantities = _cut(random, lots, count)
    offsets = sorted(random.sample(range(MINUTE_MS), count))
    ticks = []
    side = Side.BUY if random.random() < 0.5 else Side.SELL
    previous = prices[0]
    for offset, price, quantity in zip(offsets, prices, quantities, strict=True):
        if price != previous:
            side = Side.BUY if price > previous else Side.SELL
        elif random.random() < 0.3:
            side = side.opposite
        ticks.append(Tick(offset, price * price_step, quantity * quantity_step, side))
        previous = price
    return tuple(ticks)


def _steps(value: Decimal, step: Decimal) -> int:
    count, rest = divmod(value, step)
    if rest:
        raise ValueError(f"{value} is no multiple of {step}")
    return int(count)


def _anchors(candle: Candle, price_step: Decimal) -> list[int]:
    """Open, the two extremes and close in steps, each once where neighbours are equal."""
    middle = (candle.low, candle.high) if candle.close >= candle.open else (candle.high, candle.low)
    anchors: list[int] = []
    for price in (candle.open, *middle, candle.close):
        steps = _steps(price, price_step)
        if not anchors or anchors[-1] != steps:
            anchors.append(steps)
    return anchors


def _walk(random: Random, anchors: list[int], count: int, low: int, high: int) -> list[int]:
    if len(anchors) == 1:
        return anchors * count
    places = [0, *sorted(random.sample(range(1, count - 1), len(anchors) - 2)), count - 1]
    prices = [anchors[0]]
    for start, end, here, there in zip(places, places[1:], anchors, anchors[1:], strict=False):
        for place in range(start + 1, end):
            line = here + (there - here) * (place - start) / (end - start)
            prices.append(min(max(round(random.gauss(line, NOISE * (high - low))), low), high))
        prices.append(there)
    return prices


def _cut(random: Random, lots: int, count: int) -> list[int]:
    """``lots`` as a sum of ``count`` positive numbers, unequal as trades are."""
    weights = [random.expovariate(1) for _ in range(count)]
    scale = (lots - count) / sum(weights)
    parts = [1 + int(weight * scale) for weight in weights]
    parts[random.randrange(count)] += lots - sum(parts)
    return parts

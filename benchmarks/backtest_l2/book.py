"""A seeded book that stays possible: five levels a side, trades at the best, and a middle that wanders.

Events are at odd milliseconds, so that no look and no order, which come at even ones, meets one at the same time.
"""

import numpy as np
from algotrendy_core.backtest.book_events import LEVEL, TRADE, BookEvents

STEP = 0.5
_DEPTH = 5


def synthetic(count: int) -> BookEvents:
    rng = np.random.default_rng(11)
    choices, sides = rng.random(count).tolist(), rng.integers(0, 2, count).tolist()
    places, sizes = rng.integers(0, _DEPTH, count).tolist(), (rng.integers(1, 60, count) / 10).tolist()
    middle, now = 4000, 100_000
    bids, asks = {}, {}
    rows: list[tuple[int, int, int, int, float]] = []

    def level(side: int, tick: int, quantity: float) -> None:
        nonlocal now
        book = bids if side == 1 else asks
        if quantity > 0:
            book[tick] = quantity
        else:
            book.pop(tick, None)
        rows.append((now + 1, LEVEL, side, tick, quantity))
        now += 2

    for place in range(_DEPTH):
        level(1, middle - 1 - place, 3.0)
        level(-1, middle + place, 3.0)
    for choice, bought, place, size in zip(choices, sides, places, sizes, strict=True):
        if len(rows) >= count:
            break
        side = 1 if bought else -1
        if choice < 0.25:  # a trade at the best, and the level as it is afterwards
            book, tick = (asks, middle) if side == 1 else (bids, middle - 1)
            quantity = round(min(size, book[tick] - 0.1), 1)
            if quantity > 0:
                rows.append((now + 1, TRADE, side, tick, quantity))
                now += 2
                level(-side, tick, round(book[tick] - quantity, 1))
        elif choice < 0.30 and side == 1:
            level(-1, middle, 0.0)
            level(1, middle, size)
            level(1, middle - _DEPTH, 0.0)
            middle += 1
            level(-1, middle + _DEPTH - 1, 2.0)
        elif choice < 0.30:
            level(1, middle - 1, 0.0)
            level(-1, middle - 1, size)
            level(-1, middle + _DEPTH - 1, 0.0)
            middle -= 1
            level(1, middle - _DEPTH, 2.0)
        else:
            level(side, middle - 1 - place if side == 1 else middle + place, size)
            now += 10 * place
    time, kind, sign, tick, quantity = (np.array(column) for column in zip(*rows[:count], strict=True))
    return BookEvents(time, kind, sign, tick * STEP, quantity.astype(float))

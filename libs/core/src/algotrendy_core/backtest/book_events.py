"""Recorded books: level updates, best quotes and trades in the order in which the venue made them.

Invariant: events are in order and on the price grid, or refused; the hash names their content exactly.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core.backtest.events import hash_of
from algotrendy_core.kernels import Floats

LEVEL = 1
"""What stands at a price from now on, in all; 0 is nothing."""
TRADE = 2
"""``side`` is that of whoever took: +1 bought."""
QUOTE = 3
"""The best price of a side and what stands there: nothing stands at a better one."""
CLEAR = 4
"""Nothing stands on this side: a new snapshot begins."""


@dataclass(frozen=True, eq=False)
class BookEvents:
    """Arrays of shape (n,): time (ms since the epoch, the venue's), kind, side (+1 bid or bought), price, quantity."""

    time: NDArray[np.int64]
    kind: NDArray[np.int64]
    side: NDArray[np.int64]
    price: Floats
    quantity: Floats

    def __len__(self) -> int:
        return len(self.time)

    @cached_property
    def hash(self) -> str:
        return hash_of("book", self.time, self.kind, self.side, self.price, self.quantity)

    @cached_property
    def checked(self) -> dict[float, tuple[NDArray[np.int64], int, int]]:
        """What ``ticks_of`` found, by price step: many runs are made over the same events."""
        return {}


def ticks_of(events: BookEvents, price_step: float) -> tuple[NDArray[np.int64], int, int]:
    """Prices in steps from the lowest; that lowest, and how many steps there are. Worked out once.

    Raises Refused for time going back, a price off the grid and a quantity that cannot be.
    """
    if price_step in events.checked:
        return events.checked[price_step]
    if not len(events):
        raise Refused("no_events", "there are no book events to run on")
    steps: NDArray[Any] = events.price / price_step
    ticks = np.rint(steps).astype(np.int64)
    faults = {
        "time goes back": np.concatenate(([False], np.diff(events.time) < 0)),
        "the price is not on the grid": (np.abs(steps - ticks) > 1e-6) | ~((ticks > 0) | (events.kind == CLEAR)),
        "the quantity is not a number of zero or more": ~(np.isfinite(events.quantity) & (events.quantity >= 0)),
        "the kind or side is unknown": ~np.isin(events.kind, (LEVEL, TRADE, QUOTE, CLEAR)) | (abs(events.side) != 1),
    }
    for fault, where in faults.items():
        if where.any():
            raise Refused("events_invalid", fault, event=int(where.argmax()), events_affected=int(where.sum()))
    lowest = int(ticks[events.kind != CLEAR].min()) if (events.kind != CLEAR).any() else 0
    ticks = np.where(events.kind == CLEAR, 0, ticks - lowest)
    events.checked[price_step] = (ticks, lowest, int(ticks.max()) + 1)
    return events.checked[price_step]

"""Is a live trade's price believable?

A price far from the newest ones is set aside until others say the same: a slip stays alone, a crash does not.
Invariant: every trade given leaves exactly once, passed on or set aside; what was set aside and proved right is given
back, in order, before the trade that proved it.
"""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Protocol

FAR = Decimal("0.2")
_NEWEST = 21
_AGREEING = 3
"""So many in a row that are near each other are a move of the market."""


class Priced(Protocol):
    @property
    def price(self) -> Decimal: ...


@dataclass(frozen=True, slots=True)
class Judged[T: Priced]:
    passed: tuple[T, ...]
    set_aside: T | None
    reason: str | None
    restored: tuple[T, ...] = ()
    """Those of ``passed`` that had been set aside."""


class TickScreen[T: Priced]:
    """One instrument's trades, one after the other."""

    def __init__(self, far: Decimal = FAR) -> None:
        self._far = far
        self._newest: deque[Decimal] = deque(maxlen=_NEWEST)
        self._aside: list[T] = []

    def judge(self, tick: T) -> Judged[T]:
        # The median costs a sort, so it is asked only where the last price does not vouch for this one.
        if not self._newest or self._near(tick.price, self._newest[-1]):
            self._aside.clear()  # they stay set aside: the market went on without them
            self._newest.append(tick.price)
            return Judged((tick,), None, None)
        usual = median(self._newest)
        if self._near(tick.price, usual):
            self._newest.append(tick.price)
            return Judged((tick,), None, None)
        if self._aside and not self._near(tick.price, self._aside[-1].price):
            self._aside.clear()
        if len(self._aside) + 1 >= _AGREEING:
            restored = tuple(self._aside)
            self._aside.clear()
            self._newest.clear()
            self._newest.extend(each.price for each in (*restored, tick))
            return Judged((*restored, tick), None, None, restored)
        self._aside.append(tick)
        return Judged((), tick, f"price {tick.price} is {tick.price / usual - 1:+.1%} off the newest, {usual}")

    def _near(self, price: Decimal, other: Decimal) -> bool:
        return abs(price - other) <= self._far * other

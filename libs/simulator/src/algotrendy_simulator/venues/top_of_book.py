"""The best levels of a book as a stream's readers hold them, and what a look at the book changes of that.

Invariant: whoever was given ``held`` and applies every ``changes`` after it holds the best ``depth`` levels as of the
last look. A level that falls out of the depth is told as gone, with a quantity of zero.
"""

from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO

from algotrendy_simulator.market import Market

type Levels = dict[Side, dict[Decimal, Decimal]]
SIDES = (Side.BUY, Side.SELL)


class TopOfBook:
    def __init__(self, market: Market, depth: int) -> None:
        self._book = market.engine.book
        self._depth = depth
        self.sequence = self._book.sequence
        self.held = self._look()

    def changes(self) -> Levels | None:
        """Since the last look; None where nothing that shows has changed."""
        if self._book.sequence == self.sequence:
            return None
        self.sequence = self._book.sequence
        before, self.held = self.held, self._look()
        changed = {side: _difference(before[side], self.held[side]) for side in SIDES}
        return changed if any(changed.values()) else None

    def _look(self) -> Levels:
        return {side: dict(self._book.levels(side, self._depth)) for side in SIDES}


def best_first(held: dict[Decimal, Decimal], side: Side) -> list[tuple[Decimal, Decimal]]:
    return [(price, held[price]) for price in sorted(held, reverse=side is Side.BUY)]


def _difference(before: dict[Decimal, Decimal], after: dict[Decimal, Decimal]) -> dict[Decimal, Decimal]:
    changed = {price: quantity for price, quantity in after.items() if before.get(price) != quantity}
    return changed | dict.fromkeys(before.keys() - after.keys(), ZERO)

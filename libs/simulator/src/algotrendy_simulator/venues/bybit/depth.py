"""The row of messages of one ``orderbook.<depth>.<symbol>`` topic: a snapshot for whoever joins, then what changes.

Invariant: ``u`` rises by one with each delta; a reader who applies the deltas to the snapshot it was given holds the
best ``depth`` levels as they were at the last one. A level that falls out of the depth is told as gone.
"""

from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.bybit.products import symbol_of
from algotrendy_simulator.venues.bybit.wire import Json, book_side

DEPTHS = (1, 50, 200, 1000)
SIDES = (("b", Side.BUY), ("a", Side.SELL))


class BookTopic:
    def __init__(self, market: Market, depth: int) -> None:
        self._market = market
        self._depth = depth
        self._update = 1
        self._sequence = market.engine.book.sequence
        self._held = self._look()

    def _look(self) -> dict[Side, dict[Decimal, Decimal]]:
        return {side: dict(self._market.engine.book.levels(side, self._depth)) for _, side in SIDES}

    def snapshot(self) -> Json:
        """As it was at the last delta, so that the next one follows it."""
        return self._data(self._held)

    def delta(self) -> Json | None:
        """What changed since the last one; None where nothing did."""
        book = self._market.engine.book
        if book.sequence == self._sequence:
            return None
        self._sequence = book.sequence
        now = self._look()
        changed = {side: _difference(self._held[side], now[side]) for _, side in SIDES}
        self._held = now
        if not any(changed.values()):
            return None
        self._update += 1
        return self._data(changed)

    def _data(self, levels: dict[Side, dict[Decimal, Decimal]]) -> Json:
        sides = {name: book_side(levels[side], side) for name, side in SIDES}
        return {"s": symbol_of(self._market), **sides, "u": self._update, "seq": self._sequence}


def _difference(before: dict[Decimal, Decimal], after: dict[Decimal, Decimal]) -> dict[Decimal, Decimal]:
    changed = {price: quantity for price, quantity in after.items() if before.get(price) != quantity}
    return changed | dict.fromkeys(before.keys() - after.keys(), ZERO)

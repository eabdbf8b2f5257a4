"""The row of depth messages of one symbol.

Invariant: each message begins at the last one's end plus one, and names every level that was touched since, with what
it holds now, even where that is what it held before: a snapshot taken in between may have shown something else.
"""

from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.binance.wire import SIDES, Json, levels


class DepthRow:
    def __init__(self, market: Market) -> None:
        self._market = market
        self._told = market.engine.book.sequence
        self._held = {side: market.engine.book.totals(side) for side in SIDES}
        self._touched: dict[Side, set[Decimal]] = {side: set() for side in SIDES}

    def note(self) -> None:
        """Look at the book after a change."""
        for side in SIDES:
            before, after = self._held[side], self._market.engine.book.totals(side)
            self._touched[side].update(price for price, quantity in after.items() if before.get(price) != quantity)
            self._touched[side].update(before.keys() - after.keys())
            self._held[side] = after

    def next_message(self, time_ms: int) -> Json | None:
        """What changed since the last message; None where nothing did."""
        book = self._market.engine.book
        if book.sequence == self._told:
            return None
        bids, asks = (
            levels((price, held.get(price, ZERO)) for price in sorted(touched, reverse=side is Side.BUY))
            for side, held, touched in ((side, self._held[side], self._touched[side]) for side in SIDES)
        )
        message = {
            "e": "depthUpdate",
            "E": time_ms,
            "s": self._market.wire_symbol,
            "U": self._told + 1,
            "u": book.sequence,
            "b": bids,
            "a": asks,
        }
        self._told = book.sequence
        for touched in self._touched.values():
            touched.clear()
        return message


def partial_depth(market: Market, depth: int) -> Json:
    """The best levels as they are."""
    book = market.engine.book
    bids, asks = (levels(book.levels(side, depth)) for side in SIDES)
    return {"lastUpdateId": book.sequence, "bids": bids, "asks": asks}

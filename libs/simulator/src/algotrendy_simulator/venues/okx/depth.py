"""The row of messages of one instrument's ``books`` channel: a snapshot for whoever joins, then what changes.

Invariant: ``prevSeqId`` of an update is ``seqId`` of the one before; a reader who applies the updates to the snapshot
it was given holds the best levels as they were at the last one, and the checksum is of the book after the update.
"""

from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO, plain

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.okx.products import size
from algotrendy_simulator.venues.okx.wire import Json, checksum

DEPTH = 400
SIDES = (("asks", Side.SELL), ("bids", Side.BUY))


class BookChannel:
    def __init__(self, market: Market) -> None:
        self._market = market
        self._sequence = market.engine.book.sequence
        self._held = self._look()

    def snapshot(self, time_ms: int) -> Json:
        """As it was at the last update, so that the next one follows it."""
        return self._data(self._held, -1, time_ms)

    def update(self, time_ms: int) -> Json | None:
        """What changed since the last one; None where nothing did."""
        before = self._sequence
        if self._market.engine.book.sequence == before:
            return None
        now = self._look()
        changed = {side: _difference(self._held[side], now[side]) for _, side in SIDES}
        self._sequence, self._held = self._market.engine.book.sequence, now
        return self._data(changed, before, time_ms)

    def _look(self) -> dict[Side, dict[Decimal, Decimal]]:
        return {side: dict(self._market.engine.book.levels(side, DEPTH)) for _, side in SIDES}

    def _data(self, levels: dict[Side, dict[Decimal, Decimal]], previous: int, time_ms: int) -> Json:
        shown: Json = {name: self._side(levels[side], side) for name, side in SIDES}
        whole = {side: self._side(self._held[side], side) for _, side in SIDES}
        return shown | {
            "ts": str(time_ms),
            "checksum": checksum(whole[Side.BUY], whole[Side.SELL]),
            "prevSeqId": previous,
            "seqId": self._sequence,
        }

    def _side(self, held: dict[Decimal, Decimal], side: Side) -> list[list[str]]:
        """Best first; a size of zero removes the level."""
        prices = sorted(held, reverse=side is Side.BUY)
        return [[plain(price), plain(size(self._market, held[price])), "0", "1"] for price in prices]


def _difference(before: dict[Decimal, Decimal], after: dict[Decimal, Decimal]) -> dict[Decimal, Decimal]:
    changed = {price: quantity for price, quantity in after.items() if before.get(price) != quantity}
    return changed | dict.fromkeys(before.keys() - after.keys(), ZERO)

"""A pair's book as a depth of it is told on the WebSocket, with its checksum.

Source: Kraken documentation, "Book checksum (WebSocket v2)". Invariant: whoever takes the snapshot and then every
update, cutting its book to the depth, has the levels held here, and their checksum.
"""

import zlib
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.kraken.identity import ws_name
from algotrendy_simulator.venues.kraken.wire import Json, instant, price_decimals, volume_decimals

DEPTHS = (10, 25, 100, 500, 1000)
_CHECKED = 10
_SIDES = ((Side.BUY, "bids"), (Side.SELL, "asks"))


class DepthView:
    def __init__(self, market: Market, depth: int) -> None:
        self._market = market
        self._depth = depth
        self._steps = (Decimal(1).scaleb(-price_decimals(market)), Decimal(1).scaleb(-volume_decimals(market)))
        self._sequence = market.engine.book.sequence
        self._held = self._now()

    def snapshot(self) -> Json:
        """As it was last told, so that updates fit behind it."""
        sides = {name: [self._level(*level) for level in self._held[side].items()] for side, name in _SIDES}
        return {"symbol": ws_name(self._market), **sides, "checksum": self.checksum()}

    def update(self, time_ms: int) -> Json | None:
        """What has changed since; None where nothing has."""
        if self._market.engine.book.sequence == self._sequence:
            return None
        self._sequence = self._market.engine.book.sequence
        before, self._held = self._held, self._now()
        changed = {name: self._changed(side, before[side]) for side, name in _SIDES}
        if not any(changed.values()):
            return None
        return {
            "symbol": ws_name(self._market),
            **changed,
            "checksum": self.checksum(),
            "timestamp": instant(time_ms),
        }

    def checksum(self) -> int:
        text = "".join(
            _digits(part)
            for side in (Side.SELL, Side.BUY)
            for price, quantity in list(self._held[side].items())[:_CHECKED]
            for part in self._written(price, quantity)
        )
        return zlib.crc32(text.encode())

    def _changed(self, side: Side, before: dict[Decimal, Decimal]) -> list[Json]:
        now, whole = self._held[side], self._market.engine.book.totals(side)
        gone = [self._level(price, ZERO) for price in before if price not in now and price not in whole]
        return gone + [self._level(*level) for level in now.items() if before.get(level[0]) != level[1]]

    def _now(self) -> dict[Side, dict[Decimal, Decimal]]:
        book = self._market.engine.book
        return {side: dict(book.levels(side, self._depth)) for side, _ in _SIDES}

    def _level(self, price: Decimal, quantity: Decimal) -> Json:
        written = self._written(price, quantity)
        return {"price": written[0], "qty": written[1]}

    def _written(self, price: Decimal, quantity: Decimal) -> tuple[Decimal, Decimal]:
        """With all the decimals of the pair, as its checksum has them."""
        price_step, quantity_step = self._steps
        return price.quantize(price_step), quantity.quantize(quantity_step)


def _digits(number: Decimal) -> str:
    return format(number, "f").replace(".", "").lstrip("0")

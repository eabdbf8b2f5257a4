"""A live market as paper orders meet it: the newest levels of both sides, taken from by our own orders until they are
seen anew, and the last price.

Invariant: what a paper order took is not offered to the next one before the feed has shown that level again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO
from algotrendy_core.instruments import Instrument
from algotrendy_core.matching import Matched, MatchingEngine, NewOrder, OrderRefused, Trade
from algotrendy_core.order_book import OrderBook, RestingOrder

_CROWD = "crowd"


@dataclass(slots=True)
class PaperMarket:
    instrument: Instrument
    last_price: Decimal | None = None
    seen_at: datetime | None = None
    """When the feed last showed a price to trade at."""
    _engine: MatchingEngine = field(default_factory=MatchingEngine)

    def show_book(
        self, bids: Iterable[tuple[Decimal, Decimal]], asks: Iterable[tuple[Decimal, Decimal]], now: datetime
    ) -> None:
        """Replace what is offered by a snapshot of the book."""
        self._replace({Side.BUY: tuple(bids), Side.SELL: tuple(asks)})
        self.seen_at = now

    def show_quote(self, bid: tuple[Decimal, Decimal], ask: tuple[Decimal, Decimal], now: datetime) -> None:
        """Move what is offered to the newest best prices; levels behind them stay as the book last showed them."""
        sides = {}
        for side, (price, quantity) in ((Side.BUY, bid), (Side.SELL, ask)):
            behind = [level for level in self._engine.book.levels(side) if (price - level[0]) * side.sign > ZERO]
            sides[side] = ((price, quantity), *behind) if quantity > ZERO else tuple(behind)
        self._replace(sides)
        self.seen_at = now

    def take(self, order: NewOrder, now: datetime) -> tuple[Trade, ...] | OrderRefused:
        """Match against what is offered; nothing of the order stays in this book."""
        match self._engine.submit(order, now):
            case Matched(trades, _, rests):
                if rests:
                    self._engine.cancel(order.order_id)
                return trades
            case OrderRefused() as refused:
                return refused

    def cost(self, side: Side, quantity: Decimal) -> Decimal | None:
        """Quote value of taking ``quantity`` now, or of what there is of it; None where nothing is offered."""
        left, value = quantity, ZERO
        for price, offered in self._engine.walk(side):
            part = min(left, offered)
            value, left = value + part * price, left - part
            if not left:
                break
        return value if left < quantity else None

    def best(self, side: Side) -> Decimal | None:
        return self._engine.book.best(side)

    def _replace(self, sides: dict[Side, tuple[tuple[Decimal, Decimal], ...]]) -> None:
        book = OrderBook()
        best_bid = max((price for price, _ in sides[Side.BUY]), default=ZERO)
        for side, levels in sides.items():
            for price, quantity in levels:
                # A quote may have walked into the other side's older levels: those are gone.
                if quantity > ZERO and (side is Side.BUY or price > best_bid):
                    book.add(RestingOrder(f"{side.value}-{price}", _CROWD, side, price, quantity))
        self._engine = MatchingEngine(book, self._engine.last_sequence)

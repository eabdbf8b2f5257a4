"""The row of messages of one ``orderbook.<depth>.<symbol>`` topic: a snapshot for whoever joins, then what changes.

Invariant: ``u`` rises by one with each delta, and a snapshot is the state that the next delta follows.
"""

from algotrendy_common.enums import Side

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.bybit.products import symbol_of
from algotrendy_simulator.venues.bybit.wire import Json, levels
from algotrendy_simulator.venues.top_of_book import Levels, TopOfBook, best_first

DEPTHS = (1, 50, 200, 1000)
SIDES = (("b", Side.BUY), ("a", Side.SELL))


class BookTopic:
    def __init__(self, market: Market, depth: int) -> None:
        self._symbol = symbol_of(market)
        self._top = TopOfBook(market, depth)
        self._update = 1

    def snapshot(self) -> Json:
        return self._data(self._top.held)

    def delta(self) -> Json | None:
        """What changed since the last one; None where nothing did."""
        changed = self._top.changes()
        if changed is None:
            return None
        self._update += 1
        return self._data(changed)

    def _data(self, shown: Levels) -> Json:
        sides = {name: levels(best_first(shown[side], side)) for name, side in SIDES}
        return {"s": self._symbol, **sides, "u": self._update, "seq": self._top.sequence}

"""Bybit's names: a category and a symbol, for instance ``linear`` ``BTCUSDT`` beside ``spot`` ``BTCUSDT``.

Invariant: each market of the simulation has one category and within it one symbol; the reverse holds as well.
"""

from algotrendy_core.instruments import InstrumentKind

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.bybit.refusals import SPOT, BybitError, invalid

LINEAR = "linear"
CATEGORIES = (SPOT, LINEAR, "inverse", "option")
"""The last two exist and list nothing here."""


def category_of(market: Market) -> str:
    return LINEAR if market.instrument.kind is InstrumentKind.PERPETUAL else SPOT


def symbol_of(market: Market) -> str:
    return f"{market.instrument.base}{market.instrument.quote}"


class Products:
    def __init__(self, markets: dict[str, Market]) -> None:
        self._of_engine = markets
        self._markets = {(category_of(market), symbol_of(market)): market for market in markets.values()}

    def market(self, category: str, symbol: str) -> Market:
        found = self._markets.get((category, symbol))
        if found is None:
            raise BybitError(170121, "Invalid symbol.") if category == SPOT else invalid("symbol invalid")
        return found

    def find(self, category: str, symbol: str) -> Market | None:
        return self._markets.get((category, symbol))

    def all(self, category: str) -> list[Market]:
        return [market for (of, _), market in self._markets.items() if of == category]

    def of_engine(self, symbol: str) -> Market:
        """By the exchange's own key."""
        return self._of_engine[symbol]

"""OKX's names: ``BTC-USDT`` is spot, ``BTC-USDT-SWAP`` the perpetual, whose sizes are contracts.

Invariant: each market of the simulation has one ``instId`` and the reverse; a size on the wire times the contract's
value is base.
"""

from decimal import Decimal

from algotrendy_core.instruments import InstrumentKind

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.okx.refusals import no_such_instrument, parameter

SPOT = "SPOT"
SWAP = "SWAP"
KINDS = (SPOT, SWAP, "MARGIN", "FUTURES", "OPTION", "EVENTS")
"""The last four exist and list nothing here."""


def kind_of(market: Market) -> str:
    return SWAP if market.instrument.kind is InstrumentKind.PERPETUAL else SPOT


def id_of(market: Market) -> str:
    swap = kind_of(market) == SWAP
    return f"{market.instrument.base}-{market.instrument.quote}{'-SWAP' if swap else ''}"


def contract_value(market: Market) -> Decimal:
    """Base in one unit of size: one on spot."""
    return market.instrument.contract_size if kind_of(market) == SWAP else Decimal(1)


def size(market: Market, quantity: Decimal) -> Decimal:
    """A quantity in base as the wire has it."""
    return quantity / contract_value(market)


class Products:
    def __init__(self, markets: dict[str, Market]) -> None:
        self._of_engine = markets
        self._markets = {id_of(market): market for market in markets.values()}

    def market(self, name: str) -> Market:
        found = self._markets.get(name)
        if found is None:
            raise no_such_instrument()
        return found

    def find(self, name: object) -> Market | None:
        return self._markets.get(str(name))

    def all(self, kind: str | None = None) -> list[Market]:
        if kind is not None and kind not in KINDS:
            raise parameter("instType")
        return [market for market in self._markets.values() if kind is None or kind_of(market) == kind]

    def of_engine(self, symbol: str) -> Market:
        """By the exchange's own key."""
        return self._of_engine[symbol]

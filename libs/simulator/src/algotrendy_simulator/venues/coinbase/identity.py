"""Coinbase's names for what the exchange numbers: products, and UUIDs for orders, fills and accounts.

Invariant: an id is made from the exchange's own number alone, so it is the same after a restart, and an order's leads
back to its number.
"""

import hashlib
import re
from uuid import NAMESPACE_OID, UUID, uuid5

from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill

_ORDERS = 0x0C01_4BA5_E000_4000_8000_0000_0000_0000
_NUMBERS = (1 << 48) - 1


def order_uuid(order_id: int) -> str:
    return str(UUID(int=_ORDERS | order_id))


def order_number(text: str) -> int | None:
    """The exchange's number of an order's UUID; None where it is none of ours."""
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        return None
    found = UUID(text).int
    return found & _NUMBERS if found & ~_NUMBERS == _ORDERS else None


def trade_uuid(fill: Fill) -> str:
    """Both sides of a trade have the same one."""
    return str(uuid5(NAMESPACE_OID, f"{fill.symbol}/{fill.trade_id}"))


def entry_id(fill: Fill) -> str:
    """Each side of a trade has its own."""
    return hashlib.sha256(f"{fill.symbol}/{fill.trade_id}/{fill.order_id}".encode()).hexdigest()


def account_uuid(account: str, asset: str) -> str:
    return str(uuid5(NAMESPACE_OID, f"{account}/{asset}"))


def user_uuid(account: str) -> str:
    return str(uuid5(NAMESPACE_OID, account))


def product_id(market: Market) -> str:
    return f"{market.instrument.base}-{market.instrument.quote}"


class Products:
    def __init__(self, markets: dict[str, Market]) -> None:
        self._by_id = {product_id(market): market for market in markets.values()}
        self._ids = {market.wire_symbol: product_id(market) for market in markets.values()}

    def find(self, product: str) -> Market | None:
        return self._by_id.get(product)

    def id_of(self, symbol: str) -> str:
        """Of the exchange's own name of a market."""
        return self._ids[symbol]

    def all(self) -> list[Market]:
        return list(self._by_id.values())

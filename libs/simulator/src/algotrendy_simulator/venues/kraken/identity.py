"""Kraken's names: assets, pairs under three spellings, and ids of orders and trades in base 32.

``BTC`` is ``XXBT`` among balances, ``XBT`` in a pair's names and ``BTC`` on the WebSocket. Invariant: an id is made
from the exchange's own numbers alone, so it is the same after a restart, and an order's leads back to its number.
"""

import re
from functools import lru_cache

from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TAIL = 16
"""Digits after the letter that says what is named."""
_ORDERS = 37
"""Bits of an order's number within a trade's id."""
_ASSETS = {"BTC": ("XXBT", "XBT"), "LTC": ("XLTC", "LTC"), "ETH": ("XETH", "ETH"), "USD": ("ZUSD", "USD")}


def asset_id(asset: str) -> str:
    return _ASSETS.get(asset, (asset, asset))[0]


def asset_altname(asset: str) -> str:
    return _ASSETS.get(asset, (asset, asset))[1]


def pair_id(market: Market) -> str:
    return f"{asset_altname(market.instrument.base)}{asset_altname(market.instrument.quote)}"


def ws_name(market: Market) -> str:
    """As the second WebSocket has it; the first one's, ``XBT/USDT``, is a pair's ``wsname``."""
    return f"{market.instrument.base}/{market.instrument.quote}"


def order_txid(order_id: int) -> str:
    return _named("O", order_id)


def order_number(txid: str) -> int | None:
    """The exchange's number of an order's id; None where it is none of ours."""
    return _number("O", txid)


def trade_txid(fill: Fill) -> str:
    """Each side of a trade has its own, and it is unique over all pairs."""
    return _named("T", (fill.trade_id << _ORDERS) | fill.order_id)


def _named(kind: str, number: int) -> str:
    digits = "".join(_DIGITS[number >> 5 * place & 31] for place in reversed(range(_TAIL)))
    text = kind + digits
    return f"{text[:6]}-{text[6:11]}-{text[11:]}"


def _number(kind: str, txid: str) -> int | None:
    if not re.fullmatch(rf"{kind}[A-Z2-7]{{5}}-[A-Z2-7]{{5}}-[A-Z2-7]{{6}}", txid):
        return None
    number = 0
    for digit in txid.replace("-", "")[1:]:
        number = number << 5 | _DIGITS.index(digit)
    return number


@lru_cache(maxsize=64)
def decimals(step: str) -> int:
    """How many a step leaves."""
    return len(step.rstrip("0").partition(".")[2])


class Pairs:
    """Markets under every name that Kraken takes for them."""

    def __init__(self, markets: dict[str, Market]) -> None:
        self._markets = list(markets.values())
        self._by_name: dict[str, Market] = {}
        for market in self._markets:
            base, quote = market.instrument.base, market.instrument.quote
            names = (
                pair_id(market),
                f"{asset_altname(base)}/{asset_altname(quote)}",
                f"{asset_id(base)}{asset_id(quote)}",
            )
            self._by_name |= dict.fromkeys(names, market)
        self._by_ws_name = {ws_name(market): market for market in self._markets}
        self._by_symbol = markets

    def find(self, name: str) -> Market | None:
        return self._by_name.get(name)

    def find_ws(self, name: str) -> Market | None:
        return self._by_ws_name.get(name)

    def of_symbol(self, symbol: str) -> Market:
        """Of the exchange's own name of a market."""
        return self._by_symbol[symbol]

    def all(self) -> list[Market]:
        return self._markets

    def assets(self) -> list[str]:
        instruments = [market.instrument for market in self._markets]
        return sorted({asset for instrument in instruments for asset in (instrument.base, instrument.quote)})

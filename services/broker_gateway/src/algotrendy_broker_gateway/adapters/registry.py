"""The venues there are: one adapter each, imported when an account asks for it."""

import importlib
from collections.abc import Callable

from algotrendy_common.errors import InvariantBroken

from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.ports import Venue

ADAPTERS: dict[str, str] = {
    "binance": "algotrendy_broker_gateway.adapters.binance:BinanceVenue",
    "bybit": "algotrendy_broker_gateway.adapters.bybit:BybitVenue",
    "coinbase": "algotrendy_broker_gateway.adapters.coinbase:CoinbaseVenue",
    "cryptocom": "algotrendy_broker_gateway.adapters.cryptocom:CryptocomVenue",
    "kraken": "algotrendy_broker_gateway.adapters.kraken:KrakenVenue",
    "okx": "algotrendy_broker_gateway.adapters.okx:OkxVenue",
}


def open_venue(name: str, access: VenueAccess) -> Venue:
    """The adapter of a venue, not yet connected. Raises InvariantBroken for a venue there is no adapter of."""
    return adapter_of(name)(access)


def adapter_of(name: str) -> Callable[[VenueAccess], Venue]:
    """Imported now, which takes a second or more of a processor: before anything has to be renewed or answered.

    Raises as ``open_venue``.
    """
    try:
        module, _, attribute = ADAPTERS[name].partition(":")
    except KeyError as error:
        raise InvariantBroken(f"there is no adapter for {name}", known=", ".join(sorted(ADAPTERS))) from error
    found: Callable[[VenueAccess], Venue] = getattr(importlib.import_module(module), attribute)
    return found

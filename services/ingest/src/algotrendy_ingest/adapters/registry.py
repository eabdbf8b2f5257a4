"""The venues there are feeds of: one reader of its sockets and one of its REST each, imported when it is followed."""

import importlib
from dataclasses import dataclass
from typing import Any, cast

from algotrendy_common.errors import Refused

from algotrendy_ingest.wire.protocol import Line


@dataclass(frozen=True, slots=True)
class Adapter:
    line: str
    """``module:class`` of its ``Line``."""
    rest: str
    """``module:class`` of its ``CcxtRest``."""
    http: str
    """The venue's own addresses."""
    ws: str


ADAPTERS: dict[str, Adapter] = {
    "binance": Adapter(
        "algotrendy_ingest.wire.binance:BinanceLine",
        "algotrendy_ingest.adapters.binance:BinanceRest",
        "https://api.binance.com",
        "wss://stream.binance.com:9443",
    ),
    "bybit": Adapter(
        "algotrendy_ingest.wire.bybit:BybitLine",
        "algotrendy_ingest.adapters.bybit:BybitRest",
        "https://api.bybit.com",
        "wss://stream.bybit.com",
    ),
    "cryptocom": Adapter(
        "algotrendy_ingest.wire.cryptocom:CryptocomLine",
        "algotrendy_ingest.adapters.cryptocom:CryptocomRest",
        "https://api.crypto.com",
        "wss://stream.crypto.com",
    ),
    "okx": Adapter(
        "algotrendy_ingest.wire.okx:OkxLine",
        "algotrendy_ingest.adapters.okx:OkxRest",
        "https://www.okx.com",
        "wss://ws.okx.com:8443",
    ),
    "coinbase": Adapter(
        "algotrendy_ingest.wire.coinbase:CoinbaseLine",
        "algotrendy_ingest.adapters.coinbase:CoinbaseRest",
        "https://api.coinbase.com",
        "wss://advanced-trade-ws.coinbase.com",
    ),
    "kraken": Adapter(
        "algotrendy_ingest.wire.kraken:KrakenLine",
        "algotrendy_ingest.adapters.kraken:KrakenRest",
        "https://api.kraken.com",
        "wss://ws.kraken.com",
    ),
}


def loaded(path: str) -> Any:
    """The class that ``module:class`` names."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def line_class(venue: str) -> type[Line]:
    """Raises Refused where there is no such venue; Crypto.com may be written with a dot or an underscore."""
    name = venue.lower()
    adapter = ADAPTERS.get({"crypto_com": "cryptocom", "crypto.com": "cryptocom"}.get(name, name))
    if adapter is None:
        raise Refused("venue_unknown", f"there is no venue {venue}; there are: {', '.join(sorted(ADAPTERS))}")
    return cast(type[Line], loaded(adapter.line))

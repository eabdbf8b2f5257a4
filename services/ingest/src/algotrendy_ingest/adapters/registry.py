"""The venues there are feeds of: one reader of its sockets and one of its REST each, imported when it is followed."""

import importlib
from dataclasses import dataclass
from typing import Any


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

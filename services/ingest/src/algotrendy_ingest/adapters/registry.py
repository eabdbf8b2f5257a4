"""The venues there are feeds of: one adapter each, imported when it is followed."""

import importlib
from typing import Any

ADAPTERS: dict[str, str] = {
    "binance": "algotrendy_ingest.adapters.binance:BinanceFeed",
    "okx": "algotrendy_ingest.adapters.okx:OkxFeed",
}
ADDRESSES: dict[str, tuple[str, str]] = {
    "binance": ("https://api.binance.com", "wss://stream.binance.com:9443"),
    "okx": ("https://www.okx.com", "wss://ws.okx.com:8443"),
}
"""Their own, HTTP and WebSocket."""


def feed_class(venue: str) -> Any:
    """The class of a venue's adapter; its venue is one of ``ADAPTERS``."""
    module, _, attribute = ADAPTERS[venue].partition(":")
    return getattr(importlib.import_module(module), attribute)

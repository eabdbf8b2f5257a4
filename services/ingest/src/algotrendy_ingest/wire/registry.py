"""The venues whose public sockets can be read, each module imported when it is asked for."""

import importlib
from typing import cast

from algotrendy_common.errors import Refused

from algotrendy_ingest.wire.protocol import Line

LINES: dict[str, str] = {
    "binance": "algotrendy_ingest.wire.binance:BinanceLine",
    "bybit": "algotrendy_ingest.wire.bybit:BybitLine",
    "coinbase": "algotrendy_ingest.wire.coinbase:CoinbaseLine",
    "cryptocom": "algotrendy_ingest.wire.cryptocom:CryptocomLine",
    "kraken": "algotrendy_ingest.wire.kraken:KrakenLine",
    "okx": "algotrendy_ingest.wire.okx:OkxLine",
}


def line_class(venue: str) -> type[Line]:
    """Raises Refused where there is no such venue; Crypto.com may be written with a dot or an underscore."""
    name = venue.lower()
    path = LINES.get({"crypto_com": "cryptocom", "crypto.com": "cryptocom"}.get(name, name))
    if path is None:
        raise Refused("venue_unknown", f"there is no venue {venue}; there are: {', '.join(LINES)}")
    module, _, attribute = path.partition(":")
    return cast(type[Line], getattr(importlib.import_module(module), attribute))

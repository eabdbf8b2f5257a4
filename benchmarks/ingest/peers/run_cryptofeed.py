"""cryptofeed on recorded messages: its own handlers, with callbacks that do nothing. Runs in an environment of its own.

Arguments: venue, a file with one message a line (``kind``, ``url``, ``raw``), how often to go through it. The last
line is JSON: processor seconds, messages, and the best five levels of every book at the end.
"""

import asyncio
import importlib
import json
import logging
import sys
from time import process_time

CLASSES = {
    "binance": ("binance", "Binance"),
    "binance_futures": ("binance_futures", "BinanceFutures"),
    "okx": ("okx", "OKX"),
    "bybit": ("bybit", "Bybit"),
}
ADDRESSES = {"bybit": "wss://stream.bybit.com/v5/public/spot"}


class Everything(dict):
    """Every instrument goes by the name that the venue has for it."""

    def __missing__(self, name):
        return name


class Connection:
    def __init__(self, venue):
        self.address = ADDRESSES.get(venue, "")
        self.uuid = venue


class Recorded:
    """Answers for a snapshot with the one that was recorded."""

    def __init__(self, bodies):
        self.bodies = bodies

    async def read(self, url, **rest):
        return next(body for symbol, body in self.bodies.items() if f"symbol={symbol}&" in url)


async def nothing(*anything):
    return None


def new_feed(venue, bodies):
    module, name = CLASSES[venue]
    feed = getattr(importlib.import_module(f"cryptofeed.exchanges.{module}"), name)()
    feed.exchange_symbol_mapping = feed.normalized_symbol_mapping = Everything()
    feed.http_conn = Recorded(bodies)
    for channel in ("l2_book", "trades", "ticker", "candles", "funding"):
        feed.callbacks[channel] = [nothing]
    return feed


async def main(venue, lines, times):
    logging.disable(logging.CRITICAL)
    bodies = {line["url"].split("symbol=")[1].split("&")[0]: line["raw"] for line in lines if line["kind"] == "http"}
    texts = [line["raw"] for line in lines if line["kind"] == "recv"]
    connection, best = Connection(venue), float("inf")
    for _ in range(times):
        feed = new_feed(venue, bodies)
        begun = process_time()
        for text in texts:
            await feed.message_handler(text, connection, 0.0)
        best = min(best, process_time() - begun)
    books = {
        symbol: {
            side: [[str(price), str(getattr(book.book, side)[price])] for price in getattr(book.book, side).keys()[:5]]
            for side in ("bids", "asks")
        }
        for symbol, book in feed._l2_book.items()
    }
    print(json.dumps({"messages": len(texts), "cpu_s": best, "books": books}))


with open(sys.argv[2]) as file:
    recorded = [json.loads(line) for line in file]
asyncio.run(main(sys.argv[1], recorded, int(sys.argv[3])))

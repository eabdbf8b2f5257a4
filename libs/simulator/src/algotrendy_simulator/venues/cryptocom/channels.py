"""Crypto.com's public channels: names, and the message each makes.

Invariant: within one book channel each update's ``pu`` is the ``u`` of the message before it, the snapshot's included.
"""

from typing import Any

from algotrendy_common.enums import Side

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.cryptocom import wire
from algotrendy_simulator.venues.cryptocom.public_operations import Instruments
from algotrendy_simulator.venues.cryptocom.wire import Json, name_of
from algotrendy_simulator.venues.top_of_book import Levels, TopOfBook, best_first

BOOK_DEPTHS = ("10", "50")


def market_of(instruments: Instruments, channel: object) -> Market | None:
    """The market of a public channel that there is, else None."""
    match str(channel).split("."):
        case ["ticker" | "trade", name]:
            return instruments.by_name.get(name)
        case ["book", name, depth] if depth in BOOK_DEPTHS:
            return instruments.by_name.get(name)
        case ["candlestick", timeframe, name] if timeframe in wire.TIMEFRAMES_MS:
            return instruments.by_name.get(name)
    return None


def message(market: Market, subscription: str, data: list[Json], channel: str | None = None, **more: Any) -> Json:
    result = {
        "instrument_name": name_of(market),
        "subscription": subscription,
        "channel": channel or subscription.split(".")[0],
        "data": data,
    }
    return {"id": -1, "method": "subscribe", "code": 0, "result": result | more}


class BookChannel:
    def __init__(self, market: Market, subscription: str) -> None:
        self._market = market
        self._subscription = subscription
        self._depth = int(subscription.rpartition(".")[2])
        self._top = TopOfBook(market, self._depth)

    def snapshot(self, time_ms: int) -> Json:
        data = _sides(self._top.held) | {"t": time_ms, "tt": time_ms, "u": self._top.sequence}
        return message(self._market, self._subscription, [data], depth=self._depth)

    def update(self, time_ms: int) -> Json | None:
        """What changed since the last one; None where nothing did."""
        before = self._top.sequence
        changed = self._top.changes()
        if changed is None:
            # What does not show must not break the row either.
            self._top.sequence = before
            return None
        data = {"update": _sides(changed), "t": time_ms, "tt": time_ms, "u": self._top.sequence, "pu": before}
        return message(self._market, self._subscription, [data], "book.update", depth=self._depth)


def _sides(levels: Levels) -> Json:
    return {
        "bids": wire.levels(best_first(levels[Side.BUY], Side.BUY)),
        "asks": wire.levels(best_first(levels[Side.SELL], Side.SELL)),
    }

"""Binance's row of depth messages, laid on a snapshot that comes over REST.

Spot numbers every change: a message names its first and last (``U``, ``u``) and follows the one that ended just before.
Futures name the end of the message before (``pu``) instead. Invariant: the book is ready only while the messages since
its snapshot are an unbroken row. Source: developers.binance.com, "How to manage a local order book correctly"
"""

from typing import Any

from algotrendy_ingest.domain.ticks import Cause, Stamp
from algotrendy_ingest.wire.protocol import BookMoved, Heard, Market, SnapshotWanted

_KEPT = 2000
"""Messages held for a snapshot that does not come; at ten a second, over three minutes."""

type Json = dict[str, Any]


class DepthRow:
    """One market's. ``wanted``: a snapshot was asked for and has not come."""

    __slots__ = ("_first", "_kept", "_last", "_market", "wanted")

    def __init__(self, market: Market) -> None:
        self._market = market
        self._kept: list[Json] = []
        self._last: int | None = None
        """Where the last message ended."""
        self._first = False
        """The next one is the first after a snapshot, which it may overlap."""
        self.wanted = False

    def hear(self, message: Json, received: Stamp) -> list[Heard]:
        begin, end = message["U"], message["u"]
        last, checks = self._last, self._market.checks
        if last is not None:
            if end <= last:
                checks.repeated += 1
                return []
            if message["pu"] != last if "pu" in message else begin != last + 1:
                return self._begin_anew(message, f"{begin} follows {last}")
            checks.sequence_right += 1
        self._last = end
        if not self._market.book.ready:
            self._keep(message)
            return self._want()
        return self._apply(message, received)

    def snapshot(self, body: Json, received: Stamp) -> list[Heard]:
        """Lay down a snapshot and what came since; one from before all that was kept is asked for again."""
        self.wanted = False
        book, at = self._market.book, int(body["lastUpdateId"])
        if book.ready and at <= book.sequence:
            return []
        kept = [message for message in self._kept if message["u"] > at]
        if kept and kept[0]["U"] > at + 1 and kept[0].get("pu", at + 1) > at:
            return self._want()
        book.bids.reset(body["bids"])
        book.asks.reset(body["asks"])
        book.sequence, book.ready = at, True
        self._kept, self._first = [], True
        heard: list[Heard] = []
        for message in kept:
            heard += self._apply(message, received)
            if not book.ready:
                return heard
        return heard or [BookMoved(self._market.names.symbol, received)]

    def _apply(self, message: Json, received: Stamp) -> list[Heard]:
        book = self._market.book
        if message["u"] <= book.sequence:
            return []  # from before the snapshot
        if self._first:
            self._first = False
            if message["U"] > book.sequence + 1 and message.get("pu", book.sequence + 1) > book.sequence:
                return self._begin_anew(message, f"{message['U']} follows the snapshot's {book.sequence}")
        try:
            book.bids.apply(message["b"])
            book.asks.apply(message["a"])
        except (ValueError, TypeError, LookupError) as error:
            return self._begin_anew(message, f"unreadable: {error!r}")
        book.sequence, book.event_time_ms = message["u"], message["E"]
        if book.crossed:
            return [*self._lost(Cause.CROSSED, f"at {book.sequence}"), *self._want()]
        return [BookMoved(self._market.names.symbol, received)]

    def _begin_anew(self, message: Json, detail: str) -> list[Heard]:
        lost = self._lost(Cause.SEQUENCE, detail)
        self._last = message["u"]
        self._keep(message)
        return [*lost, *self._want()]

    def _lost(self, cause: Cause, detail: str) -> list[Heard]:
        self._kept.clear()
        return [self._market.lose(cause, detail)]

    def _keep(self, message: Json) -> None:
        self._kept.append(message)
        if len(self._kept) > _KEPT:
            del self._kept[0]

    def _want(self) -> list[Heard]:
        if self.wanted:
            return []
        self.wanted = True
        return [SnapshotWanted(self._market.names.symbol)]

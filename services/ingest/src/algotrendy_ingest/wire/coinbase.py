"""Coinbase's public socket, Advanced Trade: whole books, trades, best prices, candles of five minutes.

All messages of a socket are numbered in one row, whatever their channel: a number left out loses every book on it. The
layout before it, the Exchange feed, runs through the same line from recordings (``coinbase_exchange``).
Source: docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

import orjson
from algotrendy_common.enums import Timeframe
from algotrendy_core.bars import Bar

from algotrendy_ingest.domain.ticks import BarTick, Cause, Stamp, Stream
from algotrendy_ingest.wire import coinbase_words as words
from algotrendy_ingest.wire.coinbase_book import Books, Change
from algotrendy_ingest.wire.coinbase_exchange import ExchangeFeed
from algotrendy_ingest.wire.protocol import Heard, Line, Market, Plan, Refusal, WireMarket, sharded

_MARKETS = 20
"""Of one socket: a choice. One lost message costs all its books, and each of them comes anew in whole."""
_CANDLE = Timeframe.M5
_BOOKS = frozenset({Stream.BOOKS, Stream.QUOTES})
"""What level2 is needed for."""


class CoinbaseLine(Line):
    venue: ClassVar[str] = words.VENUE
    streams: ClassVar[frozenset[Stream]] = frozenset({Stream.TRADES, Stream.QUOTES, Stream.BOOKS, Stream.CANDLES})
    sends_per_s: ClassVar[float] = 4.0
    """Eight from one address without a key, over all its sockets."""

    def __init__(self, plan: Plan | None = None) -> None:
        super().__init__(plan)
        self._awaits_books = bool(plan and plan.streams & _BOOKS)
        self._due: int | None = None
        """The number of the next message."""
        self._beats = False
        self._healed_along: set[str] = set()
        """Asked for anew beside another, and not asked about since."""
        self._forming: dict[str, Bar] = {}
        self._books = Books()
        self._exchange = ExchangeFeed(self, self._books)

    @classmethod
    def market_of(cls, symbol: str) -> WireMarket:
        return words.market_of(symbol)

    @classmethod
    def market_named(cls, id: str) -> WireMarket:
        return words.market_of(id)

    @classmethod
    def plans(cls, markets: Sequence[WireMarket], streams: frozenset[Stream]) -> list[Plan]:
        wanted = streams & cls.streams
        return [Plan("/", wanted, some) for some in sharded(markets, _MARKETS)] if wanted else []

    def subscribe(self, plan: Plan) -> list[str]:
        texts = [_text("subscribe", channel, plan.markets) for channel in _channels(plan.streams)]
        if not self._beats:
            # Without heartbeats the venue ends a channel that had nothing to say for a minute or so.
            self._beats = True
            texts.insert(0, _text("subscribe", "heartbeats", ()))
        return texts

    def unsubscribe(self, plan: Plan) -> list[str]:
        return [_text("unsubscribe", channel, plan.markets) for channel in _channels(plan.streams)]

    def heal(self, market: Market) -> list[str]:
        """All that are lost at once, with the first of them: one by one they would be beyond the venue's limit."""
        if market.names.id in self._healed_along:
            self._healed_along.discard(market.names.id)
            return []
        lost = [one.names for one in self.markets.values() if one is market or not one.book.ready]
        self._healed_along = {names.id for names in lost} - {market.names.id}
        return [_text(kind, "level2", lost) for kind in ("unsubscribe", "subscribe")]

    def remove(self, names: WireMarket) -> None:
        super().remove(names)
        self._forming.pop(names.symbol, None)
        self._books.forget(names.symbol)

    # -- what is read ----------------------------------------------------------------------------------------

    def read(self, raw: str | bytes, received: Stamp) -> list[Heard]:
        message = orjson.loads(raw)
        match message:
            case {"channel": str(channel), "sequence_num": int(number), "events": list(events)}:
                return self._numbered(channel, number, message["timestamp"], events, received)
            case {"type": "error"}:
                return [Refusal(" ".join(str(message[name]) for name in ("message", "reason") if name in message))]
            case {"type": str()}:
                return self._exchange.read(message, received)
        raise ValueError("not a message of Coinbase's")

    def _numbered(self, channel: str, number: int, stamp: str, events: list[Any], received: Stamp) -> list[Heard]:
        due, time = self._due, words.instant(stamp)
        self._due = max(due or 0, number + 1)
        heard: list[Heard] = []
        if due is not None and number > due:
            heard += self._lose_books(f"message {due} of the socket was due, {number} came")
        for event in events:
            match channel:
                case "l2_data":
                    heard += self._book(event, number, due, time, received)
                case "market_trades" if event["type"] == "update" or self._open:
                    # The newest comes first. A live line leaves out those from before its time, which come whenever
                    # it subscribes: the tape says what it missed, and REST has it.
                    rows = sorted(event["trades"], key=lambda row: int(row["trade_id"]))
                    heard += [
                        words.trade_of(row, self.market(row["product_id"]).names.symbol, received) for row in rows
                    ]
                case "ticker" | "ticker_batch":
                    heard += [quote for row in event["tickers"] for quote in self._quote(row, time, received)]
                case "candles":
                    rows = sorted(event["candles"], key=lambda row: int(row["start"]))
                    heard += [bar for row in rows for bar in self._candle(row, received)]
                case "subscriptions":
                    heard += self._subscribed(event["subscriptions"])
        return heard

    def _lose_books(self, detail: str) -> list[Heard]:
        """Those that are awaited as well: it may have been the snapshot that is missing."""
        return [
            market.lose(Cause.SEQUENCE, detail)
            for market in self.markets.values()
            if market.book.ready or self._awaits_books
        ]

    def _book(
        self, event: dict[str, Any], number: int, due: int | None, time: datetime, received: Stamp
    ) -> list[Heard]:
        if "product_id" not in event:
            return self._lose_books("a change does not say of which product it is")
        if event["product_id"] not in self.markets and not self._open:
            return []  # taken off since; those beside it in this message are still wanted
        market = self.market(event["product_id"])
        if due is not None and number < due:
            # It came before; or it was missed when it was due, and the book has been given up for that.
            market.checks.repeated += 1
            return []
        market.checks.sequence_right += int(number == due)
        sides: dict[str, list[tuple[str, str]]] = {"bid": [], "offer": []}
        try:
            snapshot, updates = event["type"] == "snapshot", event["updates"]
            if snapshot:
                self._healed_along.discard(market.names.id)
            for row in updates:
                sides[row["side"]].append((row["price_level"], row["new_quantity"]))
            if updates:
                changed_at = words.instant(updates[-1]["event_time"])
                # The levels of a snapshot are of no time there: of 1970.
                time = changed_at if changed_at.timestamp() else self.newest.time or time
            change = Change(sides["bid"], sides["offer"], time, snapshot, number)
        except (ValueError, KeyError, TypeError) as error:
            return [market.lose(Cause.SEQUENCE, f"a change cannot be read: {error!r}")]
        return self._books.take(market, change, received)

    def _quote(self, row: dict[str, Any], time: datetime, received: Stamp) -> list[Heard]:
        market = self.market(row["product_id"])
        if market.book.ready or self._awaits_books:
            return []  # the book's own best is newer
        bid, ask = ((row[f"best_{side}"], row[f"best_{side}_quantity"]) for side in ("bid", "ask"))
        quote = words.quote_of(market.names.symbol, bid, ask, time, received)
        return [] if quote is None else [quote]

    def _candle(self, row: dict[str, Any], received: Stamp) -> list[Heard]:
        """A candle is told as it grows, and never as closed: the next one's first says that."""
        symbol = self.market(row["product_id"]).names.symbol
        bar, before = words.bar_of(row, _CANDLE, complete=False), self._forming.get(symbol)
        if before is not None and bar.open_time < before.open_time:
            return []
        self._forming[symbol] = bar
        heard: list[Heard] = [BarTick(symbol, bar, received)]
        if before is not None and before.open_time < bar.open_time:
            heard.insert(0, BarTick(symbol, replace(before, complete=True), received))
        return heard

    def _subscribed(self, channels: dict[str, list[str]]) -> list[Heard]:
        """The venue lists what it sends; a book that it sends no longer is not one."""
        named = channels.get("level2")
        return [
            market.lose(Cause.REFUSED, "level2 is no longer subscribed to")
            for id, market in self.markets.items()
            if named is not None and market.book.ready and id not in named
        ]


def _channels(streams: frozenset[Stream]) -> Iterable[str]:
    if Stream.TRADES in streams:
        yield "market_trades"
    if streams & _BOOKS:
        yield "level2"
    if Stream.CANDLES in streams:
        yield "candles"


def _text(kind: str, channel: str, markets: Iterable[WireMarket]) -> str:
    products = [market.id for market in markets]
    return json.dumps(
        {"type": kind, "channel": channel} | ({"product_ids": products} if products else {}), separators=(",", ":")
    )

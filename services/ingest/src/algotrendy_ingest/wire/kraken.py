"""Kraken's public spot socket, v2: books with a checksum in every message, numbered trades, best prices, candles.

A checksum is over a number's digits with all the decimals that its pair has, sent or not; so the pairs' decimals
(``instrument``) are heard first, and books subscribed to when they are known. Recordings of v1, the layout before, run
through the same line: its messages are JSON arrays (``kraken_v1``).
Source: docs.kraken.com/exchange/guides/websockets/book-checksum-v2
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

import orjson
from algotrendy_common.clock import to_ms
from algotrendy_core.bars import Bar

from algotrendy_ingest.domain.ticks import BarTick, Cause, Stamp, Stream
from algotrendy_ingest.wire import kraken_words as words
from algotrendy_ingest.wire.kraken_book import DEPTHS, Change, least_depth, take
from algotrendy_ingest.wire.kraken_v1 import OldLayout
from algotrendy_ingest.wire.protocol import BookMoved, Heard, Line, Market, Plan, Refusal, Reply, WireMarket, sharded

DEPTH = 100
_MARKETS = 50
"""Of one socket: a choice; Kraken names no limit on pairs, and fifty of the busiest are one socket's fair load."""
_INTERVAL = 1
_DECIMALS = 1
"""Number of the request for decimals, which its answer repeats."""
_BOOKS = frozenset({Stream.BOOKS})
_decoded = json.JSONDecoder(parse_float=str, parse_int=str).decode
"""Numbers stay the text they were: a checksum is over their digits."""


class KrakenLine(Line):
    venue: ClassVar[str] = words.VENUE
    streams: ClassVar[frozenset[Stream]] = frozenset({Stream.TRADES, Stream.QUOTES, Stream.BOOKS, Stream.CANDLES})

    def __init__(self, plan: Plan | None = None) -> None:
        super().__init__(plan)
        self._depth = DEPTH if plan else None
        self._depths: dict[str, int] = {}
        self._digits: dict[str, words.Digits] = {}
        self._forming: dict[tuple[str, str], Bar] = {}
        self._waiting: list[WireMarket] = []
        """Whose books are subscribed to once decimals are known."""
        self._decimals_asked = self._decimals_answered = False
        self._old = OldLayout(self)

    @classmethod
    def market_of(cls, symbol: str) -> WireMarket:
        return WireMarket(symbol, words.pair_of(symbol))

    @classmethod
    def market_named(cls, id: str) -> WireMarket:
        return WireMarket(words.symbol_of(id), id)

    @classmethod
    def plans(cls, markets: Sequence[WireMarket], streams: frozenset[Stream]) -> list[Plan]:
        wanted = streams & cls.streams
        return [Plan("/v2", wanted, some) for some in sharded(markets, _MARKETS)] if wanted else []

    def subscribe(self, plan: Plan) -> list[str]:
        streams = plan.streams
        first: list[str] = []
        if Stream.BOOKS in streams and not self._decimals_answered:
            streams -= {Stream.BOOKS}
            self._waiting += plan.markets
            if not self._decimals_asked:
                self._decimals_asked = True
                first = [_text("subscribe", {"channel": "instrument"}, _DECIMALS)]
        return [*first, *(_text("subscribe", wanted) for wanted in _wanted(streams, plan.markets))]

    def unsubscribe(self, plan: Plan) -> list[str]:
        return [_text("unsubscribe", wanted) for wanted in _wanted(plan.streams, plan.markets)]

    def heal(self, market: Market) -> list[str]:
        [book] = _wanted(_BOOKS, [market.names])
        return [_text("unsubscribe", book), _text("subscribe", book)]

    def remove(self, names: WireMarket) -> None:
        super().remove(names)
        self._depths.pop(names.id, None)
        self._forming = {key: bar for key, bar in self._forming.items() if key[0] != names.symbol}

    # -- what is read ----------------------------------------------------------------------------------------

    def read(self, raw: str | bytes, received: Stamp) -> list[Heard]:
        text = raw if isinstance(raw, str) else raw.decode()
        if text.startswith("["):
            return self._old.read(orjson.loads(text), received)
        message = _decoded(text)
        match message:
            case {"channel": "book", "type": kind, "data": rows}:
                return [heard for row in rows for heard in self._book(row, kind == "snapshot", received)]
            case {"channel": "trade", "data": rows}:
                return [self._trade(row, received) for row in rows]
            case {"channel": "ticker", "data": rows}:
                return [heard for row in rows for heard in self._quote(row, received)]
            case {"channel": "ohlc", "data": rows}:
                return [heard for row in rows for heard in self._candle(row, received)]
            case {"channel": "instrument", "data": {"pairs": pairs}}:
                for pair in pairs:
                    precision = int(pair["price_precision"]), int(pair["qty_precision"])
                    self._digits[pair["symbol"]] = words.Digits(precision)
                return self._books_begin()
            case {"channel": str()} | {"method": "pong"}:
                return []
            case {"method": str()} | {"error": str()}:
                return self._answered(message)
            case {"event": str()}:
                return self._old.event(message)
        raise ValueError("not a message of Kraken's")

    def _answered(self, message: dict[str, Any]) -> list[Heard]:
        match message:
            case {"success": True, "result": {"channel": "book", "symbol": pair, "depth": depth}}:
                self._depths[pair] = int(depth)
            case {"error": str(error)}:
                about = f" {message['symbol']}" if "symbol" in message else ""
                refused = Refusal(f"{message.get('method', 'request')}{about}: {error}")
                # Without decimals the digits are taken as they were sent, which most are in full.
                return [refused, *self._books_begin()] if message.get("req_id") == str(_DECIMALS) else [refused]
        return []

    def _books_begin(self) -> list[Heard]:
        self._decimals_answered = True
        waiting = [market for market in self._waiting if market.id in self.markets]
        self._waiting = []
        return [Reply(_text("subscribe", wanted)) for wanted in _wanted(_BOOKS, waiting)] if waiting else []

    def _book(self, row: dict[str, Any], snapshot: bool, received: Stamp) -> list[Heard]:
        pair = row["symbol"]
        market = self.market(pair)
        try:
            time = self.later(words.instant(row["timestamp"]) if "timestamp" in row else None, received)
            bids, asks = words.levels_of(row["bids"]), words.levels_of(row["asks"])
            change = Change(bids, asks, int(row["checksum"]), to_ms(time), snapshot)
        except (ValueError, KeyError, TypeError) as error:
            if not market.book.ready:
                raise
            return [market.lose(Cause.SEQUENCE, f"a change cannot be read: {error!r}")]
        if snapshot and self._depth is None and pair not in self._depths:
            self._depths[pair] = least_depth(max(len(bids), len(asks)))
        return self.changed(market, change, received)

    def _trade(self, row: dict[str, Any], received: Stamp) -> Heard:
        trade = words.trade_of(row, self.market(row["symbol"]).names.symbol, received)
        self.later(trade.event_time, received)
        return trade

    def _quote(self, row: dict[str, Any], received: Stamp) -> list[Heard]:
        time = self.later(words.instant(row["timestamp"]) if "timestamp" in row else None, received)
        symbol = self.market(row["symbol"]).names.symbol
        quote = words.quote_of(symbol, (row["bid"], row["bid_qty"]), (row["ask"], row["ask_qty"]), time, received)
        return [] if quote is None else [quote]

    def _candle(self, row: dict[str, Any], received: Stamp) -> list[Heard]:
        prices = (row["open"], row["high"], row["low"], row["close"])
        bar = words.bar_of(
            words.TIMEFRAMES[int(row["interval"])], words.instant(row["interval_begin"]), prices,
            row["vwap"], row["volume"], row["trades"], complete=False,
        )  # fmt: skip
        return self.grown(self.market(row["symbol"]).names.symbol, bar, received)

    # -- of both layouts -------------------------------------------------------------------------------------

    def changed(self, market: Market, change: Change, received: Stamp) -> list[Heard]:
        pair = market.names.id
        digits = self._digits.get(pair)
        if digits is None:
            digits = self._digits[pair] = words.Digits(None)
        lost = take(market, change, self._depths.get(pair) or self._depth or DEPTHS[-1], digits)
        if lost is not None:
            return [lost]
        return [BookMoved(market.names.symbol, received)] if market.book.ready else []

    def is_of_depth(self, pair: str, depth: int) -> None:
        self._depths[pair] = depth

    def grown(self, symbol: str, bar: Bar, received: Stamp) -> list[Heard]:
        """A candle is told with every trade in it, and never as closed: the next one's first says that."""
        key = symbol, bar.timeframe.value
        before = self._forming.get(key)
        if before is not None and bar.open_time < before.open_time:
            return []
        self._forming[key] = bar
        heard: list[Heard] = [BarTick(symbol, bar, received)]
        if before is not None and before.open_time < bar.open_time:
            heard.insert(0, BarTick(symbol, replace(before, complete=True), received))
        return heard

    def later(self, time: datetime | None, received: Stamp) -> datetime:
        """The time of what bears none is the newest that was heard of the venue; before that, ours."""
        if time is None:
            return self.newest.time or received.time
        if self.newest.time is None or time > self.newest.time:
            self.newest.time = time
        return time


def _text(method: str, wanted: dict[str, Any], number: int | None = None) -> str:
    request = {"method": method, "params": wanted} | ({} if number is None else {"req_id": number})
    return json.dumps(request, separators=(",", ":"))


def _wanted(streams: frozenset[Stream], markets: Iterable[WireMarket]) -> list[dict[str, Any]]:
    """Parameters by stream. Old trades are not wanted: the tape says what it missed, and REST has it."""
    channels: dict[Stream, dict[str, Any]] = {
        Stream.TRADES: {"channel": "trade", "snapshot": False},
        Stream.QUOTES: {"channel": "ticker", "event_trigger": "bbo"},
        Stream.BOOKS: {"channel": "book", "depth": DEPTH},
        Stream.CANDLES: {"channel": "ohlc", "interval": _INTERVAL},
    }
    named = [market.id for market in markets]
    return [parameters | {"symbol": named} for stream, parameters in channels.items() if stream in streams]

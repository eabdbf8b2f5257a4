"""Bybit's public sockets, v5: one address for spot and one for linear perpetuals, a topic for each kind and market.

The best prices come of ``orderbook.1``, because a spot ticker has none. Books are checked by ``u``, which rises by one
with every change; ``u`` 1 is a book begun anew at the venue. Recordings of the layout before v5 are read too: see
``bybit_v2``. Source: bybit-exchange.github.io/docs/v5/websocket/public
"""

import json
from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Any, ClassVar

import orjson
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side, Timeframe
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.numbers import number, positive, signed
from algotrendy_ingest.domain.ticks import (
    BarTick,
    BookLost,
    Cause,
    FundingTick,
    MarkTick,
    QuoteTick,
    Stamp,
    Stream,
    TradeTick,
)
from algotrendy_ingest.wire import bybit_v2
from algotrendy_ingest.wire.book import Book
from algotrendy_ingest.wire.bybit_names import PERPETUAL, category_at, id_of, symbol_of
from algotrendy_ingest.wire.protocol import BookMoved, Heard, Line, Market, Plan, Refusal, WireMarket, sharded

DEPTH = 50
INTERVALS = {
    "1": Timeframe.M1, "5": Timeframe.M5, "15": Timeframe.M15, "60": Timeframe.H1, "240": Timeframe.H4,
    "D": Timeframe.D1,
}  # fmt: skip
_PATHS = {False: "/v5/public/spot", True: "/v5/public/linear"}
_ARGUMENTS = 10
"""Topics of one request; spot takes no more."""
_MARKETS = 150
"""Of one socket: five topics each are well within 21,000 characters, the limit of all that a socket subscribes to."""


class BybitLine(Line):
    venue: ClassVar[str] = "bybit"
    streams: ClassVar[frozenset[Stream]] = frozenset(Stream)
    ping_every_s: ClassVar[float | None] = 20.0

    def __init__(self, plan: Plan | None = None) -> None:
        super().__init__(plan)
        self._category = category_at(plan.url) if plan else None
        self._tops: dict[str, Book] = {}
        self._tickers: dict[str, dict[str, Any]] = {}

    def opened(self, url: str) -> None:
        self._category = category_at(url)

    @classmethod
    def market_of(cls, symbol: str) -> WireMarket:
        return WireMarket(symbol, id_of(symbol))

    @classmethod
    def market_named(cls, id: str) -> WireMarket:
        """As a spot market: the same name is a perpetual's on another socket."""
        return WireMarket(symbol_of(id, "spot"), id)

    @classmethod
    def plans(cls, markets: Sequence[WireMarket], streams: frozenset[Stream]) -> list[Plan]:
        """Spot has no mark prices, so what asks for those alone gets no socket of spot."""
        found = []
        for perpetual, path in _PATHS.items():
            of_kind = [market for market in markets if market.symbol.endswith(PERPETUAL) is perpetual]
            wanted = streams if perpetual else streams - {Stream.MARKS}
            if wanted:
                found += [Plan(path, wanted, some) for some in sharded(of_kind, _MARKETS)]
        return found

    def subscribe(self, plan: Plan) -> list[str]:
        return _requests("subscribe", (topic for market in plan.markets for topic in _topics(market, plan.streams)))

    def unsubscribe(self, plan: Plan) -> list[str]:
        return _requests("unsubscribe", (topic for market in plan.markets for topic in _topics(market, plan.streams)))

    def heal(self, market: Market) -> list[str]:
        topic = f"orderbook.{DEPTH}.{market.names.id}"
        return [*_requests("unsubscribe", [topic]), *_requests("subscribe", [topic])]

    def ping(self) -> str | None:
        return '{"op":"ping"}'

    def remove(self, names: WireMarket) -> None:
        super().remove(names)
        self._tops.pop(names.id, None)
        self._tickers.pop(names.id, None)

    def market(self, id: str) -> Market:
        if self._open and id not in self.markets:
            self.add(WireMarket(symbol_of(id, self._category or "spot"), id))
        return super().market(id)

    def read(self, raw: str | bytes, received: Stamp) -> list[Heard]:
        message = bybit_v2.loads(raw) if bybit_v2.is_older(raw) else orjson.loads(raw)
        topic = message.get("topic")
        if topic is None:
            return _answer(message)
        kind, _, rest = topic.partition(".")
        match kind:
            case "publicTrade" | "trade":
                return [self._trade(row, received) for row in message["data"]]
            case "orderbook":
                depth, _, id = rest.partition(".")
                change = self._best if depth == "1" else self._book
                return change(self.market(id), message, received)
            case "tickers":
                return self._ticker(rest, message, received)
            case "kline":
                interval, _, id = rest.partition(".")
                return self._candles(self.market(id), interval, message["data"], received)
            case bybit_v2.BOOK_25 | bybit_v2.BOOK_200:
                self._category = self._category or "linear"
                return bybit_v2.book(self.market(rest), message, received)
        return []

    def _trade(self, row: dict[str, Any], received: Stamp) -> TradeTick:
        if "trade_id" in row:
            self._category = self._category or "linear"
            return bybit_v2.trade(self.market(row["symbol"]).names, row, received)
        names = self.market(row["s"]).names
        return TradeTick(
            symbol=names.symbol,
            trade_id=str(row["i"]),
            sequence=None,  # ``seq`` is the matching engine's and leaves numbers out
            price=positive(row["p"]),
            quantity=positive(row["v"]) * names.contract_size,
            side=Side(row["S"].lower()),
            event_time=from_ms(int(row["T"])),
            received=received,
        )

    def _book(self, market: Market, message: dict[str, Any], received: Stamp) -> list[Heard]:
        book, data = market.book, message["data"]
        update = int(data["u"])
        if message["type"] == "snapshot" or update == 1:
            book.bids.reset(data["b"])
            book.asks.reset(data["a"])
            book.ready = True
        elif not book.ready:
            return []
        elif update <= book.sequence:
            market.checks.repeated += 1
            return []
        elif update != book.sequence + 1:
            return [market.lose(Cause.SEQUENCE, f"update {update} came after {book.sequence}")]
        else:
            book.bids.apply(data["b"])
            book.asks.apply(data["a"])
            market.checks.sequence_right += 1
        # After the levels: what stopped halfway through them is found out by the next number.
        book.sequence = update
        book.event_time_ms = int(message["ts"])
        return [moved_or_crossed(market, received)]

    def _best(self, market: Market, message: dict[str, Any], received: Stamp) -> list[Heard]:
        book, data = self._tops.setdefault(market.names.id, Book()), message["data"]
        for side, rows in ((book.bids, data["b"]), (book.asks, data["a"])):
            if message["type"] == "snapshot":
                side.reset(rows)
            else:
                side.apply(rows)
        bids, asks = book.bids.best(1), book.asks.best(1)
        if not bids or not asks:
            return []
        return [quote_of(market.names, bids[0], asks[0], int(message["ts"]), received)]

    def _ticker(self, id: str, message: dict[str, Any], received: Stamp) -> list[Heard]:
        """Of perpetuals a delta holds what changed and nothing else."""
        names, changed, time_ms = self.market(id).names, message["data"], int(message["ts"])
        known = self._tickers.setdefault(id, {})
        if message["type"] == "snapshot":
            known.clear()
        known.update(changed)
        heard: list[Heard] = []
        if id not in self._tops and _BEST & changed.keys() and all(known.get(name) for name in _BEST):
            bid, ask = (known["bid1Price"], known["bid1Size"]), (known["ask1Price"], known["ask1Size"])
            heard.append(quote_of(names, bid, ask, time_ms, received))
        if {"markPrice", "indexPrice"} & changed.keys() and known.get("markPrice"):
            index = known.get("indexPrice")
            heard.append(
                MarkTick(
                    names.symbol,
                    positive(known["markPrice"]),
                    positive(index) if index else None,
                    from_ms(time_ms),
                    received,
                )
            )
        pays_at = known.get("nextFundingTime")
        if {"fundingRate", "nextFundingTime"} & changed.keys() and pays_at and known.get("fundingRate"):
            rate = signed(known["fundingRate"])
            heard.append(FundingTick(names.symbol, rate, from_ms(int(pays_at)), from_ms(time_ms), received))
        return heard

    def _candles(self, market: Market, interval: str, rows: Iterable[dict[str, Any]], received: Stamp) -> list[Heard]:
        timeframe = INTERVALS.get(interval)
        if timeframe is None:
            return []
        return [BarTick(market.names.symbol, _bar(row, timeframe, market.names), received) for row in rows]


_BEST = frozenset({"bid1Price", "bid1Size", "ask1Price", "ask1Size"})


def moved_or_crossed(market: Market, received: Stamp) -> BookMoved | BookLost:
    """What is to be said of a book whose numbers were right."""
    if market.book.crossed:
        bid, ask = market.book.bids.best(1)[0][0], market.book.asks.best(1)[0][0]
        return market.lose(Cause.CROSSED, f"bid {bid}, ask {ask}")
    return BookMoved(market.names.symbol, received)


def quote_of(names: WireMarket, bid: tuple[str, str], ask: tuple[str, str], time_ms: int, received: Stamp) -> QuoteTick:
    """Price and size of each side as written."""
    size = names.contract_size
    return QuoteTick(
        names.symbol,
        positive(bid[0]),
        number(bid[1]) * size,
        positive(ask[0]),
        number(ask[1]) * size,
        from_ms(time_ms),
        received,
    )


def _bar(row: dict[str, Any], timeframe: Timeframe, names: WireMarket) -> Bar:
    """Bybit does not count the trades of a candle."""
    return Bar(
        timeframe,
        from_ms(int(row["start"])),
        positive(row["open"]),
        positive(row["high"]),
        positive(row["low"]),
        positive(row["close"]),
        volume=number(row["volume"]) * names.contract_size,
        quote_volume=number(row["turnover"]),
        trade_count=0,
        complete=bool(row["confirm"]),
    )


def _topics(market: WireMarket, streams: frozenset[Stream]) -> list[str]:
    named = {
        Stream.TRADES: "publicTrade",
        Stream.QUOTES: "orderbook.1",
        Stream.BOOKS: f"orderbook.{DEPTH}",
        Stream.CANDLES: "kline.1",
        Stream.MARKS: "tickers",
    }
    if not market.symbol.endswith(PERPETUAL):
        del named[Stream.MARKS]
    return [f"{topic}.{market.id}" for stream, topic in named.items() if stream in streams]


def _requests(operation: str, topics: Iterable[str]) -> list[str]:
    return [
        json.dumps({"op": operation, "args": list(some)}, separators=(",", ":"))
        for some in batched(topics, _ARGUMENTS)  # the last is shorter
    ]


def _answer(message: dict[str, Any]) -> list[Heard]:
    """To a request. Before v5 it repeated the request, since then it names the operation; of options ``type``."""
    if message.get("success") is False:
        return [Refusal(str(message.get("ret_msg") or message.get("retMsg") or message))]
    failed = (message.get("data") or {}).get("failTopics") if message.get("type") == "COMMAND_RESP" else None
    if failed:
        return [Refusal(f"no such topics: {', '.join(failed)}")]
    if "success" in message or message.get("op") in ("ping", "pong"):
        return []
    raise ValueError("neither a topic's message nor an answer")

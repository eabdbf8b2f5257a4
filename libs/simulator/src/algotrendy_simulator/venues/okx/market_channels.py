"""OKX's public channels: trades, tickers, books, and on the business socket candles.

Trades leave with the change that made them, the rest every 100 ms of wall time. Invariant: whoever joins a book is
given a snapshot first and misses no update after it, unless one is left out on purpose.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import MinuteClosed, TapeTrade, VenueEvent
from algotrendy_simulator.market import Market
from algotrendy_simulator.timings import Stamp, Timings, TradeSent
from algotrendy_simulator.venues.okx import wire
from algotrendy_simulator.venues.okx.depth import BookChannel
from algotrendy_simulator.venues.okx.products import SWAP, Products, id_of
from algotrendy_simulator.venues.okx.sockets import Channel, Client, Sockets
from algotrendy_simulator.venues.okx.wire import Json

FLUSH_S = 0.1
PUBLIC = frozenset({"trades", "trades-all", "tickers", "books", "books5", "bbo-tbt", "mark-price", "funding-rate"})
STATES = ("tickers", "mark-price", "funding-rate", "books5", "bbo-tbt")
BOOKS = {"books": 400, "books5": 5, "bbo-tbt": 1}


class MarketChannels:
    def __init__(
        self, exchange: Exchange, products: Products, venue_time_ms: Callable[[], int], timings: Timings
    ) -> None:
        self._exchange = exchange
        self._products = products
        self._venue_time_ms = venue_time_ms
        self._timings = timings
        self._books: dict[str, BookChannel] = {}
        self._told: dict[Channel, Any] = {}
        self._gaps: set[str] = set()
        self.muted = False
        self.sockets: Sockets | None = None
        exchange.listeners.append(self._hear)

    def known(self, path: str, channel: Channel) -> bool:
        argument = dict(channel)
        name = argument.get("channel", "")
        if self._products.find(argument.get("instId")) is None:
            return False
        if path == "business":
            return name == "trades-all" or name.removeprefix("candle") in wire.BARS_MS
        if name == "funding-rate" and not argument["instId"].endswith(SWAP):
            return False
        return path == "public" and name in PUBLIC - {"trades-all"}

    def joined(self, client: Client, channel: Channel) -> None:
        argument = dict(channel)
        market = self._products.find(argument.get("instId"))
        if market is None:
            return
        now_ms = self._venue_time_ms()
        match argument["channel"]:
            case "books":
                book = self._books.setdefault(id_of(market), BookChannel(market))
                self._send([client], channel, [book.snapshot(now_ms)], action="snapshot")
            case name if (data := self._state(market, name, now_ms)) is not None:
                self._send([client], channel, [data])

    def lose_depth(self, symbol: str) -> None:
        """Have the next update of a market's book not sent, so that its readers see a hole."""
        self._gaps.add(symbol)

    async def run(self) -> None:
        """Send for ever what is sent by the wall's clock."""
        while True:
            await asyncio.sleep(FLUSH_S)
            for market in self._exchange.markets.values():
                self._flush(market)

    def _hear(self, event: VenueEvent) -> None:
        match event:
            case TapeTrade():
                self._tell_trade(event)
            case MinuteClosed():
                self._tell_closed(self._exchange.markets[event.symbol], event)

    def _tell_trade(self, trade: TapeTrade) -> None:
        market = self._exchange.markets[trade.symbol]

        def stamp() -> None:
            self._timings.trades.append(TradeSent(trade.symbol, trade.trade_id, trade.time_ms, Stamp.now()))

        for name in ("trades", "trades-all"):
            channel = _channel(name, market)
            if listeners := self._listeners(channel):
                self._send(listeners, channel, [wire.trade(market, trade)], before=stamp)

    def _tell_closed(self, market: Market, event: MinuteClosed) -> None:
        end_ms = event.candle.open_time_ms + wire.BARS_MS["1m"]
        for bar, span_ms in wire.BARS_MS.items():
            channel = _channel(f"candle{bar}", market)
            listeners = self._listeners(channel)
            if end_ms % span_ms == 0 and listeners:
                candle = market.candles.spans(span_ms, end_ms - span_ms, end_ms)[0]
                self._send(listeners, channel, [wire.candle(market, candle, closed=True)])

    def _flush(self, market: Market) -> None:
        now_ms = self._venue_time_ms()
        book = self._books.get(id_of(market))
        update = book.update(now_ms) if book is not None else None
        channel = _channel("books", market)
        if update is not None and market.wire_symbol not in self._gaps:
            self._send(self._listeners(channel), channel, [update], action="update")
        if update is not None:
            self._gaps.discard(market.wire_symbol)
        for name in (*STATES, *(f"candle{bar}" for bar in wire.BARS_MS)):
            channel = _channel(name, market)
            listeners = self._listeners(channel)
            if not listeners:
                continue
            data = self._state(market, name, now_ms)
            timeless = {key: value for key, value in data.items() if key != "ts"} if isinstance(data, dict) else data
            if self._told.get(channel) != timeless:
                self._told[channel] = timeless
                self._send(listeners, channel, [data])

    def _state(self, market: Market, name: str, now_ms: int) -> Any:
        """What a channel that tells states has to tell now; None for the others."""
        if name == "tickers":
            return wire.ticker(market, now_ms)
        if name == "mark-price":
            shown = wire.ticker(market, now_ms)
            names = ("instType", "instId", "ts")
            return {key: shown[key] for key in names} | {"markPx": shown["last"]}
        if name == "funding-rate":
            return wire.funding_rate(market, now_ms)
        if name in ("books5", "bbo-tbt"):
            return wire.book(market, BOOKS[name], now_ms)
        if name.startswith("candle"):
            span_ms = wire.BARS_MS[name.removeprefix("candle")]
            begin = market.candles.running.open_time_ms
            candle = market.candles.spans(span_ms, begin - begin % span_ms, begin + 1)[0]
            return wire.candle(market, candle, closed=False)
        return None

    def _listeners(self, channel: Channel) -> list[Client]:
        return [] if self.sockets is None else self.sockets.subscribed(channel)

    def _send(
        self,
        clients: list[Client],
        channel: Channel,
        data: list[Any],
        action: str | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        if self.muted or not clients:
            return
        message: Json = {"arg": dict(channel)} | ({} if action is None else {"action": action}) | {"data": data}
        text = json.dumps(message, separators=(",", ":"))
        for client in clients:
            client.socket.send(text, before)


def _channel(name: str, market: Market) -> Channel:
    return (("channel", name), ("instId", id_of(market)))

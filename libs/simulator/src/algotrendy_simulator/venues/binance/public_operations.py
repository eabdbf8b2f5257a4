"""What anybody may ask: the exchange's rules, its market data, its clock. Parameters in, JSON out.

Invariant: times of the market are the venue's recorded time, ``serverTime`` is the wall's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.binance import listing_wire, wire
from algotrendy_simulator.venues.binance.limits import Limits
from algotrendy_simulator.venues.binance.parameters import Parameters
from algotrendy_simulator.venues.binance.refusals import INVALID_SYMBOL, BinanceError
from algotrendy_simulator.venues.binance.wire import Json


@dataclass(frozen=True, slots=True)
class PublicOperations:
    exchange: Exchange
    limits: Limits
    clock: Clock
    venue_time_ms: Callable[[], int]

    def ping(self, parameters: Parameters) -> Json:
        return {}

    def time(self, parameters: Parameters) -> Json:
        return {"serverTime": to_ms(self.clock.now())}

    def exchange_information(self, parameters: Parameters) -> Json:
        return {
            "timezone": "UTC",
            "serverTime": to_ms(self.clock.now()),
            "rateLimits": self.limits.described(),
            "exchangeFilters": [],
            "symbols": [listing_wire.symbol_information(market) for market in self._markets(parameters)],
        }

    def depth(self, parameters: Parameters) -> Json:
        market = self._market(parameters)
        depth = parameters.limit(100, 5000)
        book = market.engine.book
        bids, asks = (wire.levels(book.levels(side, depth)) for side in wire.SIDES)
        return {"lastUpdateId": book.sequence, "bids": bids, "asks": asks}

    def trades(self, parameters: Parameters) -> list[Json]:
        return [wire.public_trade(trade) for trade in self._tape(parameters, "fromId")]

    def aggregate_trades(self, parameters: Parameters) -> list[Json]:
        return [wire.aggregate_trade(trade) for trade in self._tape(parameters, "fromId")]

    def klines(self, parameters: Parameters) -> list[list[object]]:
        market = self._market(parameters)
        interval = parameters.text("interval")
        span_ms = wire.INTERVALS_MS.get(interval)
        if span_ms is None:
            raise BinanceError(-1120, "Invalid interval.")
        count = parameters.limit(500, 1000)
        begin, end = parameters.integer("startTime"), parameters.integer("endTime")
        now_ms = self.venue_time_ms()
        until = now_ms if end is None else min(end, now_ms)
        if begin is None:
            begin = max(0, until - until % span_ms - (count - 1) * span_ms)
        candles = market.candles.spans(span_ms, begin, until + 1)
        return [wire.kline(candle, span_ms) for candle in candles[:count]]

    def day_ticker(self, parameters: Parameters) -> Json | list[Json]:
        now_ms = self.venue_time_ms()
        return self._each(parameters, lambda market: wire.day_ticker(market, now_ms))

    def price_ticker(self, parameters: Parameters) -> Json | list[Json]:
        return self._each(
            parameters, lambda market: {"symbol": market.wire_symbol, "price": wire.number(market.last_price)}
        )

    def book_ticker(self, parameters: Parameters) -> Json | list[Json]:
        return self._each(parameters, wire.book_ticker)

    def average_price(self, parameters: Parameters) -> Json:
        market = self._market(parameters)
        now_ms = self.venue_time_ms()
        minutes = market.candles.minutes(now_ms - 300_000, now_ms + 1)
        volume = sum(minute.volume for minute in minutes)
        value = sum(minute.quote_volume for minute in minutes)
        price = value / volume if volume else market.last_price
        return {"mins": 5, "price": wire.number(price + 0), "closeTime": now_ms}

    def _each(self, parameters: Parameters, show: Callable[[Market], Json]) -> Json | list[Json]:
        """One object for ``symbol``, a list for ``symbols`` or none."""
        shown = [show(market) for market in self._markets(parameters)]
        return shown[0] if parameters.optional("symbol") else shown

    def _market(self, parameters: Parameters) -> Market:
        return self._named(parameters.text("symbol"))

    def _markets(self, parameters: Parameters) -> list[Market]:
        symbols = parameters.symbols()
        if symbols is None:
            return list(self.exchange.markets.values())
        return [self._named(symbol) for symbol in symbols]

    def _named(self, symbol: str) -> Market:
        market = self.exchange.markets.get(symbol)
        if market is None:
            raise BinanceError(*INVALID_SYMBOL)
        return market

    def _tape(self, parameters: Parameters, first_id: str) -> list[TapeTrade]:
        """Newest last; with a first id or a begin the oldest ones that follow it."""
        market = self._market(parameters)
        count = parameters.limit(500, 1000)
        first, begin, end = (parameters.integer(name) for name in (first_id, "startTime", "endTime"))
        found = [
            trade
            for trade in market.tape
            if (first is None or trade.trade_id >= first)
            and (begin is None or trade.time_ms >= begin)
            and (end is None or trade.time_ms <= end)
        ]
        return found[-count:] if first is None and begin is None else found[:count]

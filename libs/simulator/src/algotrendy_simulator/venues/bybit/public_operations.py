"""What anybody may ask of Bybit: its products, its market data, its clock. Parameters in, the ``result`` out.

Invariant: times of the market are the venue's recorded time, the server's time is the wall's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.enums import Side

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.bybit import wire
from algotrendy_simulator.venues.bybit.parameters import Parameters
from algotrendy_simulator.venues.bybit.products import Products, symbol_of
from algotrendy_simulator.venues.bybit.refusals import invalid
from algotrendy_simulator.venues.bybit.wire import Json


@dataclass(frozen=True, slots=True)
class PublicOperations:
    products: Products
    clock: Clock
    venue_time_ms: Callable[[], int]

    def time(self, parameters: Parameters) -> Json:
        now_ms = to_ms(self.clock.now())
        return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}

    def instruments(self, parameters: Parameters) -> Json:
        category = parameters.category()
        listed = [] if parameters.optional("status") == "PreLaunch" else self._markets(parameters)
        return {
            "category": category, "list": [wire.instrument(market) for market in listed], "nextPageCursor": "",
        }  # fmt: skip

    def tickers(self, parameters: Parameters) -> Json:
        now_ms = self.venue_time_ms()
        shown = [wire.ticker(market, now_ms) for market in self._markets(parameters)]
        return {"category": parameters.category(), "list": shown}

    def order_book(self, parameters: Parameters) -> Json:
        market = self._market(parameters)
        depth = parameters.limit(25, 500)
        book = market.engine.book
        return {
            "s": symbol_of(market),
            "b": wire.levels(book.levels(Side.BUY, depth)),
            "a": wire.levels(book.levels(Side.SELL, depth)),
            "ts": self.venue_time_ms(),
            "u": book.sequence,
            "seq": book.sequence,
        }

    def recent_trades(self, parameters: Parameters) -> Json:
        """Newest first."""
        market = self._market(parameters)
        newest = list(market.tape)[: -parameters.limit(500, 1000) - 1 : -1]
        return {"category": parameters.category(), "list": [wire.recent_trade(market, trade) for trade in newest]}

    def klines(self, parameters: Parameters) -> Json:
        """Newest first."""
        market = self._market(parameters)
        interval = parameters.text("interval")
        span_ms = wire.INTERVALS_MS.get(interval)
        if span_ms is None:
            raise invalid("Invalid period!")
        count = parameters.limit(200, 1000)
        begin, end = parameters.integer("start"), parameters.integer("end")
        now_ms = self.venue_time_ms()
        until = now_ms if end is None else min(end, now_ms)
        candles = market.candles.spans(span_ms, begin or 0, until + 1)
        # With a begin alone the ones that follow it, else the newest.
        page = candles[:count] if begin is not None and end is None else candles[-count:]
        return {
            "symbol": symbol_of(market),
            "category": parameters.category(),
            "list": [wire.kline(candle) for candle in page[::-1]],
        }

    def _market(self, parameters: Parameters) -> Market:
        return self.products.market(parameters.category(), parameters.text("symbol"))

    def _markets(self, parameters: Parameters) -> list[Market]:
        if parameters.optional("symbol"):
            return [self._market(parameters)]
        return self.products.all(parameters.category())

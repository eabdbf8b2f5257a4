"""What anybody may ask of OKX: its instruments, its market data, its clock. Parameters in, the ``data`` out.

Invariant: times of the market are the venue's recorded time, the server's time is the wall's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.okx import wire
from algotrendy_simulator.venues.okx.parameters import Parameters
from algotrendy_simulator.venues.okx.products import Products
from algotrendy_simulator.venues.okx.refusals import parameter
from algotrendy_simulator.venues.okx.wire import Json


@dataclass(frozen=True, slots=True)
class PublicOperations:
    products: Products
    clock: Clock
    venue_time_ms: Callable[[], int]

    def time(self, parameters: Parameters) -> list[Json]:
        return [{"ts": str(to_ms(self.clock.now()))}]

    def status(self, parameters: Parameters) -> list[Json]:
        """Nothing is planned."""
        return []

    def instruments(self, parameters: Parameters) -> list[Json]:
        listed = self.products.all(parameters.text("instType"))
        wanted = parameters.optional("instId")
        if wanted is not None:
            listed = [market for market in listed if market is self.products.market(wanted)]
        return [wire.instrument(market) for market in listed]

    def ticker(self, parameters: Parameters) -> list[Json]:
        return [wire.ticker(self._market(parameters), self.venue_time_ms())]

    def tickers(self, parameters: Parameters) -> list[Json]:
        now_ms = self.venue_time_ms()
        return [wire.ticker(market, now_ms) for market in self.products.all(parameters.text("instType"))]

    def mark_prices(self, parameters: Parameters) -> list[Json]:
        shown = (wire.ticker(market, self.venue_time_ms()) for market in self.products.all(parameters.text("instType")))
        return [{"instType": one["instType"], "instId": one["instId"], "markPx": one["last"], "ts": one["ts"]}
                for one in shown]  # fmt: skip

    def books(self, parameters: Parameters) -> list[Json]:
        depth = min(parameters.integer("sz") or 1, 400)
        return [wire.book(self._market(parameters), depth, self.venue_time_ms())]

    def trades(self, parameters: Parameters) -> list[Json]:
        """Newest first."""
        market = self._market(parameters)
        newest = list(market.tape)[: -parameters.limit(100, 500) - 1 : -1]
        return [wire.trade(market, trade) for trade in newest]

    def candles(self, parameters: Parameters) -> list[list[str]]:
        """Newest first: those before ``after`` and behind ``before``, as OKX has it."""
        market = self._market(parameters)
        bar = parameters.optional("bar") or "1m"
        span_ms = wire.BARS_MS.get(bar)
        if span_ms is None:
            raise parameter("bar")
        now_ms = self.venue_time_ms()
        until, since = parameters.integer("after"), parameters.integer("before")
        end = now_ms + 1 if until is None else min(until, now_ms + 1)
        found = market.candles.spans(span_ms, 0 if since is None else since + 1, end)
        found = [candle for candle in found if candle.open_time_ms < end][-parameters.limit(100, 300) :]
        return [wire.candle(market, one, one.open_time_ms + span_ms <= now_ms) for one in found[::-1]]

    def _market(self, parameters: Parameters) -> Market:
        return self.products.market(parameters.text("instId"))

"""What anybody may ask: products, books, trades, candles, the clock. Parameters in, JSON out.

Invariant: times of the market are the venue's recorded time, the server's time is the wall's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.binance.wire import best_levels
from algotrendy_simulator.venues.coinbase import wire
from algotrendy_simulator.venues.coinbase.identity import Products, product_id
from algotrendy_simulator.venues.coinbase.parameters import Parameters
from algotrendy_simulator.venues.coinbase.refusals import invalid, no_product
from algotrendy_simulator.venues.coinbase.wire import Json

_MOST_CANDLES = 350


@dataclass(frozen=True, slots=True)
class PublicOperations:
    products: Products
    clock: Clock
    venue_time_ms: Callable[[], int]

    def time(self, parameters: Parameters) -> Json:
        now_ms = to_ms(self.clock.now())
        return {"iso": wire.instant(now_ms), "epochSeconds": str(now_ms // 1000), "epochMillis": str(now_ms)}

    def list_products(self, parameters: Parameters) -> Json:
        asked = parameters.many("product_ids")
        spot = parameters.optional("product_type") in (None, "SPOT", "UNKNOWN_PRODUCT_TYPE")
        now_ms = self.venue_time_ms()
        found = [
            wire.product(market, now_ms)
            for market in self.products.all()
            if spot and (not asked or product_id(market) in asked)
        ]
        return {"products": found, "num_products": len(found)}

    def product(self, parameters: Parameters) -> Json:
        return wire.product(self.market(parameters.text("product_id")), self.venue_time_ms())

    def book(self, parameters: Parameters) -> Json:
        market = self.market(parameters.text("product_id"))
        bid, ask = best_levels(market)
        middle = (bid[0] + ask[0]) / 2
        return {
            "pricebook": wire.book(market, parameters.limit(1000, 1000), self.venue_time_ms()),
            "last": str(market.last_price),
            "mid_market": str(middle),
            "spread_absolute": str(ask[0] - bid[0]),
        }

    def best_bid_ask(self, parameters: Parameters) -> Json:
        asked = parameters.many("product_ids")
        markets = [self.market(name) for name in asked] if asked else self.products.all()
        return {"pricebooks": [wire.book(market, 1, self.venue_time_ms()) for market in markets]}

    def trades(self, parameters: Parameters) -> Json:
        """``ticker``: the newest trades, and the best prices."""
        market = self.market(parameters.text("product_id"))
        newest = list(market.tape)[-parameters.limit(100, 1000) :]
        bid, ask = best_levels(market)
        product = product_id(market)
        return {
            "trades": [wire.trade(printed, product) | {"bid": "", "ask": ""} for printed in reversed(newest)],
            "best_bid": str(bid[0]),
            "best_ask": str(ask[0]),
        }

    def candles(self, parameters: Parameters) -> Json:
        market = self.market(parameters.text("product_id"))
        span_ms = wire.GRANULARITIES_MS.get(parameters.text("granularity"))
        if span_ms is None:
            raise invalid("granularity")
        begin, end = (_seconds(parameters, name) for name in ("start", "end"))
        if (end - begin) * 1000 > _MOST_CANDLES * span_ms:
            raise invalid(f"number of candles requested should be less than {_MOST_CANDLES}")
        found = market.candles.spans(span_ms, begin * 1000, min(end * 1000, self.venue_time_ms()) + 1)
        return {"candles": [wire.candle(candle) for candle in reversed(found)]}

    def currencies(self, parameters: Parameters) -> Json:
        """The old fiat list, for clients that load it."""
        return {"data": []}

    def crypto_currencies(self, parameters: Parameters) -> Json:
        markets = self.products.all()
        assets = sorted({asset for market in markets for asset in (market.instrument.base, market.instrument.quote)})
        return {
            "data": [
                {"asset_id": asset, "code": asset, "name": asset, "color": "", "exponent": 8, "type": "crypto"}
                for asset in assets
            ]
        }

    def rates(self, parameters: Parameters) -> Json:
        return {"data": {"currency": "USD", "rates": {}}}

    def market(self, product: str) -> Market:
        found = self.products.find(product)
        if found is None:
            raise no_product(product)
        return found


def _seconds(parameters: Parameters, name: str) -> int:
    text = parameters.text(name)
    if not text.isdecimal():
        raise invalid(name)
    return int(text)

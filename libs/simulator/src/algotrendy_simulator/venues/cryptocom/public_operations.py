"""What anybody may ask of Crypto.com: its instruments and its market data. Parameters in, the ``result`` out.

Invariant: times of the market are the venue's recorded time. Perpetuals of the simulation are not listed here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from algotrendy_common.enums import Side
from algotrendy_common.money import plain
from algotrendy_core.instruments import InstrumentKind

from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.cryptocom import wire
from algotrendy_simulator.venues.cryptocom.refusals import INVALID_INSTRUMENT, CryptocomError, malformed
from algotrendy_simulator.venues.cryptocom.requests import Parameters
from algotrendy_simulator.venues.cryptocom.wire import Json, name_of


class Instruments:
    """Crypto.com's names, ``BTC_USDT``."""

    def __init__(self, exchange: Exchange) -> None:
        spot = (market for market in exchange.markets.values() if market.instrument.kind is InstrumentKind.SPOT)
        self.by_name = {name_of(market): market for market in spot}
        self._by_symbol = {market.wire_symbol: market for market in self.by_name.values()}

    def named(self, name: str) -> Market:
        found = self.by_name.get(name)
        if found is None:
            raise CryptocomError(*INVALID_INSTRUMENT)
        return found

    def of_engine(self, symbol: str) -> Market | None:
        """By the exchange's own key; None for what is not listed."""
        return self._by_symbol.get(symbol)


@dataclass(frozen=True, slots=True)
class PublicOperations:
    instruments: Instruments
    venue_time_ms: Callable[[], int]

    def list_instruments(self, parameters: Parameters) -> Json:
        return {"data": [wire.instrument(market) for market in self.instruments.by_name.values()]}

    def risk_parameters(self, parameters: Parameters) -> Json:
        """The one place where the least value of an order stands, by base currency."""
        rows = [
            {
                "instrument_name": market.instrument.base,
                "min_order_notional_usd": plain(market.instrument.min_notional),
                "max_order_notional_usd": "10000000",
            }
            for market in self.instruments.by_name.values()
        ]
        return {"default_max_product_leverage_for_spot": "1.0", "base_currency_config": rows}

    def tickers(self, parameters: Parameters) -> Json:
        name = parameters.optional("instrument_name")
        asked = self.instruments.by_name.values() if name is None else [self.instruments.named(name)]
        now_ms = self.venue_time_ms()
        return {"data": [wire.ticker(market, now_ms) for market in asked]}

    def book(self, parameters: Parameters) -> Json:
        market = self._market(parameters)
        depth = parameters.limit("depth", 50)
        book = market.engine.book
        data = {
            "bids": wire.levels(book.levels(Side.BUY, depth)),
            "asks": wire.levels(book.levels(Side.SELL, depth)),
            "t": self.venue_time_ms(),
            "tt": self.venue_time_ms(),
            "u": book.sequence,
        }
        return {"instrument_name": name_of(market), "depth": depth, "data": [data]}

    def trades(self, parameters: Parameters) -> Json:
        """Newest first."""
        market = self._market(parameters)
        count = parameters.limit("count", 150)
        return {"data": [wire.public_trade(market, trade) for trade in list(market.tape)[: -count - 1 : -1]]}

    def candles(self, parameters: Parameters) -> Json:
        market = self._market(parameters)
        timeframe = parameters.optional("timeframe") or "5m"
        span_ms = wire.TIMEFRAMES_MS.get(timeframe)
        if span_ms is None:
            raise malformed("timeframe")
        begin, end = parameters.integer("start_ts") or 0, parameters.integer("end_ts")
        now_ms = self.venue_time_ms()
        until = now_ms + 1 if end is None else min(end, now_ms + 1)
        found = market.candles.spans(span_ms, begin, until)[-parameters.limit("count", 300) :]
        return {
            "interval": timeframe,
            "instrument_name": name_of(market),
            "data": [wire.candle(candle) for candle in found],
        }

    def _market(self, parameters: Parameters) -> Market:
        return self.instruments.named(parameters.text("instrument_name"))

"""What anybody may ask: pairs, assets, books, trades, candles, the clock. Parameters in, JSON out.

Invariant: times of the market are the venue's recorded time, the server's time is the wall's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.kraken import wire
from algotrendy_simulator.venues.kraken.identity import Pairs, asset_id, pair_id
from algotrendy_simulator.venues.kraken.parameters import Parameters
from algotrendy_simulator.venues.kraken.refusals import UNKNOWN_PAIR, KrakenError, invalid
from algotrendy_simulator.venues.kraken.wire import Json

_MOST_CANDLES = 720
_MOST_TRADES = 1000


@dataclass(frozen=True, slots=True)
class PublicOperations:
    pairs: Pairs
    clock: Clock
    venue_time_ms: Callable[[], int]

    def time(self, parameters: Parameters) -> Json:
        now = self.clock.now()
        return {"unixtime": to_ms(now) // 1000, "rfc1123": f"{now:%a, %d %b %y %H:%M:%S} +0000"}

    def status(self, parameters: Parameters) -> Json:
        return {"status": "online", "timestamp": wire.instant(to_ms(self.clock.now()))}

    def assets(self, parameters: Parameters) -> Json:
        return {asset_id(name): wire.asset(name) for name in self.pairs.assets()}

    def asset_pairs(self, parameters: Parameters) -> Json:
        return {pair_id(market): wire.pair(market) for market in self._markets(parameters)}

    def ticker(self, parameters: Parameters) -> Json:
        now_ms = self.venue_time_ms()
        return {pair_id(market): wire.ticker(market, now_ms) for market in self._markets(parameters)}

    def depth(self, parameters: Parameters) -> Json:
        market = self.market(parameters.text("pair"))
        depth = min(parameters.integer("count", 100) or 100, 500)
        return {pair_id(market): wire.book(market, depth, self.venue_time_ms() // 1000)}

    def trades(self, parameters: Parameters) -> Json:
        """From ``since``, in nanoseconds or seconds, on; the newest where it is not given."""
        market = self.market(parameters.text("pair"))
        count = min(parameters.integer("count", _MOST_TRADES) or _MOST_TRADES, _MOST_TRADES)
        since_ms = _since_ms(parameters)
        found = [printed for printed in market.tape if since_ms is None or printed.time_ms > since_ms]
        found = found[-count:] if since_ms is None else found[:count]
        last_ms = found[-1].time_ms if found else self.venue_time_ms()
        return {pair_id(market): [wire.trade(market, printed) for printed in found], "last": str(last_ms * 1_000_000)}

    def candles(self, parameters: Parameters) -> Json:
        market = self.market(parameters.text("pair"))
        span_ms = wire.INTERVALS_MS.get(parameters.integer("interval", 1))
        if span_ms is None:
            raise invalid("interval")
        now_ms = self.venue_time_ms()
        begin = max(_since_ms(parameters) or 0, now_ms - now_ms % span_ms - (_MOST_CANDLES - 1) * span_ms)
        found = market.candles.spans(span_ms, begin, now_ms + 1)
        last = found[-2].open_time_ms // 1000 if len(found) > 1 else 0
        return {pair_id(market): [wire.candle(market, candle) for candle in found], "last": last}

    def market(self, name: str) -> Market:
        found = self.pairs.find(name)
        if found is None:
            raise KrakenError(UNKNOWN_PAIR)
        return found

    def _markets(self, parameters: Parameters) -> list[Market]:
        names = parameters.names("pair")
        return [self.market(name) for name in names] if names else self.pairs.all()


def _since_ms(parameters: Parameters) -> int | None:
    text = parameters.optional("since")
    if text is None:
        return None
    if not text.isdecimal():
        raise invalid("since")
    number = int(text)
    return number // 1_000_000 if number > 10**14 else number * 1000

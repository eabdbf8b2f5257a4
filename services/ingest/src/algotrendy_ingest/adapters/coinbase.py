"""Coinbase's public REST, Advanced Trade, of its spot products.

Invariant: what is not exactly a trade or a candle raises (ValueError, KeyError, TypeError); nothing is guessed and
nothing passes through a float. A minute without a trade has no candle.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.lean_ccxt import load_ccxt
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.ccxt_rest import CcxtRest
from algotrendy_ingest.adapters.numbers import number, positive
from algotrendy_ingest.domain.ticks import TradeTick
from algotrendy_ingest.wire.coinbase_words import VENUE, bar_of, market_of, trade_of

ccxt = load_ccxt("coinbase")

GRANULARITIES = {
    Timeframe.M1: "ONE_MINUTE",
    Timeframe.M5: "FIVE_MINUTE",
    Timeframe.M15: "FIFTEEN_MINUTE",
    Timeframe.H1: "ONE_HOUR",
    Timeframe.H4: "FOUR_HOUR",
    Timeframe.D1: "ONE_DAY",
}
_PAGE = 349
"""Of 350, one less: whether both ends of a range belong to it is told in two ways."""
_EMPTY_PAGES = 20
_TRADES = 1000


class CoinbaseRest(CcxtRest):
    venue: ClassVar[str] = VENUE

    def new_exchange(self, symbols: tuple[str, ...]) -> Any:
        exchange = ccxt.async_support.coinbase()
        exchange.has["fetchCurrencies"] = False  # nothing here needs it
        return exchange

    def ccxt_name(self, symbol: str) -> str:
        return market_of(symbol).id.replace("-", "/")

    def instrument_of(self, symbol: str, market: dict[str, Any]) -> InstrumentInfo:
        return instrument_of(symbol, market)

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        """A range is named in full there. Pages without a trade are passed over, so that what follows them is found."""
        page = _PAGE * timedelta(seconds=timeframe.seconds)
        last = end or await self._now_there(symbol) + timedelta(seconds=timeframe.seconds)
        begin = start or last - page
        for _ in range(_EMPTY_PAGES):
            bars = await self._page(symbol, timeframe, begin, min(begin + page, last))
            begin += page
            if bars or begin >= last:
                break
        return bars

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        query = {"product_id": symbol, "limit": _TRADES}
        answer = await self.asked(self._exchange.v3PublicGetBrokerageMarketProductsProductIdTicker(query))
        received = self.now()
        trades = [trade_of(row, symbol, received) for row in answer["trades"]]
        return sorted(trades, key=lambda trade: trade.sequence or 0)

    async def _page(self, symbol: str, timeframe: Timeframe, begin: datetime, end: datetime) -> list[Bar]:
        query = {
            "product_id": symbol,
            "granularity": GRANULARITIES[timeframe],
            "start": str(to_ms(begin) // 1000),
            "end": str(to_ms(end) // 1000),
        }
        answer = await self.asked(self._exchange.v3PublicGetBrokerageMarketProductsProductIdCandles(query))
        bars = sorted(
            (bar_of(row, timeframe, complete=True) for row in answer["candles"]), key=lambda bar: bar.open_time
        )
        return [bar for bar in bars if begin <= bar.open_time < end]

    async def _now_there(self, symbol: str) -> datetime:
        """A venue elsewhere may play recorded data, and not be of our time: it is as late there as its newest trade."""
        if not self._elsewhere:
            return self._clock.now()
        if self._venue_time is None:
            trades = await self.recent_trades(symbol)
            self.is_now(trades[-1].event_time if trades else self._clock.now())
        assert self._venue_time is not None
        return self._venue_time


def instrument_of(symbol: str, market: dict[str, Any]) -> InstrumentInfo:
    """From the listing as Coinbase wrote it (``market/products``); ccxt's own numbers are floats."""
    listed = market["info"]
    if listed["product_type"] != "SPOT":
        raise ValueError(f"{listed['product_id']} is a {listed['product_type']}")
    return InstrumentInfo(
        venue=VENUE,
        symbol=symbol,
        base=listed["base_currency_id"],
        quote=listed["quote_currency_id"],
        price_step=positive(listed["price_increment"]),
        quantity_step=positive(listed["base_increment"]),
        min_quantity=positive(listed["base_min_size"]),
        max_quantity=positive(listed["base_max_size"]),
        min_notional=number(listed["quote_min_size"]),
        maker_fee=Decimal(str(market["maker"])),
        taker_fee=Decimal(str(market["taker"])),
    )

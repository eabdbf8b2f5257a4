"""OKX's public REST, of spot and of USDT perpetual swaps.

Invariant: what is not exactly a trade or a candle raises (ValueError, KeyError, TypeError); nothing is guessed and
nothing passes through a float. Sizes of a swap are contracts there and base here.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.lean_ccxt import load_ccxt
from algotrendy_common.money import ZERO
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.ccxt_rest import CcxtRest
from algotrendy_ingest.adapters.numbers import positive
from algotrendy_ingest.domain.ticks import TradeTick
from algotrendy_ingest.wire.okx import PERPETUAL, bar_of, id_of, trade_of
from algotrendy_ingest.wire.protocol import WireMarket

ccxt = load_ccxt("okx")

VENUE = "okx"
BARS = {
    Timeframe.M1: "1m",
    Timeframe.M5: "5m",
    Timeframe.M15: "15m",
    Timeframe.H1: "1H",
    Timeframe.H4: "4H",
    Timeframe.D1: "1Dutc",
}
_PAGE, _OLDER_PAGE = 300, 100
_RECENT_BARS = 1400
"""``candles`` has the newest 1,440 of a timeframe, the growing one among them; ``history-candles`` all that ended."""
_TRADES = 500


class OkxRest(CcxtRest):
    venue: ClassVar[str] = VENUE

    def new_exchange(self, symbols: tuple[str, ...]) -> Any:
        kinds = sorted({"swap" if symbol.endswith(PERPETUAL) else "spot" for symbol in symbols})
        exchange = ccxt.async_support.okx({"options": {"defaultType": "spot", "fetchMarkets": {"types": kinds}}})
        exchange.has["fetchCurrencies"] = False  # it needs a key
        return exchange

    def ccxt_name(self, symbol: str) -> str:
        base, quote, *perpetual = symbol.split("-")
        return f"{base}/{quote}:{quote}" if perpetual else f"{base}/{quote}"

    def instrument_of(self, symbol: str, market: dict[str, Any]) -> InstrumentInfo:
        return instrument_of(symbol, market)

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        """A page that begins at ``start``: OKX pages backwards, so a page's end is named along with its beginning."""
        query: dict[str, Any] = {"instId": id_of(symbol), "bar": BARS[timeframe], "limit": str(_PAGE)}
        ask = self._exchange.publicGetMarketCandles
        if start is not None:
            step = timedelta(seconds=timeframe.seconds)
            now, rows = self._venue_time, _PAGE
            if now is not None and start < now - _RECENT_BARS * step:
                ask, rows = self._exchange.publicGetMarketHistoryCandles, _OLDER_PAGE
            page_end = start + rows * step
            query |= {"before": str(to_ms(start) - 1), "after": str(to_ms(min(end or page_end, page_end)))}
            query["limit"] = str(rows)
        answer = await self.asked(ask(query))
        return [bar_of(row, timeframe, symbol.endswith(PERPETUAL)) for row in reversed(answer["data"])]

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        query = {"instId": id_of(symbol), "limit": str(_TRADES)}
        answer = await self.asked(self._exchange.publicGetMarketTrades(query))
        received, names = self.now(), WireMarket(symbol, id_of(symbol), self._known[symbol].contract_size)
        return [trade_of(row, names, received) for row in reversed(answer["data"])]


def instrument_of(symbol: str, market: dict[str, Any]) -> InstrumentInfo:
    """From the listing as OKX wrote it (``/api/v5/public/instruments``); ccxt's own numbers are floats.

    Raises ValueError for a swap that is not settled in its quote currency: its profit would be in another.
    """
    listed = market["info"]
    swap = listed["instType"] == "SWAP"
    if swap and listed["ctType"] != "linear":
        raise ValueError(f"{listed['instId']} is not linear")
    size = positive(listed["ctVal"]) * positive(listed["ctMult"] or "1") if swap else Decimal(1)
    base, quote = (listed["ctValCcy"], listed["settleCcy"]) if swap else (listed["baseCcy"], listed["quoteCcy"])
    return InstrumentInfo(
        venue=VENUE,
        symbol=symbol,
        base=base,
        quote=quote,
        price_step=positive(listed["tickSz"]),
        quantity_step=positive(listed["lotSz"]) * size,
        min_quantity=positive(listed["minSz"]) * size,
        max_quantity=positive(listed["maxLmtSz"]) * size,
        min_notional=ZERO,  # OKX sets no least value of an order
        maker_fee=Decimal(str(market["maker"])),
        taker_fee=Decimal(str(market["taker"])),
        kind="perpetual" if swap else "spot",
        contract_size=size,
        max_leverage=positive(listed["lever"]) if swap else Decimal(1),
    )

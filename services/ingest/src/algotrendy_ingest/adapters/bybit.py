"""Bybit's public REST, v5: spot and linear perpetuals, told apart by ``category``.

Invariant: what is not exactly a trade or a candle raises (ValueError, KeyError, TypeError); nothing is guessed and
nothing passes through a float. Sizes of a linear perpetual are base there as well.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from algotrendy_common.clock import from_ms, to_ms
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.lean_ccxt import load_ccxt
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.ccxt_rest import CcxtRest
from algotrendy_ingest.adapters.numbers import number, positive
from algotrendy_ingest.domain.ticks import Stamp, TradeTick
from algotrendy_ingest.wire.bybit import INTERVALS
from algotrendy_ingest.wire.bybit_names import PERPETUAL, id_of

ccxt = load_ccxt("bybit")

VENUE = "bybit"
_INTERVAL = {timeframe: name for name, timeframe in INTERVALS.items()}
_PAGE = 1000
_TRADES = {"spot": 60, "linear": 1000}
"""The most that each category gives."""


class BybitRest(CcxtRest):
    venue: ClassVar[str] = VENUE

    def new_exchange(self, symbols: tuple[str, ...]) -> Any:
        kinds = sorted({_category(symbol) for symbol in symbols})
        exchange = ccxt.async_support.bybit({"options": {"defaultType": "spot", "fetchMarkets": {"types": kinds}}})
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
        """Bybit gives the newest of a range, so the range is no longer than a page; its end is inclusive there."""
        query: dict[str, Any] = {
            "category": _category(symbol), "symbol": id_of(symbol), "interval": _INTERVAL[timeframe], "limit": _PAGE,
        }  # fmt: skip
        if start is not None:
            page_end = start + _PAGE * timedelta(seconds=timeframe.seconds)
            query |= {"start": to_ms(start), "end": to_ms(min(end or page_end, page_end)) - 1}
        elif end is not None:
            query["end"] = to_ms(end) - 1
        answer = await self.asked(self._exchange.publicGetV5MarketKline(query))
        return [bar_of(row, timeframe) for row in reversed(answer["result"]["list"])]

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        category = _category(symbol)
        query = {"category": category, "symbol": id_of(symbol), "limit": _TRADES[category]}
        answer = await self.asked(self._exchange.publicGetV5MarketRecentTrade(query))
        received = self.now()
        return [trade_of(row, symbol, received) for row in reversed(answer["result"]["list"])]


def _category(symbol: str) -> str:
    return "linear" if symbol.endswith(PERPETUAL) else "spot"


def bar_of(row: list[Any], timeframe: Timeframe) -> Bar:
    """A row of ``kline``, of spot or of a linear perpetual. Bybit does not count the trades of a candle."""
    return Bar(
        timeframe,
        from_ms(int(row[0])),
        positive(row[1]),
        positive(row[2]),
        positive(row[3]),
        positive(row[4]),
        volume=number(row[5]),
        quote_volume=number(row[6]),
        trade_count=0,
        complete=True,
    )


def trade_of(row: dict[str, Any], symbol: str, received: Stamp) -> TradeTick:
    """A row of ``recent-trade``; the ids are those of the socket."""
    return TradeTick(
        symbol=symbol,
        trade_id=str(row["execId"]),
        sequence=None,
        price=positive(row["price"]),
        quantity=positive(row["size"]),
        side=Side(row["side"].lower()),
        event_time=from_ms(int(row["time"])),
        received=received,
    )


def instrument_of(symbol: str, market: dict[str, Any]) -> InstrumentInfo:
    """From the listing as Bybit wrote it (``/v5/market/instruments-info``); ccxt's own numbers are floats.

    Raises ValueError for a contract that is not settled in its quote currency: its profit would be in another.
    """
    listed = market["info"]
    linear = symbol.endswith(PERPETUAL)
    if linear and listed["contractType"] != "LinearPerpetual":
        raise ValueError(f"{listed['symbol']} is no linear perpetual")
    lot = listed["lotSizeFilter"]
    return InstrumentInfo(
        venue=VENUE,
        symbol=symbol,
        base=listed["baseCoin"],
        quote=listed["quoteCoin"],
        price_step=positive(listed["priceFilter"]["tickSize"]),
        quantity_step=positive(lot["qtyStep"] if linear else lot["basePrecision"]),
        min_quantity=positive(lot["minOrderQty"]),
        max_quantity=positive(lot.get("maxLimitOrderQty") or lot["maxOrderQty"]),
        min_notional=number(lot["minNotionalValue"] if linear else lot["minOrderAmt"]),
        maker_fee=Decimal(str(market["maker"])),
        taker_fee=Decimal(str(market["taker"])),
        kind="perpetual" if linear else "spot",
        max_leverage=positive(listed["leverageFilter"]["maxLeverage"]) if linear else Decimal(1),
    )

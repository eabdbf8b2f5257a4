"""Binance's public REST: spot, and USDT perpetuals behind paths and an address of their own.

Invariant: what is not exactly a trade or a candle raises (ValueError, KeyError, TypeError); nothing is guessed and
nothing passes through a float. Trades of perpetuals are those that the socket tells: a taker's at one price together.
"""

from datetime import datetime
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
from algotrendy_ingest.wire.binance import aggregate_of
from algotrendy_ingest.wire.binance_names import PERPETUAL, id_of

ccxt = load_ccxt("binance")

VENUE = "binance"
_PAGE = 1000
_MAX_LEVERAGE = Decimal(20)
"""What every account may have; more is told only to the account itself."""


class BinanceRest(CcxtRest):
    venue: ClassVar[str] = VENUE
    hosts: ClassVar[dict[str, str]] = {"/fapi": "https://fapi.binance.com"}

    def new_exchange(self, symbols: tuple[str, ...]) -> Any:
        kinds = sorted({"linear" if symbol.endswith(PERPETUAL) else "spot" for symbol in symbols})
        return ccxt.async_support.binance({"options": {"defaultType": "spot", "fetchMarkets": {"types": kinds}}})

    def ccxt_name(self, symbol: str) -> str:
        base, quote, *perpetual = symbol.split("-")
        return f"{base}/{quote}:{quote}" if perpetual else f"{base}/{quote}"

    def instrument_of(self, symbol: str, market: dict[str, Any]) -> InstrumentInfo:
        return instrument_of(symbol, market)

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        query: dict[str, Any] = {"symbol": id_of(symbol), "interval": timeframe.value, "limit": _PAGE}
        if start is not None:
            query["startTime"] = to_ms(start)
        if end is not None:
            query["endTime"] = to_ms(end) - 1
        perpetual = symbol.endswith(PERPETUAL)
        ask = self._exchange.fapiPublicGetKlines if perpetual else self._exchange.publicGetKlines
        return [bar_of(row, timeframe) for row in await self.asked(ask(query))]

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        query = {"symbol": id_of(symbol), "limit": _PAGE}
        perpetual = symbol.endswith(PERPETUAL)
        ask = self._exchange.fapiPublicGetAggTrades if perpetual else self._exchange.publicGetTrades
        rows, received = await self.asked(ask(query)), self.now()
        if perpetual:
            return [aggregate_of(row | {"T": int(row["T"])}, symbol, received) for row in rows]
        return [historic_trade_of(row, symbol, received) for row in rows]


def bar_of(row: list[Any], timeframe: Timeframe) -> Bar:
    """A row of ``klines``."""
    return Bar(
        timeframe,
        from_ms(int(row[0])),
        positive(row[1]),
        positive(row[2]),
        positive(row[3]),
        positive(row[4]),
        volume=number(row[5]),
        quote_volume=number(row[7]),
        trade_count=int(row[8]),
        complete=True,
    )


def historic_trade_of(row: dict[str, Any], symbol: str, received: Stamp) -> TradeTick:
    """A row of ``/api/v3/trades``."""
    sequence = int(row["id"])
    return TradeTick(
        symbol=symbol,
        trade_id=str(sequence),
        sequence=sequence,
        price=positive(row["price"]),
        quantity=positive(row["qty"]),
        side=Side.SELL if row["isBuyerMaker"] else Side.BUY,
        event_time=from_ms(int(row["time"])),
        received=received,
    )


def instrument_of(symbol: str, market: dict[str, Any]) -> InstrumentInfo:
    """From the filters as Binance wrote them; ccxt's own numbers are floats."""
    filters = {entry["filterType"]: entry for entry in market["info"]["filters"]}
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {"minNotional": "0"}
    perpetual = symbol.endswith(PERPETUAL)
    base, _, quote = symbol.removesuffix(PERPETUAL).partition("-")
    return InstrumentInfo(
        venue=VENUE,
        symbol=symbol,
        base=base,
        quote=quote,
        price_step=Decimal(filters["PRICE_FILTER"]["tickSize"]),
        quantity_step=Decimal(filters["LOT_SIZE"]["stepSize"]),
        min_quantity=Decimal(filters["LOT_SIZE"]["minQty"]),
        max_quantity=Decimal(filters["LOT_SIZE"]["maxQty"]),
        min_notional=Decimal(notional.get("minNotional") or notional["notional"]),
        maker_fee=Decimal(str(market["maker"])),
        taker_fee=Decimal(str(market["taker"])),
        kind="perpetual" if perpetual else "spot",
        max_leverage=_MAX_LEVERAGE if perpetual else Decimal(1),
    )

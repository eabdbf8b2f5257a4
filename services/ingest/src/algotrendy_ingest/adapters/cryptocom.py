"""Crypto.com's public REST, Exchange API v1: pairs, and perpetuals quoted and settled in USD.

Invariant: what is not exactly a trade or a candle raises (ValueError, KeyError, TypeError); nothing is guessed and
nothing passes through a float. The least value of an order stands apart from the listing, by base currency.
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
from algotrendy_ingest.adapters.numbers import number, positive
from algotrendy_ingest.domain.ticks import TradeTick
from algotrendy_ingest.wire.cryptocom import PERPETUAL, TIMEFRAMES, CryptocomLine, bar_of, tape_order, trade_of

ccxt = load_ccxt("cryptocom")

VENUE = "cryptocom"
_TIMEFRAME = {timeframe: name for name, timeframe in TIMEFRAMES.items()}
_PAGE = 300
_TRADES = 150
_UNBOUNDED = Decimal(10**9)
"""No largest quantity is told."""


class CryptocomRest(CcxtRest):
    venue: ClassVar[str] = VENUE

    def new_exchange(self, symbols: tuple[str, ...]) -> Any:
        self._least: dict[str, Decimal] | None = None
        exchange = ccxt.async_support.cryptocom()
        exchange.has["fetchCurrencies"] = False  # it needs a key
        return exchange

    def ccxt_name(self, symbol: str) -> str:
        base, quote, *perpetual = symbol.split("-")
        return f"{base}/{quote}:{quote}" if perpetual else f"{base}/{quote}"

    async def instruments(self) -> tuple[InstrumentInfo, ...]:
        await self._read_least_values()
        return await super().instruments()

    async def add(self, symbol: str) -> InstrumentInfo:
        await self._read_least_values()
        return await super().add(symbol)

    def instrument_of(self, symbol: str, market: dict[str, Any]) -> InstrumentInfo:
        return instrument_of(symbol, market, (self._least or {}).get(market["info"]["base_ccy"], ZERO))

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        """Crypto.com gives the newest of a range, so the range is no longer than a page."""
        query: dict[str, Any] = {
            "instrument_name": CryptocomLine.market_of(symbol).id, "timeframe": _TIMEFRAME[timeframe], "count": _PAGE,
        }  # fmt: skip
        if start is not None:
            page_end = start + _PAGE * timedelta(seconds=timeframe.seconds)
            query |= {"start_ts": to_ms(start), "end_ts": to_ms(min(end or page_end, page_end))}
        elif end is not None:
            query["end_ts"] = to_ms(end)
        answer = await self.asked(self._exchange.v1PublicGetPublicGetCandlestick(query))
        bars = sorted((bar_of(row, timeframe, True) for row in answer["result"]["data"]), key=lambda bar: bar.open_time)
        # Whether the beginning belongs to the range is told in two ways; the end does not.
        return [
            bar for bar in bars if (start is None or bar.open_time >= start) and (end is None or bar.open_time < end)
        ]

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        names = CryptocomLine.market_of(symbol)
        query = {"instrument_name": names.id, "count": _TRADES}
        answer = await self.asked(self._exchange.v1PublicGetPublicGetTrades(query))
        received = self.now()
        return [trade_of(row, names, received) for row in sorted(answer["result"]["data"], key=tape_order)]

    async def _read_least_values(self) -> None:
        if self._least is None:
            answer = await self.asked(self._exchange.v1PublicGetPublicGetRiskParameters())
            rows = answer["result"]["base_currency_config"]
            self._least = {row["instrument_name"]: number(row.get("min_order_notional_usd") or "0") for row in rows}


def instrument_of(symbol: str, market: dict[str, Any], min_notional: Decimal) -> InstrumentInfo:
    """From the listing as it was written (``public/get-instruments``); ccxt's own numbers are floats."""
    listed = market["info"]
    perpetual = listed["inst_type"] == "PERPETUAL_SWAP"
    if perpetual is not symbol.endswith(PERPETUAL):
        raise ValueError(f"{listed['symbol']} is a {listed['inst_type']}")
    step = positive(listed["qty_tick_size"])
    return InstrumentInfo(
        venue=VENUE,
        symbol=symbol,
        base=listed["base_ccy"],
        quote=listed["quote_ccy"],
        price_step=positive(listed["price_tick_size"]),
        quantity_step=step,
        min_quantity=step,
        max_quantity=_UNBOUNDED,
        min_notional=min_notional,
        maker_fee=Decimal(str(market["maker"])),
        taker_fee=Decimal(str(market["taker"])),
        kind="perpetual" if perpetual else "spot",
        max_leverage=positive(listed["max_leverage"]) if perpetual else Decimal(1),
    )

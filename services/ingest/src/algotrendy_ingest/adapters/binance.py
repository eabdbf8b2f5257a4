"""Binance spot's public data: sockets kept and books built by ccxt.pro, trades and quotes read from the raw message.

Invariant: as ``ccxt_feed``; trades are numbered without holes there, and a best price has neither a name nor a time.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from algotrendy_common.clock import Clock, from_ms, to_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.lean_ccxt import load_ccxt
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.binance_wire import (
    VENUE,
    bar_of,
    historic_trade_of,
    instrument_of,
    quote_of,
    trade_of,
)
from algotrendy_ingest.adapters.ccxt_feed import CcxtFeed, Tapped
from algotrendy_ingest.domain.ticks import Message, Stamp, Stream, TradeTick

ccxt = load_ccxt("binance")

_PAGE = 1000


class _Exchange(Tapped, ccxt.pro.binance):  # type: ignore[misc, name-defined]  # ccxt has no types
    """ccxt's Binance with a tap on its sockets."""


class BinanceFeed(CcxtFeed):
    """A ``Feed``."""

    def __init__(
        self,
        http_url: str,
        ws_url: str,
        symbols: tuple[str, ...],
        clock: Clock,
        *,
        book_interval: timedelta,
        mute_after: timedelta,
        mute_trades_after: timedelta,
    ) -> None:
        self._symbols = {symbol.replace("-", ""): symbol for symbol in symbols}
        config = {"options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}, "newUpdates": True}
        super().__init__(
            VENUE,
            _Exchange(config),
            http_url,
            ws_url,
            {symbol: symbol.replace("-", "/") for symbol in symbols},
            clock,
            book_interval=book_interval,
            mute_after=mute_after,
            mute_trades_after=mute_trades_after,
        )

    def _watches(self, names: list[str]) -> dict[Stream, tuple[Callable[[], Any], str]]:
        return {
            Stream.TRADES: (lambda: self._exchange.watch_trades_for_symbols(names), "trade::"),
            Stream.QUOTES: (lambda: self._exchange.watch_bids_asks(names), "bidask:"),
            Stream.BOOKS: (lambda: self._exchange.watch_order_book_for_symbols(names), "orderbook::"),
        }

    def _read(self, message: Any, received: Stamp, deliver: Callable[[Message], None]) -> bool:
        kind = message.get("e")
        if kind == "trade":
            trade = trade_of(message, self._symbols[message["s"]], received)
            self._heard(Stream.TRADES, received, trade.event_time)
            deliver(trade)
            return True
        if kind is None and "u" in message and "A" in message:
            event_time = self._venue_time or received.time
            quote = quote_of(message, self._symbols[message["s"]], event_time, received)
            self._heard(Stream.QUOTES, received)
            deliver(quote)
            return True
        if kind == "depthUpdate":
            self._heard(Stream.BOOKS, received, from_ms(int(message["E"])))
        return False

    def _instrument_of(self, symbol: str, market: dict[str, Any]) -> InstrumentInfo:
        return instrument_of(symbol, market)

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        query: dict[str, Any] = {"symbol": symbol.replace("-", ""), "interval": timeframe.value, "limit": _PAGE}
        if start is not None:
            query["startTime"] = to_ms(start)
        if end is not None:
            query["endTime"] = to_ms(end) - 1
        rows = await self._asked(self._exchange.publicGetKlines(query))
        return [bar_of(row, timeframe) for row in rows]

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        query = {"symbol": symbol.replace("-", ""), "limit": _PAGE}
        rows = await self._asked(self._exchange.publicGetTrades(query))
        received = self._now()
        trades = [historic_trade_of(row, symbol, received) for row in rows]
        if trades:
            self._is_now(trades[-1].event_time)
        return trades

"""OKX's public data, of spot and of USDT perpetual swaps, over one socket.

Invariant: as ``ccxt_feed``. Quantities leave in base, whatever a contract is; the ``trades`` channel puts a taker's
trades at one price together, and says how many, so that a hole on the tape still shows.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import Clock, from_ms, to_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.lean_ccxt import load_ccxt
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.ccxt_feed import CcxtFeed, Tapped
from algotrendy_ingest.adapters.okx_wire import (
    BARS,
    PERPETUAL,
    VENUE,
    bar_of,
    ccxt_name,
    instrument_of,
    market_id,
    quote_of,
    trade_of,
)
from algotrendy_ingest.domain.ticks import Message, Stamp, Stream, TradeTick

ccxt = load_ccxt("okx")

_PAGE, _OLDER_PAGE = 300, 100
_RECENT_BARS = 1400
"""``candles`` has the newest 1,440 of a timeframe, the growing one among them; ``history-candles`` all that ended."""
_TRADES = 500


class _Exchange(Tapped, ccxt.pro.okx):  # type: ignore[misc, name-defined]  # ccxt has no types
    """ccxt's OKX with a tap on its sockets."""


class OkxFeed(CcxtFeed):
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
        self._symbols = {market_id(symbol): symbol for symbol in symbols}
        kinds = sorted({"swap" if symbol.endswith(PERPETUAL) else "spot" for symbol in symbols})
        exchange = _Exchange({"options": {"defaultType": "spot", "fetchMarkets": {"types": kinds}}, "newUpdates": True})
        exchange.has["fetchCurrencies"] = False  # it needs a key
        super().__init__(
            VENUE,
            exchange,
            http_url,
            ws_url,
            {symbol: ccxt_name(symbol) for symbol in symbols},
            clock,
            book_interval=book_interval,
            mute_after=mute_after,
            mute_trades_after=mute_trades_after,
        )

    def _watches(self, names: list[str]) -> dict[Stream, tuple[Callable[[], Any], str]]:
        return {
            Stream.TRADES: (lambda: self._exchange.watch_trades_for_symbols(names), "trades:"),
            Stream.QUOTES: (lambda: self._exchange.watch_bids_asks(names), "bidask::"),
            Stream.BOOKS: (lambda: self._exchange.watch_order_book_for_symbols(names), "books:"),
        }

    def _read(self, message: Any, received: Stamp, deliver: Callable[[Message], None]) -> bool:
        if "data" not in message or "arg" not in message:
            return False
        channel = message["arg"]["channel"]
        if channel == "books":
            self._heard(Stream.BOOKS, received, from_ms(int(message["data"][0]["ts"])))
            return False
        if channel not in ("trades", "bbo-tbt"):
            return False
        symbol = self._symbols[message["arg"]["instId"]]
        size = self._size(symbol)
        for row in message["data"]:
            if channel == "trades":
                trade = trade_of(row, symbol, size, received)
                self._heard(Stream.TRADES, received, trade.event_time)
                deliver(trade)
            elif (quote := quote_of(row, symbol, size, received)) is not None:
                self._heard(Stream.QUOTES, received, quote.event_time)
                deliver(quote)
        return True

    def _size(self, symbol: str) -> Decimal:
        """Base in one unit of size; the instruments are known before anything is listened to."""
        return self._instruments[symbol].contract_size

    def _instrument_of(self, symbol: str, market: dict[str, Any]) -> InstrumentInfo:
        return instrument_of(symbol, market)

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        """A page that begins at ``start``: OKX pages backwards, so a page's end is named along with its beginning."""
        query: dict[str, Any] = {"instId": market_id(symbol), "bar": BARS[timeframe], "limit": str(_PAGE)}
        ask = self._exchange.publicGetMarketCandles
        if start is not None:
            step = timedelta(seconds=timeframe.seconds)
            now, rows = self._venue_time, _PAGE
            if now is not None and start < now - _RECENT_BARS * step:
                ask, rows = self._exchange.publicGetMarketHistoryCandles, _OLDER_PAGE
            page_end = start + rows * step
            query |= {"before": str(to_ms(start) - 1), "after": str(to_ms(min(end or page_end, page_end)))}
            query["limit"] = str(rows)
        answer = await self._asked(ask(query))
        return [bar_of(row, timeframe, symbol.endswith(PERPETUAL)) for row in reversed(answer["data"])]

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        query = {"instId": market_id(symbol), "limit": str(_TRADES)}
        answer = await self._asked(self._exchange.publicGetMarketTrades(query))
        received, size = self._now(), self._size(symbol)
        trades = [trade_of(row, symbol, size, received) for row in reversed(answer["data"])]
        if trades:
            self._is_now(trades[-1].event_time)
        return trades

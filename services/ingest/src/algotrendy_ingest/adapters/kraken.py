"""Kraken's public REST of its spot market.

Invariant: what is not exactly a trade or a candle raises (ValueError, KeyError, TypeError); nothing is guessed and
nothing passes through a float but the time of a trade, whose digits it keeps. Kraken gives the newest 720 candles of a
timeframe and none that are older: what is older is made of its trades.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.lean_ccxt import load_ccxt
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.bars import Bar, BarAggregator, interval_start

from algotrendy_ingest.adapters.ccxt_rest import CcxtRest
from algotrendy_ingest.adapters.numbers import number, positive
from algotrendy_ingest.domain.ticks import Stamp, TradeTick
from algotrendy_ingest.errors import VenueAway
from algotrendy_ingest.wire.kraken_words import TIMEFRAMES, VENUE, asset_of, bar_of, pair_of, unix_instant

ccxt = load_ccxt("kraken")

_MINUTES = {timeframe: minutes for minutes, timeframe in TIMEFRAMES.items()}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CANDLES = 720
_TRADE_PAGES = 10
"""Of one call: a request a second is what Kraken allows."""
_UNBOUNDED = Decimal(10**9)
"""No largest quantity is told."""


class KrakenRest(CcxtRest):
    venue: ClassVar[str] = VENUE
    trades_page = 1000

    def new_exchange(self, symbols: tuple[str, ...]) -> Any:
        exchange = ccxt.async_support.kraken({"enableRateLimit": not self._elsewhere})
        exchange.has["fetchCurrencies"] = False  # nothing here needs it
        return exchange

    def ccxt_name(self, symbol: str) -> str:
        return pair_of(symbol)

    def instrument_of(self, symbol: str, market: dict[str, Any]) -> InstrumentInfo:
        return instrument_of(symbol, market)

    def _pair(self, symbol: str) -> str:
        """As REST has it: ``XBTUSDT``."""
        altname: str = self._exchange.market(self.ccxt_name(symbol))["info"]["altname"]
        return altname

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        query: dict[str, Any] = {"pair": self._pair(symbol), "interval": _MINUTES[timeframe]}
        if start is not None:
            query["since"] = to_ms(start) // 1000 - 1  # whether that second itself belongs to it is told in two ways
        rows = _rows(await self.asked(self._exchange.publicGetOHLC(query)))
        bars = [rest_bar_of(row, timeframe) for row in rows]
        if start is not None and len(bars) >= _CANDLES and bars[0].open_time > start:
            reach = bars[0].open_time if end is None else min(end, bars[0].open_time)
            older = await self.bars_of_trades(symbol, timeframe, start, reach)
            if older:
                return older
        return [
            bar for bar in bars if (start is None or bar.open_time >= start) and (end is None or bar.open_time < end)
        ]

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        return await self._trades(symbol, {"count": self.trades_page})

    async def _trades(self, symbol: str, query: dict[str, Any]) -> list[TradeTick]:
        answer = await self.asked(self._exchange.publicGetTrades({"pair": self._pair(symbol)} | query))
        received = self.now()
        return [rest_trade_of(row, symbol, received) for row in _rows(answer)]

    async def bars_of_trades(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[Bar]:
        """Candles from ``start`` on that end by ``end``, as far as a few pages of trades reach; one at least."""
        since = interval_start(start, timeframe)
        made, bars = BarAggregator(timeframe, watching_since=since), list[Bar]()
        newest, pages = -1, 0
        while pages < _TRADE_PAGES or not bars:
            page = await self._trades(symbol, {"since": _nanoseconds(since) - 1, "count": self.trades_page})
            fresh = [trade for trade in page if (trade.sequence or 0) > newest]
            for trade in fresh:
                bars += made.add_trade(trade.event_time, trade.price, trade.quantity)
            if not fresh and len(page) == self.trades_page:
                raise VenueAway(f"{symbol} had more trades at {since} than can be paged through")
            if not fresh or fresh[-1].event_time >= end:
                bars += made.close_until(end)
                break
            since, newest, pages = fresh[-1].event_time, fresh[-1].sequence or 0, pages + 1
        return [bar for bar in bars if start <= bar.open_time < end]


def _nanoseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000


def _rows(answer: dict[str, Any]) -> list[Any]:
    """Of the one pair that was asked for, which may bear another of its names."""
    [rows] = (value for name, value in answer["result"].items() if name != "last")
    if not isinstance(rows, list):
        raise ValueError("no rows of a pair")
    return rows


def rest_bar_of(row: list[Any], timeframe: Timeframe) -> Bar:
    """A row of ``OHLC``: time, four prices, average price, volume, trades."""
    time, *prices, vwap, volume, trades = row
    return bar_of(timeframe, unix_instant(str(time)), prices, vwap, volume, trades, complete=True)


def rest_trade_of(row: list[Any], symbol: str, received: Stamp) -> TradeTick:
    """A row of ``Trades``: price, volume, time, side, kind of order, nothing, number."""
    price, volume, time, side, _, _, sequence = row
    return TradeTick(
        symbol=symbol,
        trade_id=str(int(sequence)),
        sequence=int(sequence),
        price=positive(price),
        quantity=positive(volume),
        side={"b": Side.BUY, "s": Side.SELL}[side],
        event_time=unix_instant(str(time)),
        received=received,
    )


def instrument_of(symbol: str, market: dict[str, Any]) -> InstrumentInfo:
    """From the listing as Kraken wrote it (``AssetPairs``); ccxt's own numbers are floats."""
    listed = market["info"]
    base, _, quote = listed["wsname"].partition("/")
    return InstrumentInfo(
        venue=VENUE,
        symbol=symbol,
        base=asset_of(base),
        quote=asset_of(quote),
        price_step=positive(listed["tick_size"]),
        quantity_step=Decimal(1).scaleb(-int(listed["lot_decimals"])),
        min_quantity=positive(listed["ordermin"]),
        max_quantity=_UNBOUNDED,
        min_notional=number(listed.get("costmin") or "0"),
        maker_fee=Decimal(str(market["maker"])),
        taker_fee=Decimal(str(market["taker"])),
    )

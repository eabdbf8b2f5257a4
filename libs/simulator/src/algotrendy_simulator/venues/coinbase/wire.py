"""Coinbase's JSON for what everybody may see: products, books, trades, candles, tickers.

Source: Coinbase Advanced Trade documentation, REST API and WebSocket channels. Invariant: pure; money is text without
needless zeros, times are RFC 3339 in UTC.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side
from algotrendy_common.money import plain
from algotrendy_core.order_book import Level

from algotrendy_simulator.candles import TapeCandle
from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.binance.wire import best_levels, day_statistics
from algotrendy_simulator.venues.coinbase.identity import product_id

type Json = dict[str, Any]

GRANULARITIES_MS = {
    "ONE_MINUTE": 60_000, "FIVE_MINUTE": 300_000, "FIFTEEN_MINUTE": 900_000, "THIRTY_MINUTE": 1_800_000,
    "ONE_HOUR": 3_600_000, "TWO_HOUR": 7_200_000, "FOUR_HOUR": 14_400_000, "SIX_HOUR": 21_600_000,
    "ONE_DAY": 86_400_000,
}  # fmt: skip
SIDES = {Side.BUY: "bid", Side.SELL: "offer"}


def instant(time_ms: int, microseconds: int = 0) -> str:
    return f"{from_ms(time_ms):%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}{microseconds:03d}Z"


def product(market: Market, time_ms: int) -> Json:
    instrument = market.instrument
    day = day_statistics(market, time_ms)
    return {
        "product_id": product_id(market),
        "price": plain(market.last_price),
        "price_percentage_change_24h": plain((day.close - day.open) / day.open * 100),
        "volume_24h": plain(day.volume),
        "volume_percentage_change_24h": "0",
        "base_increment": plain(instrument.quantity_step),
        "quote_increment": plain(instrument.price_step),
        "quote_min_size": plain(instrument.min_notional),
        "quote_max_size": "150000000",
        "base_min_size": plain(instrument.min_quantity),
        "base_max_size": plain(instrument.max_quantity),
        "base_name": instrument.base,
        "quote_name": instrument.quote,
        "watched": False,
        "is_disabled": False,
        "new": False,
        "status": "online",
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "trading_disabled": False,
        "auction_mode": False,
        "product_type": "SPOT",
        "quote_currency_id": instrument.quote,
        "base_currency_id": instrument.base,
        "fcm_trading_session_details": None,
        "mid_market_price": "",
        "alias": "",
        "alias_to": [],
        "base_display_symbol": instrument.base,
        "quote_display_symbol": instrument.quote,
        "view_only": False,
        "price_increment": plain(instrument.price_step),
        "display_name": product_id(market),
        "product_venue": "CBE",
        "approximate_quote_24h_volume": plain(day.quote_volume),
    }


def book(market: Market, depth: int, time_ms: int) -> Json:
    bids, asks = (_levels(market.engine.book.levels(side, depth)) for side in SIDES)
    return {"product_id": product_id(market), "bids": bids, "asks": asks, "time": instant(time_ms)}


def _levels(found: Iterable[Level]) -> list[Json]:
    return [{"price": plain(price), "size": plain(size)} for price, size in found]


def trade(printed: TapeTrade, product: str) -> Json:
    """``side`` is the maker's, as Coinbase has it."""
    return {
        "trade_id": str(printed.trade_id),
        "product_id": product,
        "price": plain(printed.price),
        "size": plain(printed.quantity),
        "time": instant(printed.time_ms),
        "side": printed.taker_side.opposite.upper(),
    }


def candle(shown: TapeCandle) -> Json:
    return {
        "start": str(shown.open_time_ms // 1000),
        "low": plain(shown.low),
        "high": plain(shown.high),
        "open": plain(shown.open),
        "close": plain(shown.close),
        "volume": plain(shown.volume),
    }


def ticker(market: Market, time_ms: int) -> Json:
    day = day_statistics(market, time_ms)
    bid, ask = best_levels(market)
    return {
        "type": "ticker",
        "product_id": product_id(market),
        "price": plain(market.last_price),
        "volume_24_h": plain(day.volume),
        "low_24_h": plain(day.low),
        "high_24_h": plain(day.high),
        "low_52_w": plain(day.low),
        "high_52_w": plain(day.high),
        "price_percent_chg_24_h": plain((day.close - day.open) / day.open * 100),
        "best_bid": plain(bid[0]),
        "best_bid_quantity": plain(bid[1]),
        "best_ask": plain(ask[0]),
        "best_ask_quantity": plain(ask[1]),
    }


def level(side: Side, price: Decimal, quantity: Decimal, time_ms: int) -> Json:
    return {
        "side": SIDES[side],
        "event_time": instant(time_ms),
        "price_level": plain(price),
        "new_quantity": plain(quantity),
    }

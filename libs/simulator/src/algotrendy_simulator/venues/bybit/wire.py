"""Bybit's JSON for markets: REST answers and the data of public topics.

Source: Bybit v5 documentation, "Market" and "WebSocket stream, public". Invariant: pure; numbers that are money are
strings.
"""

from decimal import Decimal
from typing import Any

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO, plain
from algotrendy_core.order_book import Level

from algotrendy_simulator.candles import TapeCandle
from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.bybit.products import LINEAR, category_of, symbol_of

type Json = dict[str, Any]

INTERVALS_MS = {
    "1": 60_000, "3": 180_000, "5": 300_000, "15": 900_000, "30": 1_800_000, "60": 3_600_000, "120": 7_200_000,
    "240": 14_400_000, "360": 21_600_000, "720": 43_200_000, "D": 86_400_000,
}  # fmt: skip
DAY_MS = 86_400_000


def instrument(market: Market) -> Json:
    found = market.instrument
    tick = {"tickSize": plain(found.price_step)}
    shared = {"symbol": symbol_of(market), "baseCoin": found.base, "quoteCoin": found.quote, "status": "Trading"}
    if category_of(market) == LINEAR:
        return shared | {
            "contractType": "LinearPerpetual",
            "launchTime": "1585526400000",
            "deliveryTime": "0",
            "deliveryFeeRate": "",
            "priceScale": "2",
            "leverageFilter": {
                "minLeverage": "1", "maxLeverage": plain(found.max_leverage), "leverageStep": "0.01",
            },
            "priceFilter": {"minPrice": plain(found.price_step), "maxPrice": "1999999.80", **tick},
            "lotSizeFilter": {
                "maxOrderQty": plain(found.max_quantity),
                "maxMktOrderQty": plain(found.max_quantity),
                "minOrderQty": plain(found.min_quantity),
                "qtyStep": plain(found.quantity_step),
                "postOnlyMaxOrderQty": plain(found.max_quantity),
                "minNotionalValue": plain(found.min_notional),
            },
            "unifiedMarginTrade": True,
            "fundingInterval": 480,
            "settleCoin": found.quote,
        }  # fmt: skip
    return shared | {
        "innovation": "0",
        "marginTrading": "none",
        "lotSizeFilter": {
            "basePrecision": plain(found.quantity_step),
            "quotePrecision": "0.00000001",
            "minOrderQty": plain(found.min_quantity),
            "maxOrderQty": plain(found.max_quantity),
            "minOrderAmt": plain(found.min_notional),
            "maxOrderAmt": "4000000",
        },
        "priceFilter": tick,
    }


def best_levels(market: Market) -> tuple[Level | None, Level | None]:
    book = market.engine.book
    bid, ask = book.levels(Side.BUY, 1), book.levels(Side.SELL, 1)
    return (bid[0] if bid else None), (ask[0] if ask else None)


def day_statistics(market: Market, time_ms: int) -> TapeCandle:
    """The last 24 hours as one candle; the minute 24 hours ago is in it whole."""
    minutes = market.candles.minutes(time_ms - DAY_MS, time_ms + 1)
    total = minutes[0]
    for minute in minutes[1:]:
        total = total.followed_by(minute)
    return total


def ticker(market: Market, time_ms: int) -> Json:
    day = day_statistics(market, time_ms)
    bid, ask = best_levels(market)
    shown = {
        "symbol": symbol_of(market),
        "bid1Price": plain(bid[0]) if bid else "",
        "bid1Size": plain(bid[1]) if bid else "",
        "ask1Price": plain(ask[0]) if ask else "",
        "ask1Size": plain(ask[1]) if ask else "",
        "lastPrice": plain(market.last_price),
        "prevPrice24h": plain(day.open),
        "price24hPcnt": f"{(day.close - day.open) / day.open:.6f}",
        "highPrice24h": plain(day.high),
        "lowPrice24h": plain(day.low),
        "turnover24h": plain(day.quote_volume),
        "volume24h": plain(day.volume),
    }
    last = plain(market.last_price)
    if category_of(market) == LINEAR:
        interest = {"openInterest": "0", "openInterestValue": "0", "fundingRate": "0", "nextFundingTime": ""}
        return shown | {"indexPrice": last, "markPrice": last} | interest
    return shown | {"usdIndexPrice": last}


def levels(found: list[Level]) -> list[list[str]]:
    return [[plain(price), plain(quantity)] for price, quantity in found]


def kline(candle: TapeCandle) -> list[str]:
    return [
        str(candle.open_time_ms),
        plain(candle.open),
        plain(candle.high),
        plain(candle.low),
        plain(candle.close),
        plain(candle.volume),
        plain(candle.quote_volume),
    ]


def kline_data(candle: TapeCandle, interval: str, closed: bool, time_ms: int) -> Json:
    return {
        "start": candle.open_time_ms,
        "end": candle.open_time_ms + INTERVALS_MS[interval] - 1,
        "interval": interval,
        "open": plain(candle.open),
        "close": plain(candle.close),
        "high": plain(candle.high),
        "low": plain(candle.low),
        "volume": plain(candle.volume),
        "turnover": plain(candle.quote_volume),
        "confirm": closed,
        "timestamp": time_ms,
    }


def recent_trade(market: Market, trade: TapeTrade) -> Json:
    return {
        "execId": str(trade.trade_id),
        "symbol": symbol_of(market),
        "price": plain(trade.price),
        "size": plain(trade.quantity),
        "side": side_name(trade.taker_side),
        "time": str(trade.time_ms),
        "isBlockTrade": False,
    }


def trade_data(market: Market, trade: TapeTrade) -> Json:
    return {
        "T": trade.time_ms,
        "s": symbol_of(market),
        "S": side_name(trade.taker_side),
        "v": plain(trade.quantity),
        "p": plain(trade.price),
        "i": str(trade.trade_id),
        "BT": False,
        "seq": trade.trade_id,
    }


def side_name(side: Side) -> str:
    return side.value.capitalize()


def number(value: Decimal | None) -> str:
    """Bybit writes what is not set as zero."""
    return plain(value or ZERO)

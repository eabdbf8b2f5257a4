"""Binance's JSON for what the exchange holds: REST answers and stream events.

Source: Binance spot API documentation, REST API, WebSocket streams and user data stream.
Invariant: pure; numbers that are money are strings with the fixed decimals Binance uses.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_core.order_book import Level

from algotrendy_simulator.candles import TapeCandle
from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Order

type Json = dict[str, Any]

INTERVALS_MS = {
    "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000, "2h": 7_200_000,
    "4h": 14_400_000, "6h": 21_600_000, "8h": 28_800_000, "12h": 43_200_000, "1d": 86_400_000, "3d": 259_200_000,
}  # fmt: skip
DAY_MS = 86_400_000
SIDES = (Side.BUY, Side.SELL)
"""Bids, then asks, as every answer has them."""


def number(value: Decimal) -> str:
    return f"{value:.8f}"


_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT",
    OrderType.TAKE_PROFIT_LIMIT: "TAKE_PROFIT_LIMIT",
}


def order_type(order: Order) -> str:
    if order.type is OrderType.TRAILING_STOP:
        # Trailing that begins once the price is better is a take-profit's here.
        kind = "STOP_LOSS" if order.activation_price is None else "TAKE_PROFIT"
        return kind if order.limit_price is None else f"{kind}_LIMIT"
    if order.type in _TYPES:
        return _TYPES[order.type]
    return "LIMIT_MAKER" if order.time_in_force is TimeInForce.POST_ONLY else "LIMIT"


def time_in_force(order: Order) -> str:
    return "GTC" if order.time_in_force is TimeInForce.POST_ONLY else order.time_in_force.upper()


def levels(found: Iterable[Level]) -> list[list[str]]:
    return [[number(price), number(quantity)] for price, quantity in found]


def kline(candle: TapeCandle, span_ms: int) -> list[Any]:
    return [
        candle.open_time_ms,
        number(candle.open),
        number(candle.high),
        number(candle.low),
        number(candle.close),
        number(candle.volume),
        candle.open_time_ms + span_ms - 1,
        number(candle.quote_volume),
        candle.trades,
        number(candle.taker_buy_volume),
        number(candle.taker_buy_quote_volume),
        "0",
    ]


def kline_event(market: Market, candle: TapeCandle, interval: str, closed: bool, time_ms: int) -> Json:
    last = market.tape[-1].trade_id if market.tape else 0
    return {
        "e": "kline",
        "E": time_ms,
        "s": market.wire_symbol,
        "k": {
            "t": candle.open_time_ms,
            "T": candle.open_time_ms + INTERVALS_MS[interval] - 1,
            "s": market.wire_symbol,
            "i": interval,
            "f": last - candle.trades + 1 if candle.trades else -1,
            "L": last if candle.trades else -1,
            "o": number(candle.open),
            "c": number(candle.close),
            "h": number(candle.high),
            "l": number(candle.low),
            "v": number(candle.volume),
            "n": candle.trades,
            "x": closed,
            "q": number(candle.quote_volume),
            "V": number(candle.taker_buy_volume),
            "Q": number(candle.taker_buy_quote_volume),
            "B": "0",
        },
    }


def trade_event(trade: TapeTrade) -> Json:
    buyer_is_maker = trade.taker_side is Side.SELL
    taker, maker = int(trade.taker_order_id), int(trade.maker_order_id)
    return {
        "e": "trade",
        "E": trade.time_ms,
        "s": trade.symbol,
        "t": trade.trade_id,
        "p": number(trade.price),
        "q": number(trade.quantity),
        "b": maker if buyer_is_maker else taker,
        "a": taker if buyer_is_maker else maker,
        "T": trade.time_ms,
        "m": buyer_is_maker,
        "M": True,
    }


def aggregate_trade_event(trade: TapeTrade) -> Json:
    return {"e": "aggTrade", "E": trade.time_ms, "s": trade.symbol, **aggregate_trade(trade)}


def aggregate_trade(trade: TapeTrade) -> Json:
    """Each trade is its own aggregate."""
    return {
        "a": trade.trade_id,
        "p": number(trade.price),
        "q": number(trade.quantity),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": trade.time_ms,
        "m": trade.taker_side is Side.SELL,
        "M": True,
    }


def public_trade(trade: TapeTrade) -> Json:
    return {
        "id": trade.trade_id,
        "price": number(trade.price),
        "qty": number(trade.quantity),
        "quoteQty": number(trade.price * trade.quantity),
        "time": trade.time_ms,
        "isBuyerMaker": trade.taker_side is Side.SELL,
        "isBestMatch": True,
    }


def day_statistics(market: Market, time_ms: int) -> TapeCandle:
    """The last 24 hours as one candle; the minute 24 hours ago is in it whole."""
    minutes = market.candles.minutes(time_ms - DAY_MS, time_ms + 1)
    total = minutes[0]
    for minute in minutes[1:]:
        total = total.followed_by(minute)
    return total


def best_levels(market: Market) -> tuple[Level, Level]:
    """Best bid and best ask; a side that is empty shows zeros."""
    book = market.engine.book
    empty = (Decimal(0), Decimal(0))
    bid, ask = book.levels(Side.BUY, 1), book.levels(Side.SELL, 1)
    return bid[0] if bid else empty, ask[0] if ask else empty


def book_ticker(market: Market) -> Json:
    bid, ask = best_levels(market)
    return {
        "symbol": market.wire_symbol,
        "bidPrice": number(bid[0]),
        "bidQty": number(bid[1]),
        "askPrice": number(ask[0]),
        "askQty": number(ask[1]),
    }


def book_ticker_event(market: Market) -> Json:
    bid, ask = best_levels(market)
    return {
        "u": market.engine.book.sequence,
        "s": market.wire_symbol,
        "b": number(bid[0]),
        "B": number(bid[1]),
        "a": number(ask[0]),
        "A": number(ask[1]),
    }


def day_ticker(market: Market, time_ms: int) -> Json:
    day = day_statistics(market, time_ms)
    bid, ask = best_levels(market)
    last = market.tape[-1] if market.tape else None
    change = day.close - day.open
    average = day.quote_volume / day.volume if day.volume else day.close
    return {
        "symbol": market.wire_symbol,
        "priceChange": number(change),
        "priceChangePercent": f"{change / day.open * 100:.3f}",
        "weightedAvgPrice": number(average),
        "prevClosePrice": number(day.open),
        "lastPrice": number(market.last_price),
        "lastQty": number(last.quantity if last else Decimal(0)),
        "bidPrice": number(bid[0]),
        "bidQty": number(bid[1]),
        "askPrice": number(ask[0]),
        "askQty": number(ask[1]),
        "openPrice": number(day.open),
        "highPrice": number(day.high),
        "lowPrice": number(day.low),
        "volume": number(day.volume),
        "quoteVolume": number(day.quote_volume),
        "openTime": time_ms - DAY_MS,
        "closeTime": time_ms,
        "firstId": last.trade_id - day.trades + 1 if last else -1,
        "lastId": last.trade_id if last else -1,
        "count": day.trades,
    }


_TICKER_KEYS = {
    "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "x": "prevClosePrice", "c": "lastPrice",
    "Q": "lastQty", "b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty", "o": "openPrice",
    "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume", "O": "openTime", "C": "closeTime",
    "F": "firstId", "L": "lastId", "n": "count",
}  # fmt: skip


def day_ticker_event(market: Market, time_ms: int) -> Json:
    ticker = day_ticker(market, time_ms)
    short = {key: ticker[name] for key, name in _TICKER_KEYS.items()}
    return {"e": "24hrTicker", "E": time_ms, "s": market.wire_symbol, **short}


def mini_ticker_event(market: Market, time_ms: int) -> Json:
    full = day_ticker_event(market, time_ms)
    return {"e": "24hrMiniTicker", "E": time_ms, **{key: full[key] for key in ("s", "c", "o", "h", "l", "v", "q")}}

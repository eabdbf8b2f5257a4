"""Kraken's JSON for what everybody may see: pairs, books, trades, candles, tickers.

Source: Kraken documentation, Spot REST "Market data". Invariant: pure; money over REST is text with the pair's
decimals.
"""

from decimal import Decimal
from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Side
from algotrendy_common.money import plain

from algotrendy_simulator.candles import TapeCandle
from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.binance.wire import best_levels, day_statistics
from algotrendy_simulator.venues.kraken.identity import asset_altname, asset_id, decimals, pair_id

type Json = dict[str, Any]

INTERVALS_MS = {minutes: minutes * 60_000 for minutes in (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)}


def price_decimals(market: Market) -> int:
    return decimals(plain(market.instrument.price_step))


def volume_decimals(market: Market) -> int:
    return decimals(plain(market.instrument.quantity_step))


def price(market: Market, value: Decimal) -> str:
    return f"{value:.{price_decimals(market)}f}"


def volume(value: Decimal) -> str:
    return f"{value:.8f}"


def instant(time_ms: int) -> str:
    return f"{from_ms(time_ms):%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}000Z"


def pair(market: Market) -> Json:
    instrument = market.instrument
    base, quote = asset_altname(instrument.base), asset_altname(instrument.quote)
    leverages = list(range(2, int(instrument.max_leverage) + 1))
    return {
        "altname": pair_id(market),
        "wsname": f"{base}/{quote}",
        "aclass_base": "currency",
        "base": asset_id(instrument.base),
        "aclass_quote": "currency",
        "quote": asset_id(instrument.quote),
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": price_decimals(market),
        "lot_decimals": volume_decimals(market),
        "lot_multiplier": 1,
        "leverage_buy": leverages,
        "leverage_sell": leverages,
        "fees": [[0, float(instrument.taker_fee * 100)]],
        "fees_maker": [[0, float(instrument.maker_fee * 100)]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": plain(instrument.min_quantity),
        "costmin": plain(instrument.min_notional),
        "tick_size": plain(instrument.price_step),
        "status": "online",
        "long_position_limit": int(instrument.max_quantity),
        "short_position_limit": int(instrument.max_quantity),
    }


def asset(name: str) -> Json:
    return {
        "aclass": "currency",
        "altname": asset_altname(name),
        "decimals": 10,
        "display_decimals": 5,
        "status": "enabled",
    }


def book(market: Market, depth: int, time_s: int) -> Json:
    bids, asks = (
        [[price(market, level), volume(size), time_s] for level, size in found]
        for found in (market.engine.book.levels(side, depth) for side in (Side.BUY, Side.SELL))
    )
    return {"asks": asks, "bids": bids}


def trade(market: Market, printed: TapeTrade) -> list[Any]:
    side = "b" if printed.taker_side is Side.BUY else "s"
    stamp = printed.time_ms / 1000
    return [price(market, printed.price), volume(printed.quantity), stamp, side, "l", "", printed.trade_id]


def candle(market: Market, shown: TapeCandle) -> list[Any]:
    average = shown.quote_volume / shown.volume if shown.volume else Decimal(0)
    numbers = [price(market, value) for value in (shown.open, shown.high, shown.low, shown.close, average)]
    return [shown.open_time_ms // 1000, *numbers, volume(shown.volume), shown.trades]


def ticker(market: Market, time_ms: int) -> Json:
    day = day_statistics(market, time_ms)
    bid, ask = best_levels(market)
    average = day.quote_volume / day.volume if day.volume else day.close
    newest = market.tape[-1].quantity if market.tape else Decimal(0)
    return {
        "a": [price(market, ask[0]), str(int(ask[1])), volume(ask[1])],
        "b": [price(market, bid[0]), str(int(bid[1])), volume(bid[1])],
        "c": [price(market, market.last_price), volume(newest)],
        "v": [volume(day.volume)] * 2,
        "p": [price(market, average)] * 2,
        "t": [day.trades] * 2,
        "l": [price(market, day.low)] * 2,
        "h": [price(market, day.high)] * 2,
        "o": price(market, day.open),
    }

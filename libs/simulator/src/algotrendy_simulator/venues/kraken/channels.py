"""What the market channels of the second WebSocket say; prices and quantities are JSON numbers there.

Source: Kraken documentation, "Spot WebSocket v2". Invariant: pure; numbers are Decimals until they are written.
"""

from collections.abc import Iterable
from decimal import Decimal

from algotrendy_common.money import ZERO

from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.binance.wire import best_levels, day_statistics
from algotrendy_simulator.venues.kraken.identity import ws_name
from algotrendy_simulator.venues.kraken.wire import Json, instant, price_decimals, volume_decimals

_FINEST = Decimal("0.00000001")


def price(market: Market, value: Decimal) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-price_decimals(market)))


def quantity(value: Decimal) -> Decimal:
    return value.quantize(_FINEST)


def pair(market: Market) -> Json:
    """A row of ``instrument``: its precisions are those of every number of the pair's book."""
    instrument = market.instrument
    return {
        "symbol": ws_name(market),
        "base": instrument.base,
        "quote": instrument.quote,
        "status": "online",
        "qty_precision": volume_decimals(market),
        "qty_increment": instrument.quantity_step,
        "qty_min": instrument.min_quantity,
        "price_precision": price_decimals(market),
        "price_increment": instrument.price_step,
        "cost_precision": 5,
        "cost_min": instrument.min_notional,
        "marginable": instrument.max_leverage > 1,
        "has_index": True,
    }


def listing(assets: Iterable[str], markets: Iterable[Market]) -> Json:
    shown = {"status": "enabled", "precision": 10, "precision_display": 5, "borrowable": False}
    return {"assets": [{"id": name} | shown for name in assets], "pairs": [pair(market) for market in markets]}


def ticker(market: Market, time_ms: int) -> Json:
    day = day_statistics(market, time_ms)
    bid, ask = best_levels(market)
    average = day.quote_volume / day.volume if day.volume else day.close
    change = day.close - day.open
    return {
        "symbol": ws_name(market),
        "bid": price(market, bid[0]),
        "bid_qty": quantity(bid[1]),
        "ask": price(market, ask[0]),
        "ask_qty": quantity(ask[1]),
        "last": price(market, market.last_price),
        "volume": quantity(day.volume),
        "vwap": price(market, average),
        "low": price(market, day.low),
        "high": price(market, day.high),
        "change": price(market, change),
        "change_pct": (change / day.open * 100).quantize(Decimal("0.01")),
        "timestamp": instant(time_ms),
    }


def trade(market: Market, printed: TapeTrade) -> Json:
    return {
        "symbol": ws_name(market),
        "side": printed.taker_side.value,
        "price": price(market, printed.price),
        "qty": quantity(printed.quantity),
        "ord_type": "limit",
        "trade_id": printed.trade_id,
        "timestamp": instant(printed.time_ms),
    }


def candle(market: Market, minutes: int) -> Json:
    """The running one."""
    span_ms = minutes * 60_000
    begin = market.candles.running.open_time_ms
    found = market.candles.spans(span_ms, begin - begin % span_ms, begin + 1)[0]
    average = found.quote_volume / found.volume if found.volume else ZERO
    return {
        "symbol": ws_name(market),
        "open": price(market, found.open),
        "high": price(market, found.high),
        "low": price(market, found.low),
        "close": price(market, found.close),
        "vwap": price(market, average),
        "trades": found.trades,
        "volume": quantity(found.volume),
        "interval_begin": instant(found.open_time_ms),
        "interval": minutes,
        "timestamp": instant(found.open_time_ms + span_ms),
    }

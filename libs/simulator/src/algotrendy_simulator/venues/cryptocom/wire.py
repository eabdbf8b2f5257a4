"""Crypto.com's JSON for markets, accounts, orders and trades.

Source: Crypto.com Exchange API v1 documentation. Invariant: pure; numbers that are money are strings, and an order says
the same in a query and in a message of ``user.order``.
"""

from decimal import Decimal
from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.money import ZERO, plain

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.candles import TapeCandle
from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill, Order, VenueStatus

type Json = dict[str, Any]

TIMEFRAMES_MS = {
    "1m": 60_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000, "2h": 7_200_000,
    "4h": 14_400_000, "6h": 21_600_000, "12h": 43_200_000, "1D": 86_400_000,
}  # fmt: skip
DAY_MS = 86_400_000
ORDER_TYPES = {
    OrderType.LIMIT: "LIMIT",
    OrderType.MARKET: "MARKET",
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LIMIT",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT",
    OrderType.TAKE_PROFIT_LIMIT: "TAKE_PROFIT_LIMIT",
}
TIMES_IN_FORCE = {
    TimeInForce.GTC: "GOOD_TILL_CANCEL", TimeInForce.IOC: "IMMEDIATE_OR_CANCEL", TimeInForce.FOK: "FILL_OR_KILL",
}  # fmt: skip
_STATUSES = {
    VenueStatus.NEW: "ACTIVE",
    VenueStatus.PARTIALLY_FILLED: "ACTIVE",
    VenueStatus.FILLED: "FILLED",
    VenueStatus.CANCELED: "CANCELED",
    VenueStatus.EXPIRED: "CANCELED",
}


def name_of(market: Market) -> str:
    return f"{market.instrument.base}_{market.instrument.quote}"


def instrument(market: Market) -> Json:
    found = market.instrument
    return {
        "symbol": name_of(market),
        "inst_type": "CCY_PAIR",
        "display_name": f"{found.base}/{found.quote}",
        "base_ccy": found.base,
        "quote_ccy": found.quote,
        "quote_decimals": _decimals(found.price_step),
        "quantity_decimals": _decimals(found.quantity_step),
        "price_tick_size": plain(found.price_step),
        "qty_tick_size": plain(found.quantity_step),
        "max_leverage": "1",
        "tradable": True,
        "expiry_timestamp_ms": 0,
        "beta_product": False,
        "margin_buy_enabled": False,
        "margin_sell_enabled": False,
    }


def _decimals(step: Decimal) -> int:
    return max(0, -int(step.normalize().as_tuple().exponent))


def ticker(market: Market, time_ms: int) -> Json:
    minutes = market.candles.minutes(time_ms - DAY_MS, time_ms + 1)
    day = minutes[0]
    for minute in minutes[1:]:
        day = day.followed_by(minute)
    book = market.engine.book
    bid, ask = book.levels(Side.BUY, 1), book.levels(Side.SELL, 1)
    return {
        "i": name_of(market),
        "h": plain(day.high),
        "l": plain(day.low),
        "a": plain(market.last_price),
        "v": plain(day.volume),
        "vv": plain(day.quote_volume),
        "oi": "0",
        "c": f"{(day.close - day.open) / day.open:.4f}",
        "b": plain(bid[0][0]) if bid else None,
        "bs": plain(bid[0][1]) if bid else None,
        "k": plain(ask[0][0]) if ask else None,
        "ks": plain(ask[0][1]) if ask else None,
        "t": time_ms,
    }


def levels(found: list[tuple[Decimal, Decimal]]) -> list[list[str]]:
    return [[plain(price), plain(quantity), "1" if quantity else "0"] for price, quantity in found]


def candle(found: TapeCandle) -> Json:
    return {
        "o": plain(found.open),
        "h": plain(found.high),
        "l": plain(found.low),
        "c": plain(found.close),
        "v": plain(found.volume),
        "t": found.open_time_ms,
    }


def public_trade(market: Market, trade: TapeTrade) -> Json:
    return {
        "d": str(trade.trade_id),
        "t": trade.time_ms,
        "tn": str(trade.time_ms * 1_000_000),
        "q": plain(trade.quantity),
        "p": plain(trade.price),
        "s": trade.taker_side.upper(),
        "i": name_of(market),
    }


def order(market: Market, order: Order, fills: list[Fill]) -> Json:
    fees: dict[str, Decimal] = {}
    for fill in fills:
        fees[fill.fee_asset] = fees.get(fill.fee_asset, ZERO) + fill.fee
    received = market.instrument.base if order.side is Side.BUY else market.instrument.quote
    post_only = order.time_in_force is TimeInForce.POST_ONLY
    shown = {
        "account_id": order.account,
        "order_id": str(order.order_id),
        "client_oid": order.client_order_id,
        "order_type": ORDER_TYPES[order.type],
        "time_in_force": TIMES_IN_FORCE.get(order.time_in_force, "GOOD_TILL_CANCEL"),
        "side": order.side.upper(),
        "exec_inst": ["POST_ONLY"] if post_only else [],
        "quantity": plain(order.quantity),
        "order_value": plain(order.quantity * (order.limit_price or order.trigger_price or market.last_price)),
        "maker_fee_rate": plain(market.instrument.maker_fee),
        "taker_fee_rate": plain(market.instrument.taker_fee),
        "avg_price": plain(order.quote_filled / order.filled) if order.filled else "0",
        "cumulative_quantity": plain(order.filled),
        "cumulative_value": plain(order.quote_filled),
        "cumulative_fee": plain(sum(fees.values(), ZERO)),
        "status": "PENDING" if order.waiting and order.status.open else _STATUSES[order.status],
        "update_user_id": order.account,
        "order_date": from_ms(order.created_ms).date().isoformat(),
        "instrument_name": name_of(market),
        "fee_instrument_name": next(iter(fees), received),
        "create_time": order.created_ms,
        "create_time_ns": str(order.created_ms * 1_000_000),
        "update_time": order.updated_ms,
    }
    if order.limit_price is not None:
        shown["limit_price"] = plain(order.limit_price)
    if order.trigger_price is not None:
        shown |= {"ref_price": plain(order.trigger_price), "ref_price_type": "LAST_PRICE"}
    if order.status is VenueStatus.EXPIRED:
        shown["reason"] = 43003 if order.time_in_force is TimeInForce.FOK else 43004
    return shown


def own_trade(market: Market, fill: Fill, client_id: str) -> Json:
    return {
        "account_id": fill.account,
        "event_date": from_ms(fill.time_ms).date().isoformat(),
        "journal_type": "TRADING",
        "side": fill.side.upper(),
        "instrument_name": name_of(market),
        # What was paid is below zero.
        "fees": plain(-fill.fee),
        "fee_instrument_name": fill.fee_asset,
        "trade_id": f"{fill.trade_id}-{fill.order_id}",
        "trade_match_id": str(fill.trade_id),
        "create_time": fill.time_ms,
        "create_time_ns": str(fill.time_ms * 1_000_000),
        "traded_price": plain(fill.price),
        "traded_quantity": plain(fill.quantity),
        "client_oid": client_id,
        "order_id": str(fill.order_id),
        "taker_side": "MAKER" if fill.liquidity is Liquidity.MAKER else "TAKER",
    }


def balances(account: Account) -> Json:
    held = [(asset, balance.total, balance.locked) for asset, balance in account.balances.items()]
    return position_balances(held)


def position_balances(held: list[tuple[str, Decimal, Decimal]]) -> Json:
    """Asset, total, locked."""
    rows = [
        {
            "instrument_name": asset,
            "quantity": plain(total),
            "reserved_qty": plain(locked),
            "max_withdrawal_balance": plain(total - locked),
            "market_value": "0",
            "collateral_eligible": "false",
            "haircut": "0",
            "collateral_amount": "0",
        }
        for asset, total, locked in held
    ]
    return {"instrument_name": "USD", "is_liquidating": False, "position_balances": rows}

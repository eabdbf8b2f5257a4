"""The admin API's own JSON, the same whatever venue is spoken.

Invariant: pure; money is text with eight decimals, and an order has the same keys whoever asks.
"""

from decimal import Decimal
from typing import Any

from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.money import ZERO, plain

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.orders import Fill, Order
from algotrendy_simulator.positions import Position


def order(shown: Order) -> dict[str, Any]:
    return {
        "account": shown.account,
        "symbol": shown.symbol,
        "orderId": shown.order_id,
        "clientOrderId": shown.client_order_id,
        "side": shown.side.upper(),
        "type": _type(shown),
        "timeInForce": "GTC" if shown.time_in_force is TimeInForce.POST_ONLY else shown.time_in_force.upper(),
        "status": shown.status.value,
        "origQty": _number(shown.quantity),
        "executedQty": _number(shown.filled),
        "cummulativeQuoteQty": _number(shown.quote_filled),
        "origQuoteOrderQty": _number(shown.quote_quantity),
        "price": _number(shown.limit_price),
        "stopPrice": _number(shown.trigger_price),
        "trailingRatio": None if shown.trailing_ratio is None else plain(shown.trailing_ratio),
        "goodUntil": shown.good_until_ms,
        "waiting": shown.waiting,
        "reduceOnly": shown.reduce_only,
        "leverage": None if shown.leverage is None else plain(shown.leverage),
        "sibling": shown.sibling,
        "liquidation": shown.liquidation,
        "reserved": _number(shown.reserved),
        "time": shown.created_ms,
        "updateTime": shown.updated_ms,
    }


def fill(shown: Fill) -> dict[str, Any]:
    return {
        "account": shown.account,
        "symbol": shown.symbol,
        "id": shown.trade_id,
        "orderId": shown.order_id,
        "price": _number(shown.price),
        "qty": _number(shown.quantity),
        "quoteQty": _number(shown.price * shown.quantity),
        "commission": _number(shown.fee),
        "commissionAsset": shown.fee_asset,
        "time": shown.time_ms,
        "isBuyer": shown.side is Side.BUY,
        "isMaker": shown.liquidity is Liquidity.MAKER,
    }


def balances(account: Account) -> dict[str, Any]:
    return {
        asset: {"free": plain(balance.free), "locked": plain(balance.locked), "total": plain(balance.total)}
        for asset, balance in account.balances.items()
    }


def position(shown: Position) -> dict[str, Any]:
    return {
        "account": shown.account,
        "symbol": shown.symbol,
        "quantity": plain(shown.quantity),
        "entry_price": plain(shown.entry_price),
        "mark_price": plain(shown.mark_price),
        "liquidation_price": None if shown.liquidation_price is None else plain(shown.liquidation_price),
        "leverage": plain(shown.leverage),
        "margin_mode": shown.margin_mode.value,
        "margin": plain(shown.margin),
        "unrealised_pnl": plain(shown.unrealised_pnl),
        "realised_pnl": plain(shown.realised_pnl),
    }


def _type(shown: Order) -> str:
    post_only = shown.type is OrderType.LIMIT and shown.time_in_force is TimeInForce.POST_ONLY
    return "LIMIT_MAKER" if post_only else shown.type.upper()


def _number(value: Decimal | None) -> str:
    return f"{ZERO if value is None else value:.8f}"

"""Coinbase's JSON for orders, fills and accounts, as REST shows them and as the ``user`` channel does.

Source: Coinbase Advanced Trade documentation, "Get order", "List fills", "List accounts", "User channel". Times are the
wall's. Invariant: pure; the ``user`` channel does not say the order's size, and of a cancelled order nothing is left.
"""

from decimal import Decimal
from typing import Any

from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.money import ZERO, plain

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.orders import Fill, Order, VenueStatus
from algotrendy_simulator.venues.coinbase.identity import account_uuid, entry_id, order_uuid, trade_uuid, user_uuid
from algotrendy_simulator.venues.coinbase.order_request import DOWN, UP
from algotrendy_simulator.venues.coinbase.wire import Json, instant

STATUSES = {
    VenueStatus.NEW: "OPEN",
    VenueStatus.PARTIALLY_FILLED: "OPEN",
    VenueStatus.FILLED: "FILLED",
    VenueStatus.CANCELED: "CANCELLED",
    VenueStatus.EXPIRED: "EXPIRED",
}
_IN_FORCE = {
    TimeInForce.GTC: "GOOD_UNTIL_CANCELLED",
    TimeInForce.POST_ONLY: "GOOD_UNTIL_CANCELLED",
    TimeInForce.GTD: "GOOD_UNTIL_DATE_TIME",
    TimeInForce.IOC: "IMMEDIATE_OR_CANCEL",
    TimeInForce.FOK: "FILL_OR_KILL",
}
_LIMITS = {
    TimeInForce.GTC: "limit_limit_gtc",
    TimeInForce.POST_ONLY: "limit_limit_gtc",
    TimeInForce.GTD: "limit_limit_gtd",
    TimeInForce.FOK: "limit_limit_fok",
    TimeInForce.IOC: "sor_limit_ioc",
}
_FINEST = Decimal("0.00000001")
_STOPS = (OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)


def configuration(order: Order) -> Json:
    if order.type is OrderType.MARKET or order.limit_price is None:
        if order.quote_quantity is not None:
            return {"market_market_ioc": {"quote_size": plain(order.quote_quantity)}}
        return {"market_market_ioc": {"base_size": plain(order.quantity)}}
    sizes: Json = {"base_size": plain(order.quantity), "limit_price": plain(order.limit_price)}
    if order.good_until_ms is not None:
        sizes["end_time"] = instant(order.good_until_ms)
    if order.type in _STOPS and order.trigger_price is not None:
        up = (order.side is Side.BUY) == (order.type is OrderType.STOP_LIMIT)
        sizes |= {"stop_price": plain(order.trigger_price), "stop_direction": UP if up else DOWN}
        name = "gtc" if order.good_until_ms is None else "gtd"
        return {f"stop_limit_stop_limit_{name}": sizes}
    name = "limit_limit_gtd" if order.good_until_ms is not None else _LIMITS[order.time_in_force]
    if name in ("limit_limit_gtc", "limit_limit_gtd"):
        sizes["post_only"] = order.time_in_force is TimeInForce.POST_ONLY
    return {name: sizes}


def shown(order: Order, fills: list[Fill], product: str) -> Json:
    """As ``historical`` has it."""
    in_quote = order.quote_quantity is not None
    fees = sum((fill.fee for fill in fills), ZERO)
    return {
        "order_id": order_uuid(order.order_id),
        "product_id": product,
        "user_id": user_uuid(order.account),
        "order_configuration": configuration(order),
        "side": order.side.upper(),
        "client_order_id": order.client_order_id,
        "status": STATUSES[order.status],
        "time_in_force": _in_force(order),
        "created_time": instant(order.created_ms),
        "completion_percentage": _completion(order),
        "filled_size": plain(order.filled),
        "average_filled_price": _average(order),
        "fee": "",
        "number_of_fills": str(len(fills)),
        "filled_value": plain(order.quote_filled),
        "pending_cancel": False,
        "size_in_quote": in_quote,
        "total_fees": plain(fees),
        "size_inclusive_of_fees": in_quote,
        "total_value_after_fees": plain(order.quote_filled + order.side.sign * fees),
        "trigger_status": _trigger_status(order),
        "order_type": _type(order),
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": order.status is VenueStatus.FILLED,
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": "User requested cancel" if order.status is VenueStatus.CANCELED else "",
        "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": plain(order.reserved),
        "is_liquidation": order.liquidation,
        "last_fill_time": instant(fills[-1].time_ms) if fills else None,
        "last_update_time": instant(order.updated_ms),
        "edit_history": [],
        "leverage": "",
        "margin_type": "UNKNOWN_MARGIN_TYPE",
    }


def told(order: Order, fills: list[Fill], product: str) -> Json:
    """As the ``user`` channel has it."""
    fees = sum((fill.fee for fill in fills), ZERO)
    return {
        "avg_price": _average(order),
        "cancel_reason": "User requested cancel" if order.status is VenueStatus.CANCELED else "",
        "client_order_id": order.client_order_id,
        "completion_percentage": _completion(order),
        "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE",
        "cumulative_quantity": plain(order.filled),
        "filled_value": plain(order.quote_filled),
        "leaves_quantity": plain(order.remaining if order.status.open else ZERO),
        "limit_price": plain(order.limit_price or ZERO),
        "number_of_fills": str(len(fills)),
        "order_id": order_uuid(order.order_id),
        "order_side": order.side.upper(),
        "order_type": _type(order),
        "outstanding_hold_amount": plain(order.reserved),
        "post_only": str(order.time_in_force is TimeInForce.POST_ONLY).lower(),
        "product_id": product,
        "product_type": "SPOT",
        "reject_reason": "",
        "retail_portfolio_id": user_uuid(order.account),
        "risk_managed_by": "UNKNOWN_RISK_MANAGEMENT_TYPE",
        "status": STATUSES[order.status],
        "stop_price": "" if order.trigger_price is None else plain(order.trigger_price),
        "time_in_force": _in_force(order),
        "total_fees": plain(fees),
        "total_value_after_fees": plain(order.quote_filled + order.side.sign * fees),
        "trigger_status": _trigger_status(order),
        "creation_time": instant(order.created_ms),
        "end_time": "0001-01-01T00:00:00Z" if order.good_until_ms is None else instant(order.good_until_ms),
        "start_time": "0001-01-01T00:00:00Z",
    }


def filled(fill: Fill, rank: int, product: str) -> Json:
    """``rank`` orders the fills of one millisecond."""
    return {
        "entry_id": entry_id(fill),
        "trade_id": trade_uuid(fill),
        "order_id": order_uuid(fill.order_id),
        "trade_time": instant(fill.time_ms, rank),
        "trade_type": "FILL",
        "price": plain(fill.price),
        "size": plain(fill.quantity),
        "commission": plain(fill.fee),
        "product_id": product,
        "sequence_timestamp": instant(fill.time_ms, rank),
        "liquidity_indicator": "MAKER" if fill.liquidity is Liquidity.MAKER else "TAKER",
        "size_in_quote": False,
        "user_id": user_uuid(fill.account),
        "side": fill.side.upper(),
        "retail_portfolio_id": user_uuid(fill.account),
    }


def wallet(account: Account, asset: str) -> Json:
    balance = account.balance(asset)
    fiat = asset in ("USD", "EUR", "GBP")
    return {
        "uuid": account_uuid(account.name, asset),
        "name": f"{asset} Wallet",
        "currency": asset,
        "available_balance": {"value": plain(balance.free), "currency": asset},
        "default": True,
        "active": True,
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-01-01T00:00:00Z",
        "deleted_at": None,
        "type": "ACCOUNT_TYPE_FIAT" if fiat else "ACCOUNT_TYPE_CRYPTO",
        "ready": True,
        "hold": {"value": plain(balance.locked), "currency": asset},
        "retail_portfolio_id": user_uuid(account.name),
        "platform": "ACCOUNT_PLATFORM_CONSUMER",
    }


def acknowledged(order: Order, product: str, asked: Any) -> Json:
    return {
        "success": True,
        "success_response": {
            "order_id": order_uuid(order.order_id),
            "product_id": product,
            "side": order.side.upper(),
            "client_order_id": order.client_order_id,
        },
        "order_configuration": asked,
    }


def _average(order: Order) -> str:
    return plain((order.quote_filled / order.filled).quantize(_FINEST)) if order.filled else "0"


def _completion(order: Order) -> str:
    return plain((order.filled / order.quantity * 100).quantize(Decimal("0.01")))


def _in_force(order: Order) -> str:
    return _IN_FORCE[TimeInForce.IOC if order.type is OrderType.MARKET else order.time_in_force]


def _trigger_status(order: Order) -> str:
    if not order.type.triggered:
        return "INVALID_ORDER_TYPE"
    return "STOP_PENDING" if order.waiting else "STOP_TRIGGERED"


def _type(order: Order) -> str:
    if order.type in _STOPS:
        return "STOP_LIMIT"
    return "LIMIT" if order.type is OrderType.LIMIT else "MARKET"

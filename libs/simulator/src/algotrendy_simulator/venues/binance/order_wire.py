"""Binance's JSON for accounts, orders and fills. Times here are the wall's, as the signed requests' are.

Source: Binance spot API documentation, "Trading endpoints", "Account endpoints", "User data streams".
Invariant: pure; an order says the same in an answer, in a query and in an execution report.
"""

from decimal import Decimal

from algotrendy_common.enums import Liquidity, OrderType, Side
from algotrendy_common.money import ZERO
from algotrendy_core.instruments import Instrument

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.events import BalancesChanged, Execution, OrderChanged
from algotrendy_simulator.orders import Fill, Order
from algotrendy_simulator.venues.binance.order_requests import BASIS_POINTS
from algotrendy_simulator.venues.binance.wire import Json, number, order_type, time_in_force

_EXECUTIONS = {
    # Set off, it is told of again as a new order, which then works.
    Execution.TRIGGERED: "NEW",
    Execution.AMENDED: "REPLACED",
}


def order_summary(order: Order) -> Json:
    """What all of Binance's order objects share."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": list_id(order),
        "clientOrderId": order.client_order_id,
        "price": number(order.limit_price or ZERO),
        "origQty": number(order.quantity),
        "executedQty": number(order.filled),
        "origQuoteOrderQty": number(order.quote_quantity or ZERO),
        "cummulativeQuoteQty": number(order.quote_filled),
        "status": order.status.value,
        "timeInForce": time_in_force(order),
        "type": order_type(order),
        "side": order.side.upper(),
        "selfTradePreventionMode": "NONE",
        **_trigger(order),
    }


def list_id(order: Order) -> int:
    """A pair is known by its first leg; -1 is no pair."""
    return -1 if order.sibling is None else min(order.order_id, order.sibling)


def working_time(order: Order) -> int:
    """Since when it could trade; -1 while it waits for its price."""
    return -1 if order.waiting else order.created_ms


def stop_price(order: Order) -> Decimal | None:
    """What was sent as such: a trailing stop's own trigger is the venue's affair."""
    return order.activation_price if order.type is OrderType.TRAILING_STOP else order.trigger_price


def _trigger(order: Order) -> Json:
    """Fields that only orders with a trigger have."""
    shown: Json = {}
    if (stop := stop_price(order)) is not None:
        shown["stopPrice"] = number(stop)
    if order.trailing_ratio is not None:
        shown["trailingDelta"] = int(order.trailing_ratio * BASIS_POINTS)
    return shown


def order_list(legs: list[Order]) -> Json:
    """A pair; its legs in the order of their ids."""
    done = not any(leg.status.open for leg in legs)
    return {
        "orderListId": list_id(legs[0]),
        "contingencyType": "OCO",
        "listStatusType": "ALL_DONE" if done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if done else "EXECUTING",
        "listClientOrderId": legs[0].list_client_order_id or "",
        "transactionTime": max(leg.updated_ms for leg in legs),
        "symbol": legs[0].symbol,
        "orders": [
            {"symbol": leg.symbol, "orderId": leg.order_id, "clientOrderId": leg.client_order_id} for leg in legs
        ],
    }


def queried_order(order: Order) -> Json:
    return (
        {"stopPrice": number(ZERO)}
        | order_summary(order)
        | {
            "icebergQty": number(ZERO),
            "time": order.created_ms,
            "updateTime": order.updated_ms,
            "isWorking": not order.waiting,
            "workingTime": working_time(order),
        }
    )


def placed_order(order: Order, fills: list[Fill], response: str) -> Json:
    """The answer to a new order: ``ACK``, ``RESULT`` or ``FULL``."""
    if response == "ACK":
        keys = ("symbol", "orderId", "orderListId", "clientOrderId")
        summary = order_summary(order)
        return {key: summary[key] for key in keys} | {"transactTime": order.created_ms}
    answer = order_summary(order) | {"transactTime": order.created_ms, "workingTime": working_time(order)}
    if response == "FULL":
        answer["fills"] = [
            {
                "price": number(fill.price),
                "qty": number(fill.quantity),
                "commission": number(fill.fee),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade_id,
            }
            for fill in fills
        ]
    return answer


def cancelled_order(order: Order, cancel_client_order_id: str) -> Json:
    return order_summary(order) | {
        "origClientOrderId": order.client_order_id,
        "clientOrderId": cancel_client_order_id,
        "transactTime": order.updated_ms,
    }


def my_trade(fill: Fill, order: Order) -> Json:
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": list_id(order),
        "price": number(fill.price),
        "qty": number(fill.quantity),
        "quoteQty": number(fill.price * fill.quantity),
        "commission": number(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "isBuyer": fill.side is Side.BUY,
        "isMaker": fill.liquidity is Liquidity.MAKER,
        "isBestMatch": True,
    }


def account_information(account: Account, instrument: Instrument, now_ms: int, omit_zero: bool) -> Json:
    rates = {"maker": number(instrument.maker_fee), "taker": number(instrument.taker_fee)}
    return {
        "makerCommission": int(instrument.maker_fee * 10_000),
        "takerCommission": int(instrument.taker_fee * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates | {"buyer": number(ZERO), "seller": number(ZERO)},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": number(balance.free), "locked": number(balance.locked)}
            for asset, balance in account.balances.items()
            if balance.total or not omit_zero
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def execution_report(changed: OrderChanged) -> Json:
    order, fill = changed.order, changed.fill
    cancel_id = changed.cancel_client_order_id
    return {
        "e": "executionReport",
        "E": order.updated_ms,
        "s": order.symbol,
        # A cancel has an id of its own; the order's then stands in C.
        "c": cancel_id if cancel_id is not None else order.client_order_id,
        "S": order.side.upper(),
        "o": order_type(order),
        "f": time_in_force(order),
        "q": number(order.quantity),
        "p": number(order.limit_price or ZERO),
        "P": number(stop_price(order) or ZERO),
        "F": number(ZERO),
        "g": list_id(order),
        "C": order.client_order_id if cancel_id is not None else "",
        "x": _EXECUTIONS.get(changed.execution, changed.execution.value),
        "X": order.status.value,
        "r": "NONE",
        "i": order.order_id,
        "l": number(fill.quantity if fill else ZERO),
        "z": number(order.filled),
        "L": number(fill.price if fill else ZERO),
        "n": number(fill.fee if fill else ZERO),
        "N": fill.fee_asset if fill else None,
        "T": order.updated_ms,
        "t": fill.trade_id if fill else -1,
        "I": order.order_id,
        "w": order.status.open and not order.waiting,
        "m": fill is not None and fill.liquidity is Liquidity.MAKER,
        "M": fill is not None,
        "O": order.created_ms,
        "Z": number(order.quote_filled),
        "Y": number(fill.price * fill.quantity if fill else ZERO),
        "Q": number(order.quote_quantity or ZERO),
        "V": "NONE",
    } | _only_where_it_is(order)


def _only_where_it_is(order: Order) -> Json:
    """Fields that an execution report has only for some orders."""
    shown: Json = {} if order.waiting else {"W": order.created_ms}
    if order.trailing_ratio is not None:
        shown["d"] = int(order.trailing_ratio * BASIS_POINTS)
    return shown


def list_status(legs: list[Order]) -> Json:
    """``listStatus`` of the user stream, when a pair begins and when it has ended."""
    told = order_list(legs)
    return {
        "e": "listStatus",
        "E": told["transactionTime"],
        "s": told["symbol"],
        "g": told["orderListId"],
        "c": told["contingencyType"],
        "l": told["listStatusType"],
        "L": told["listOrderStatus"],
        "r": "NONE",
        "C": told["listClientOrderId"],
        "T": told["transactionTime"],
        "O": [{"s": leg["symbol"], "i": leg["orderId"], "c": leg["clientOrderId"]} for leg in told["orders"]],
    }


def account_position(changed: BalancesChanged) -> Json:
    return {
        "e": "outboundAccountPosition",
        "E": changed.time_ms,
        "u": changed.time_ms,
        "B": [{"a": asset, "f": number(free), "l": number(locked)} for asset, free, locked in changed.balances],
    }

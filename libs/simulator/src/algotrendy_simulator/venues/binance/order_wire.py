"""Binance's JSON for accounts, orders and fills. Times here are the wall's, as the signed requests' are.

Source: Binance spot API documentation, "Trading endpoints", "Account endpoints", "User data streams".
Invariant: pure; an order says the same in an answer, in a query and in an execution report.
"""

from algotrendy_common.enums import Liquidity, Side
from algotrendy_common.money import ZERO
from algotrendy_core.instruments import Instrument

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.events import BalancesChanged, OrderChanged
from algotrendy_simulator.orders import Fill, Order
from algotrendy_simulator.venues.binance.wire import Json, number, order_type, time_in_force


def order_summary(order: Order) -> Json:
    """What all of Binance's order objects share."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
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
    }


def queried_order(order: Order) -> Json:
    return order_summary(order) | {
        "stopPrice": number(ZERO),
        "icebergQty": number(ZERO),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.created_ms,
    }


def placed_order(order: Order, fills: list[Fill], response: str) -> Json:
    """The answer to a new order: ``ACK``, ``RESULT`` or ``FULL``."""
    if response == "ACK":
        keys = ("symbol", "orderId", "orderListId", "clientOrderId")
        summary = order_summary(order)
        return {key: summary[key] for key in keys} | {"transactTime": order.created_ms}
    answer = order_summary(order) | {"transactTime": order.created_ms, "workingTime": order.created_ms}
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


def my_trade(fill: Fill) -> Json:
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
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
        "P": number(ZERO),
        "F": number(ZERO),
        "g": -1,
        "C": order.client_order_id if cancel_id is not None else "",
        "x": changed.execution.value,
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
        "w": order.status.open,
        "m": fill is not None and fill.liquidity is Liquidity.MAKER,
        "M": fill is not None,
        "O": order.created_ms,
        "Z": number(order.quote_filled),
        "Y": number(fill.price * fill.quantity if fill else ZERO),
        "Q": number(order.quote_quantity or ZERO),
        "W": order.created_ms,
        "V": "NONE",
    }


def account_position(changed: BalancesChanged) -> Json:
    return {
        "e": "outboundAccountPosition",
        "E": changed.time_ms,
        "u": changed.time_ms,
        "B": [{"a": asset, "f": number(free), "l": number(locked)} for asset, free, locked in changed.balances],
    }

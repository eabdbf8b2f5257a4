"""Binance's own words as ours: orders, fills and balances out of REST answers and user-stream messages.

Invariant: numbers go from the venue's strings to Decimal without passing a float; anything that is not as documented
raises (KeyError, TypeError, ValueError, ArithmeticError) and is never half understood.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO, plain
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport
from algotrendy_broker_gateway.errors import VenueRefused

VENUE = "binance"
SymbolOf = Callable[[str], str]
"""``BTCUSDT`` to ``BTC-USDT``."""

_STANDINGS = {
    "NEW": Standing.WORKING,
    "PENDING_NEW": Standing.WORKING,
    "PARTIALLY_FILLED": Standing.WORKING,
    "PENDING_CANCEL": Standing.WORKING,
    "FILLED": Standing.DONE,
    "CANCELED": Standing.CANCELLED,
    "EXPIRED": Standing.CANCELLED,
    "EXPIRED_IN_MATCH": Standing.CANCELLED,
    "REJECTED": Standing.REJECTED,
}
_ENDINGS = {
    "CANCELED": "cancelled",
    "EXPIRED": "expired: the venue ended the order",
    "EXPIRED_IN_MATCH": "expired: it would have traded with an order of the same account",
}
_TIMES_IN_FORCE = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}


def order_request(client_order_id: str, terms: OrderTerms, market_id: str) -> dict[str, str]:
    """The body of ``POST /api/v3/order``."""
    request = {
        "symbol": market_id,
        "side": terms.side.value.upper(),
        "quantity": plain(terms.quantity),
        "newClientOrderId": client_order_id,
        "newOrderRespType": "FULL",
    }
    if terms.type is OrderType.MARKET:
        return request | {"type": "MARKET"}
    if terms.limit_price is None:
        raise VenueRefused("limit_price_missing", "a limit order needs a limit price")
    price = {"price": plain(terms.limit_price)}
    if terms.time_in_force is TimeInForce.POST_ONLY:
        return request | price | {"type": "LIMIT_MAKER"}
    return request | price | {"type": "LIMIT", "timeInForce": _TIMES_IN_FORCE[terms.time_in_force]}


def answered_order(answer: Mapping[str, Any], symbol_of: SymbolOf) -> VenueReport:
    """``POST``, ``GET`` or ``DELETE /api/v3/order``, or an element of ``openOrders``."""
    status = str(answer["status"])
    at = from_ms(answer.get("transactTime") or answer["updateTime"])
    price = Decimal(answer["price"])
    order = VenueOrder(
        venue_order_id=str(answer["orderId"]),
        # A cancellation's answer carries the cancellation's own id under ``clientOrderId``.
        client_id=str(answer.get("origClientOrderId") or answer["clientOrderId"]),
        symbol=symbol_of(answer["symbol"]),
        side=Side(answer["side"].lower()),
        type=_type(answer["type"], price),
        time_in_force=_time_in_force(answer["type"], answer.get("timeInForce")),
        quantity=Decimal(answer["origQty"]),
        limit_price=price if price > ZERO else None,
        executed_quantity=Decimal(answer["executedQty"]),
        standing=_STANDINGS[status],
        reason=_ENDINGS.get(status, ""),
        created_at=from_ms(answer["time"]) if "time" in answer else at,
        updated_at=at,
    )
    fills = tuple(_immediate_fill(order, fill, at) for fill in answer.get("fills", ()))
    return VenueReport(order, fills)


def _immediate_fill(order: VenueOrder, fill: Mapping[str, Any], at: datetime) -> Fill:
    """A fill in the answer to a submission: what trades on arrival takes liquidity."""
    return Fill(
        trade_id=str(int(fill["tradeId"])),
        venue_order_id=order.venue_order_id,
        venue=VENUE,
        symbol=order.symbol,
        side=order.side,
        price=Decimal(fill["price"]),
        quantity=Decimal(fill["qty"]),
        fee=Decimal(fill["commission"]),
        fee_currency=str(fill["commissionAsset"]),
        liquidity=Liquidity.TAKER,
        event_time=at,
    )


def own_trade(trade: Mapping[str, Any], symbol_of: SymbolOf) -> Fill:
    """An element of ``GET /api/v3/myTrades``."""
    return Fill(
        trade_id=str(int(trade["id"])),
        venue_order_id=str(trade["orderId"]),
        venue=VENUE,
        symbol=symbol_of(trade["symbol"]),
        side=Side.BUY if trade["isBuyer"] else Side.SELL,
        price=Decimal(trade["price"]),
        quantity=Decimal(trade["qty"]),
        fee=Decimal(trade["commission"]),
        fee_currency=str(trade["commissionAsset"]),
        liquidity=Liquidity.MAKER if trade["isMaker"] else Liquidity.TAKER,
        event_time=from_ms(trade["time"]),
    )


def execution_report(message: Mapping[str, Any], symbol_of: SymbolOf, quote_of: SymbolOf) -> VenueReport:
    """``executionReport`` of the user stream; ``quote_of`` names the quote asset of a platform symbol."""
    status = str(message["X"])
    price = Decimal(message["p"])
    reason = _ENDINGS.get(status, "")
    if status == "REJECTED":
        reason = str(message["r"])
    order = VenueOrder(
        venue_order_id=str(message["i"]),
        # On a cancellation ``c`` is the cancellation's id and ``C`` the order's.
        client_id=str(message.get("C") or message["c"]),
        symbol=symbol_of(message["s"]),
        side=Side(message["S"].lower()),
        type=_type(message["o"], price),
        time_in_force=_time_in_force(message["o"], message["f"]),
        quantity=Decimal(message["q"]),
        limit_price=price if price > ZERO else None,
        executed_quantity=Decimal(message["z"]),
        standing=_STANDINGS[status],
        reason=reason,
        created_at=from_ms(message["O"]),
        updated_at=from_ms(message["T"]),
    )
    if message["x"] != "TRADE":
        return VenueReport(order)
    fill = Fill(
        trade_id=str(int(message["t"])),
        venue_order_id=order.venue_order_id,
        venue=VENUE,
        symbol=order.symbol,
        side=order.side,
        price=Decimal(message["L"]),
        quantity=Decimal(message["l"]),
        fee=Decimal(message["n"]),
        fee_currency=str(message["N"] or quote_of(order.symbol)),
        liquidity=Liquidity.MAKER if message["m"] else Liquidity.TAKER,
        event_time=order.updated_at,
    )
    return VenueReport(order, (fill,))


def balance(asset: str, free: str, locked: str) -> AssetBalance:
    available, reserved = Decimal(free), Decimal(locked)
    return AssetBalance(asset=asset, total=available + reserved, available=available, reserved=reserved)


def account_balances(answer: Mapping[str, Any]) -> tuple[AssetBalance, ...]:
    """``GET /api/v3/account``, zeros left out."""
    rows = (balance(row["asset"], row["free"], row["locked"]) for row in answer["balances"])
    return tuple(row for row in rows if row.total)


def changed_balances(message: Mapping[str, Any]) -> tuple[AssetBalance, ...]:
    """``outboundAccountPosition`` of the user stream: assets that may have changed, zeros included."""
    return tuple(balance(row["a"], row["f"], row["l"]) for row in message["B"])


def _type(name: str, price: Decimal) -> OrderType:
    """Stops and take-profits made elsewhere count as what they become: limit with a price, else market."""
    return OrderType.LIMIT if "LIMIT" in name or price > ZERO else OrderType.MARKET


def _time_in_force(type_name: str, name: str | None) -> TimeInForce:
    if type_name == "LIMIT_MAKER":
        return TimeInForce.POST_ONLY
    if name in (None, "", "GTC", "GTX"):
        return TimeInForce.GTC
    return TimeInForce(str(name).lower())

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
from algotrendy_common.money import ZERO
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument

from algotrendy_broker_gateway.adapters import binance_pairs as pairs
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport

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
_TYPES = {
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT,
    "TAKE_PROFIT_LIMIT": OrderType.TAKE_PROFIT_LIMIT,
}
_BASIS_POINTS = Decimal(10_000)


def answered_order(answer: Mapping[str, Any], symbol_of: SymbolOf) -> VenueReport:
    """``POST``, ``GET`` or ``DELETE /api/v3/order``, or an element of ``openOrders``."""
    status = str(answer["status"])
    at = from_ms(answer.get("transactTime") or answer["updateTime"])
    price = Decimal(answer["price"])
    type_, trigger, ratio = _triggering(answer["type"], answer.get("stopPrice"), answer.get("trailingDelta"))
    order = VenueOrder(
        venue_order_id=pairs.venue_order_id(answer["orderId"], answer.get("orderListId", -1)),
        # A cancellation's answer carries the cancellation's own id under ``clientOrderId``.
        client_id=str(answer.get("origClientOrderId") or answer["clientOrderId"]),
        symbol=symbol_of(answer["symbol"]),
        side=Side(answer["side"].lower()),
        type=type_,
        time_in_force=_time_in_force(answer["type"], answer.get("timeInForce")),
        quantity=Decimal(answer["origQty"]),
        limit_price=price if price > ZERO else None,
        executed_quantity=Decimal(answer["executedQty"]),
        standing=_STANDINGS[status],
        reason=_ENDINGS.get(status, ""),
        created_at=from_ms(answer["time"]) if "time" in answer else at,
        updated_at=at,
        trigger_price=trigger,
        trailing_ratio=ratio,
        # Answers to new orders do not say whether they work, but since when: never, while they wait.
        waiting=type_.triggered and status == "NEW" and not answer.get("isWorking", answer.get("workingTime", -1) > 0),
    )
    fills = tuple(_immediate_fill(order, fill, at) for fill in answer.get("fills", ()))
    return VenueReport(pairs.as_pair(order), fills)


def answered_pair(answer: Mapping[str, Any], symbol_of: SymbolOf) -> VenueReport:
    """``POST /api/v3/orderList/oco`` or ``DELETE /api/v3/orderList``: both legs' reports as one."""
    (report,) = pairs.merged(answered_order(leg, symbol_of) for leg in answer["orderReports"])
    return report


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
        venue_order_id=pairs.venue_order_id(trade["orderId"], trade.get("orderListId", -1)),
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
    type_, trigger, ratio = _triggering(message["o"], message.get("P"), message.get("d"))
    order = VenueOrder(
        venue_order_id=pairs.venue_order_id(message["i"], message["g"]),
        # On a cancellation ``c`` is the cancellation's id and ``C`` the order's.
        client_id=str(message.get("C") or message["c"]),
        symbol=symbol_of(message["s"]),
        side=Side(message["S"].lower()),
        type=type_,
        time_in_force=_time_in_force(message["o"], message["f"]),
        quantity=Decimal(message["q"]),
        limit_price=price if price > ZERO else None,
        executed_quantity=Decimal(message["z"]),
        standing=_STANDINGS[status],
        reason=reason,
        created_at=from_ms(message["O"]),
        updated_at=from_ms(message["T"]),
        trigger_price=trigger,
        trailing_ratio=ratio,
        waiting=type_.triggered and status == "NEW" and not message["w"],
    )
    order = pairs.as_pair(order)
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


def instrument(listed: Mapping[str, Any], rates: tuple[Decimal, Decimal]) -> Instrument:
    """An element of ``exchangeInfo``'s ``symbols``, with the account's maker and taker rates."""
    filters = {row["filterType"]: row for row in listed["filters"]}
    lot = filters["LOT_SIZE"]
    # Older symbols still have the smallest notional under its former name.
    notional = filters.get("NOTIONAL") or filters["MIN_NOTIONAL"]
    return Instrument(
        venue=VENUE,
        symbol=f"{listed['baseAsset']}-{listed['quoteAsset']}",
        base=listed["baseAsset"],
        quote=listed["quoteAsset"],
        price_step=Decimal(filters["PRICE_FILTER"]["tickSize"]).normalize(),
        quantity_step=Decimal(lot["stepSize"]).normalize(),
        min_quantity=Decimal(lot["minQty"]),
        max_quantity=Decimal(lot["maxQty"]),
        min_notional=Decimal(notional["minNotional"]),
        maker_fee=rates[0],
        taker_fee=rates[1],
    )


def fee_rates(answer: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """Maker's and taker's rate of ``GET /api/v3/account``."""
    rates = answer["commissionRates"]
    return Decimal(rates["maker"]), Decimal(rates["taker"])


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


def _triggering(
    name: str, stop_price: str | None, trailing_delta: int | None
) -> tuple[OrderType, Decimal | None, Decimal | None]:
    """Type, trigger price and trailing ratio; prices that are zero are none."""
    type_ = _TYPES[name]
    trigger = Decimal(stop_price or 0)
    if type_.triggered and trailing_delta:
        return OrderType.TRAILING_STOP, trigger or None, Decimal(trailing_delta) / _BASIS_POINTS
    return type_, (trigger or None) if type_.triggered else None, None


def _time_in_force(type_name: str, name: str | None) -> TimeInForce:
    if type_name == "LIMIT_MAKER":
        return TimeInForce.POST_ONLY
    if name in (None, "", "GTC", "GTX"):
        return TimeInForce.GTC
    return TimeInForce(str(name).lower())

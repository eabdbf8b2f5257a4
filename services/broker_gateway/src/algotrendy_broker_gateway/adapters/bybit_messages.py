"""Bybit's own words as ours: orders, executions, wallets and positions out of REST answers and private messages.

Invariant: numbers go from the venue's strings to Decimal without passing a float; anything that is not as documented
raises (KeyError, TypeError, ValueError, ArithmeticError) and is never half understood.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Liquidity, MarginMode, OrderType, Side, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument, InstrumentKind

from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport
from algotrendy_broker_gateway.ports import VenuePosition

VENUE = "bybit"
SPOT, LINEAR = "spot", "linear"
SymbolOf = Callable[[str], str]
"""``spot/BTCUSDT`` to ``BTC-USDT``: the same name stands for a pair and for its perpetual."""
AssetsOf = Callable[[str], tuple[str, str]]

_STANDINGS = {
    "New": Standing.WORKING,
    "PartiallyFilled": Standing.WORKING,
    "Untriggered": Standing.WORKING,
    "Triggered": Standing.WORKING,
    "Active": Standing.WORKING,
    "Filled": Standing.DONE,
    "Cancelled": Standing.CANCELLED,
    "PartiallyFilledCanceled": Standing.CANCELLED,
    "Deactivated": Standing.CANCELLED,
    "Rejected": Standing.REJECTED,
}
_NO_REASON = frozenset({"", "EC_NoError", "EC_PerCancelRequest", "UNKNOWN"})
_TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK, "PostOnly": TimeInForce.POST_ONLY,
}  # fmt: skip


def key_of(category: str, wire_symbol: str) -> str:
    return f"{category}/{wire_symbol}"


def instrument(category: str, listed: Mapping[str, Any], rates: tuple[Decimal, Decimal]) -> Instrument:
    """An element of ``instruments-info``, with the account's maker and taker rates."""
    lot = listed["lotSizeFilter"]
    base, quote = str(listed["baseCoin"]), str(listed["quoteCoin"])
    linear = category == LINEAR
    return Instrument(
        venue=VENUE,
        symbol=f"{base}-{quote}-PERP" if linear else f"{base}-{quote}",
        base=base,
        quote=quote,
        price_step=Decimal(listed["priceFilter"]["tickSize"]),
        quantity_step=Decimal(lot["qtyStep"] if linear else lot["basePrecision"]),
        min_quantity=Decimal(lot["minOrderQty"]),
        max_quantity=Decimal(lot.get("maxLimitOrderQty") or lot["maxOrderQty"]),
        min_notional=Decimal(lot["minNotionalValue"] if linear else lot["minOrderAmt"]),
        maker_fee=rates[0],
        taker_fee=rates[1],
        kind=InstrumentKind.PERPETUAL if linear else InstrumentKind.SPOT,
        max_leverage=Decimal(listed["leverageFilter"]["maxLeverage"]) if linear else Decimal(1),
    )


def fee_rates(answer: Mapping[str, Any]) -> dict[str, tuple[Decimal, Decimal]]:
    """``GET /v5/account/fee-rate``: maker's and taker's rate by the venue's symbol."""
    rows = answer["result"]["list"]
    return {row["symbol"]: (Decimal(row["makerFeeRate"]), Decimal(row["takerFeeRate"])) for row in rows}


def acknowledged(answer: Mapping[str, Any], client_id: str, terms: OrderTerms) -> VenueReport:
    """``POST /v5/order/create``: the venue has it; what became of it is to be heard or asked."""
    at = from_ms(int(answer["time"]))
    order = VenueOrder(
        venue_order_id=_text(answer["result"]["orderId"]),
        client_id=client_id,
        symbol=terms.symbol,
        side=terms.side,
        type=terms.type,
        time_in_force=terms.time_in_force,
        quantity=terms.quantity,
        limit_price=terms.limit_price,
        executed_quantity=ZERO,
        standing=Standing.WORKING,
        reason="",
        created_at=at,
        updated_at=at,
        trigger_price=terms.trigger_price,
        waiting=terms.type.triggered,
        reduce_only=terms.reduce_only,
    )
    return VenueReport(order)


def order(row: Mapping[str, Any], category: str, symbol_of: SymbolOf) -> VenueOrder:
    """An element of ``order/realtime``, of ``order/history`` or of the ``order`` topic."""
    status = str(row["orderStatus"])
    executed = _number(row["cumExecQty"])
    standing = _STANDINGS[status]
    if standing is Standing.REJECTED and executed:
        # The rest of an order that had traded already.
        standing = Standing.CANCELLED
    side = Side(row["side"].lower())
    trigger = _number(row["triggerPrice"]) or None
    limited = row["orderType"] == "Limit"
    return VenueOrder(
        venue_order_id=_text(row["orderId"]),
        client_id=str(row["orderLinkId"] or row["orderId"]),
        symbol=symbol_of(key_of(category, row["symbol"])),
        side=side,
        type=_type(row, side, limited, trigger),
        time_in_force=_TIMES_IN_FORCE[row["timeInForce"]],
        quantity=_quantity(row, category, side, limited, executed),
        limit_price=(_number(row["price"]) or None) if limited else None,
        executed_quantity=executed,
        standing=standing,
        reason=_reason(row, standing),
        created_at=_time(row["createdTime"]),
        updated_at=_time(row["updatedTime"]),
        trigger_price=trigger,
        waiting=status == "Untriggered",
        reduce_only=row["reduceOnly"] is True,
    )


def _quantity(row: Mapping[str, Any], category: str, side: Side, limited: bool, executed: Decimal) -> Decimal:
    """A spot market order made elsewhere may be worth an amount of quote: then what it bought is its quantity."""
    unit = row.get("marketUnit") or ("quoteCoin" if side is Side.BUY else "baseCoin")
    if category == SPOT and not limited and unit == "quoteCoin" and executed:
        return executed
    return Decimal(row["qty"])


def _type(row: Mapping[str, Any], side: Side, limited: bool, trigger: Decimal | None) -> OrderType:
    if trigger is None:
        return OrderType.LIMIT if limited else OrderType.MARKET
    direction = row.get("triggerDirection") or 0
    at_first = _number(row.get("lastPriceOnCreated"))
    if not direction and not at_first:
        # Nothing says from where the price must come: more likely a guard than a target.
        return OrderType.STOP_LIMIT if limited else OrderType.STOP
    rising = direction == 1 if direction else trigger > at_first
    if rising is (side is Side.BUY):
        return OrderType.STOP_LIMIT if limited else OrderType.STOP
    return OrderType.TAKE_PROFIT_LIMIT if limited else OrderType.TAKE_PROFIT


def _reason(row: Mapping[str, Any], standing: Standing) -> str:
    if standing in (Standing.WORKING, Standing.DONE):
        return ""
    why = str(row.get("rejectReason") or "")
    if standing is Standing.REJECTED:
        return why or "rejected"
    if why in _NO_REASON:
        by = str(row.get("cancelType") or "")
        return "cancelled" if by in ("", "UNKNOWN", "CancelByUser") else f"cancelled: {by}"
    return f"expired: {why}"


def execution(row: Mapping[str, Any], symbol_of: SymbolOf, assets_of: AssetsOf) -> Fill | None:
    """An element of ``execution/list`` or of the ``execution`` topic; None for funding and what else is no trade."""
    if row["execType"] not in ("Trade", "AdlTrade", "BustTrade"):
        return None
    symbol = symbol_of(key_of(row["category"], row["symbol"]))
    base, quote = assets_of(symbol)
    side = Side(row["side"].lower())
    received = base if side is Side.BUY and row["category"] == SPOT else quote
    return Fill(
        trade_id=_text(row["execId"]),
        venue_order_id=_text(row["orderId"]),
        venue=VENUE,
        symbol=symbol,
        side=side,
        price=Decimal(row["execPrice"]),
        quantity=Decimal(row["execQty"]),
        fee=Decimal(row["execFee"]),
        fee_currency=str(row.get("feeCurrency") or received),
        liquidity=Liquidity.MAKER if row["isMaker"] else Liquidity.TAKER,
        event_time=_time(row["execTime"]),
    )


def balance(row: Mapping[str, Any]) -> AssetBalance:
    """A coin of a unified wallet. ``availableToWithdraw`` is empty since Bybit gave it up, so it is not read."""
    total = Decimal(row["walletBalance"])
    held = sum((_number(row.get(name) or "0") for name in ("locked", "totalOrderIM", "totalPositionIM")), ZERO)
    # Margin is borrowed against the whole account and may be more than the coin's own balance.
    reserved = min(held, max(total, ZERO))
    return AssetBalance(asset=str(row["coin"]), total=total, available=total - reserved, reserved=reserved)


def balances(wallets: list[Mapping[str, Any]]) -> tuple[AssetBalance, ...]:
    """``list`` of ``wallet-balance`` or ``data`` of the ``wallet`` topic, zeros included."""
    return tuple(balance(row) for wallet in wallets for row in wallet["coin"])


def position(row: Mapping[str, Any], symbol_of: SymbolOf) -> VenuePosition | None:
    """An element of ``position/list``; None where nothing is held."""
    size = _number(row["size"])
    if not size:
        return None
    return VenuePosition(
        symbol=symbol_of(key_of(LINEAR, row["symbol"])),
        quantity=size if row["side"] == "Buy" else -size,
        entry_price=_number(row["avgPrice"]) or None,
        mark_price=_number(row["markPrice"]) or None,
        liquidation_price=_number(row["liqPrice"]) or None,
        leverage=_number(row["leverage"]) or None,
        margin_mode=MarginMode.ISOLATED if row.get("tradeMode") == 1 else MarginMode.CROSS,
        as_of=_time(row["updatedTime"]),
    )


def _number(text: str | None) -> Decimal:
    """Bybit leaves empty, or writes as zero, what is not set."""
    return Decimal(text) if text else ZERO


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"an id is expected, not {value!r}")
    return value


def _time(milliseconds: str) -> datetime:
    return from_ms(int(milliseconds))

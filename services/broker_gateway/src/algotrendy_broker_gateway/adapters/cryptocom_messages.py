"""Crypto.com's own words as ours: orders, trades and balances out of REST answers and user messages; and our terms in
its words.

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
from algotrendy_core.instruments import Instrument

from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport
from algotrendy_broker_gateway.errors import VenueRefused

VENUE = "cryptocom"
SymbolOf = Callable[[str], str]
"""``BTC_USDT`` to ``BTC-USDT``."""

_STANDINGS = {
    "NEW": Standing.WORKING,
    "PENDING": Standing.WORKING,
    "ACTIVE": Standing.WORKING,
    "FILLED": Standing.DONE,
    "CANCELED": Standing.CANCELLED,
    "EXPIRED": Standing.CANCELLED,
    "REJECTED": Standing.REJECTED,
}
_TYPES = {
    "LIMIT": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LIMIT": OrderType.STOP_LIMIT,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT,
    "TAKE_PROFIT_LIMIT": OrderType.TAKE_PROFIT_LIMIT,
}
_TYPE_NAMES = {type_: name for name, type_ in _TYPES.items()}
_TIMES_IN_FORCE = {
    "GOOD_TILL_CANCEL": TimeInForce.GTC,
    "IMMEDIATE_OR_CANCEL": TimeInForce.IOC,
    "FILL_OR_KILL": TimeInForce.FOK,
}
_TIME_IN_FORCE_NAMES = {in_force: name for name, in_force in _TIMES_IN_FORCE.items()} | {
    TimeInForce.POST_ONLY: "GOOD_TILL_CANCEL",
    # Crypto.com knows no date: the gateway cancels the order when its time has come.
    TimeInForce.GTD: "GOOD_TILL_CANCEL",
}
_UNBOUNDED = Decimal(10**9)
"""No largest quantity is listed: what is too much the venue says itself."""


def instrument(listed: Mapping[str, Any], rates: tuple[Decimal, Decimal], min_notional: Decimal) -> Instrument:
    """An element of ``public/get-instruments``, with the account's rates and the least value of an order."""
    step = Decimal(listed["qty_tick_size"])
    return Instrument(
        venue=VENUE,
        symbol=f"{listed['base_ccy']}-{listed['quote_ccy']}",
        base=str(listed["base_ccy"]),
        quote=str(listed["quote_ccy"]),
        price_step=Decimal(listed["price_tick_size"]),
        quantity_step=step,
        min_quantity=step,
        max_quantity=_UNBOUNDED,
        min_notional=min_notional,
        maker_fee=rates[0],
        taker_fee=rates[1],
    )


def fee_rates(answer: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """``private/get-fee-rate``: maker's and taker's rate on spot, there in hundredths of a percent."""
    found = answer["result"]
    maker, taker = (Decimal(found[f"effective_spot_{side}_rate_bps"]) for side in ("maker", "taker"))
    return maker / 10_000, taker / 10_000


def least_values(answer: Mapping[str, Any]) -> dict[str, Decimal]:
    """``public/get-risk-parameters``: the least notional by base currency, in US dollars."""
    rows = answer["result"]["base_currency_config"]
    return {row["instrument_name"]: Decimal(row.get("min_order_notional_usd") or 0) for row in rows}


def order_request(client_order_id: str, terms: OrderTerms, name: str) -> dict[str, Any]:
    """The parameters of ``private/create-order``. All numbers are strings, and nothing is null: ccxt would sign that
    otherwise than the venue does."""
    if terms.type not in _TYPE_NAMES:
        raise VenueRefused("order_type", f"Crypto.com holds no {terms.type} order")
    request: dict[str, Any] = {
        "instrument_name": name,
        "side": terms.side.value.upper(),
        "type": _TYPE_NAMES[terms.type],
        "quantity": plain(terms.quantity),
        "client_oid": client_order_id,
        "spot_margin": "SPOT",
    }
    if terms.type.priced:
        if terms.limit_price is None:
            raise VenueRefused("limit_price_missing", f"a {terms.type} order needs a limit price")
        in_force = _TIME_IN_FORCE_NAMES[terms.time_in_force]
        request |= {"price": plain(terms.limit_price), "time_in_force": in_force}
    if terms.time_in_force is TimeInForce.POST_ONLY and terms.type.priced:
        request["exec_inst"] = ["POST_ONLY"]
    if terms.type.triggered:
        if terms.trigger_price is None:
            raise VenueRefused("trigger_price_missing", f"a {terms.type} order needs a trigger price")
        request |= {"ref_price": plain(terms.trigger_price), "ref_price_type": "LAST_PRICE"}
    return request


def acknowledged(answer: Mapping[str, Any], terms: OrderTerms, client_id: str, at: datetime) -> VenueReport:
    """``private/create-order``: the venue has it; what became of it is to be heard or asked. It tells no time."""
    order = VenueOrder(
        venue_order_id=_text(answer["result"]["order_id"]),
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
    )
    return VenueReport(order)


def order(row: Mapping[str, Any], symbol_of: SymbolOf) -> VenueOrder:
    """``private/get-order-detail``, an element of ``get-open-orders`` or of ``user.order``."""
    status = str(row["status"])
    type_ = _TYPES[row["order_type"]]
    post_only = "POST_ONLY" in (row.get("exec_inst") or ())
    trigger = Decimal(row.get("ref_price") or 0) or None
    return VenueOrder(
        venue_order_id=_text(row["order_id"]),
        client_id=str(row.get("client_oid") or row["order_id"]),
        symbol=symbol_of(row["instrument_name"]),
        side=Side(row["side"].lower()),
        type=type_,
        time_in_force=TimeInForce.POST_ONLY if post_only else _TIMES_IN_FORCE[row["time_in_force"]],
        quantity=Decimal(row["quantity"]),
        limit_price=Decimal(row["limit_price"]) if type_.priced else None,
        executed_quantity=Decimal(row["cumulative_quantity"]),
        standing=_STANDINGS[status],
        reason=_reason(row, status),
        created_at=_time(row["create_time"]),
        updated_at=_time(row["update_time"]),
        trigger_price=trigger if type_.triggered else None,
        waiting=type_.triggered and status in ("NEW", "PENDING"),
    )


def _reason(row: Mapping[str, Any], status: str) -> str:
    why = str(row.get("reason") or "")
    match status:
        case "REJECTED":
            return f"rejected: {why}"
        case "EXPIRED":
            return "expired: the venue ended the order"
        case "CANCELED":
            return f"expired: reason {why}" if why in ("43003", "43004", "43012") else "cancelled"
        case _:
            return ""


def own_trade(row: Mapping[str, Any], symbol_of: SymbolOf) -> Fill:
    """An element of ``private/get-trades`` or of ``user.trade``. ``fees`` is below zero for what was paid."""
    return Fill(
        trade_id=_text(row["trade_id"]),
        venue_order_id=_text(row["order_id"]),
        venue=VENUE,
        symbol=symbol_of(row["instrument_name"]),
        side=Side(row["side"].lower()),
        price=Decimal(row["traded_price"]),
        quantity=Decimal(row["traded_quantity"]),
        fee=-Decimal(row["fees"]),
        fee_currency=str(row["fee_instrument_name"]),
        liquidity=Liquidity(row["taker_side"].lower()),
        event_time=_time(row["create_time"]),
    )


def balances(accounts: list[Mapping[str, Any]]) -> tuple[AssetBalance, ...]:
    """``data`` of ``private/user-balance`` or of ``user.balance``, zeros included."""
    return tuple(_balance(row) for account in accounts for row in account["position_balances"])


def _balance(row: Mapping[str, Any]) -> AssetBalance:
    total = Decimal(row["quantity"])
    reserved = min(Decimal(row.get("reserved_qty") or 0), max(total, ZERO))
    return AssetBalance(asset=str(row["instrument_name"]), total=total, available=total - reserved, reserved=reserved)


def _text(value: Any) -> str:
    """An id; a number would have lost its last digits on the way through other languages, so it is a string there."""
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise ValueError(f"an id is expected, not {value!r}")
    return str(value)


def _time(milliseconds: int | str) -> datetime:
    return from_ms(int(milliseconds))

"""Coinbase's own words as ours: orders, fills and balances out of REST answers and the ``user`` channel.

Invariant: numbers go from the venue's strings to Decimal without passing a float; anything that is not as documented
raises (KeyError, TypeError, ValueError, ArithmeticError) and is never half understood.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument

from algotrendy_broker_gateway.adapters.coinbase_requests import UP
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport

VENUE = "coinbase"
SymbolOf = Callable[[str], str]
"""``BTC-USDT`` is ``BTC-USDT`` here too, if it is listed."""
AssetsOf = Callable[[str], tuple[str, str]]

_STANDINGS = {
    "PENDING": Standing.WORKING,
    "OPEN": Standing.WORKING,
    "QUEUED": Standing.WORKING,
    "EDIT_QUEUED": Standing.WORKING,
    "CANCEL_QUEUED": Standing.WORKING,
    "FILLED": Standing.DONE,
    "CANCELLED": Standing.CANCELLED,
    "EXPIRED": Standing.CANCELLED,
    "FAILED": Standing.REJECTED,
}
_TIMES_IN_FORCE = {
    "GOOD_UNTIL_CANCELLED": TimeInForce.GTC,
    "GTC": TimeInForce.GTC,
    "GOOD_UNTIL_DATE_TIME": TimeInForce.GTD,
    "GTD": TimeInForce.GTD,
    "IMMEDIATE_OR_CANCEL": TimeInForce.IOC,
    "IOC": TimeInForce.IOC,
    "FILL_OR_KILL": TimeInForce.FOK,
    "FOK": TimeInForce.FOK,
}
_FINEST = Decimal("0.00000001")


def instrument(product: Mapping[str, Any], rates: tuple[Decimal, Decimal]) -> Instrument:
    """An element of ``products``, with the account's maker and taker rates."""
    base, quote = str(product["base_currency_id"]), str(product["quote_currency_id"])
    return Instrument(
        venue=VENUE,
        symbol=f"{base}-{quote}",
        base=base,
        quote=quote,
        price_step=Decimal(product.get("price_increment") or product["quote_increment"]),
        quantity_step=Decimal(product["base_increment"]),
        min_quantity=Decimal(product["base_min_size"]),
        max_quantity=Decimal(product["base_max_size"]),
        min_notional=Decimal(product["quote_min_size"]),
        maker_fee=rates[0],
        taker_fee=rates[1],
    )


def fee_rates(answer: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """``GET /transaction_summary``: maker's and taker's rate."""
    tier = answer["fee_tier"]
    return Decimal(tier["maker_fee_rate"]), Decimal(tier["taker_fee_rate"])


def acknowledged(answer: Mapping[str, Any], client_id: str, terms: OrderTerms, at: datetime) -> VenueReport:
    """``POST /orders``: the venue has it; what became of it is to be heard or asked."""
    if answer["success"] is not True or answer["success_response"]["client_order_id"] != client_id:
        raise ValueError(f"not a yes to {client_id}")
    order = VenueOrder(
        venue_order_id=_text(answer["success_response"]["order_id"]),
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
    """An element of ``historical/batch``, or ``historical/{order_id}``."""
    executed = _number(row["filled_size"])
    side = Side(row["side"].lower())
    configured = _only(row["order_configuration"])
    created = _time(row["created_time"])
    limit, trigger = _number(configured.get("limit_price")), _number(configured.get("stop_price"))
    standing = _standing(row["status"], executed)
    return VenueOrder(
        venue_order_id=_text(row["order_id"]),
        client_id=str(row["client_order_id"] or row["order_id"]),
        symbol=symbol_of(row["product_id"]),
        side=side,
        type=_type(side, limit, trigger, configured.get("stop_direction")),
        time_in_force=_in_force(row["time_in_force"], configured.get("post_only") is True),
        # An order made elsewhere may be worth an amount of quote: then what it bought is its quantity.
        quantity=_number(configured.get("base_size")) or executed,
        limit_price=limit or None,
        executed_quantity=executed,
        standing=standing,
        reason=_reason(standing, row.get("status"), row.get("cancel_message"), row.get("reject_message")),
        created_at=created,
        updated_at=_time(row.get("last_update_time") or row.get("last_fill_time") or row["created_time"]),
        trigger_price=trigger or None,
        waiting=row.get("trigger_status") == "STOP_PENDING",
    )


def told(row: Mapping[str, Any], at: str, symbol_of: SymbolOf, asked: OrderTerms | None) -> VenueOrder:
    """An order of the ``user`` channel, which does not say its size: of a working one that is what is filled and left,
    of another only ``asked``, what we sent for it, knows."""
    executed, left = _number(row["cumulative_quantity"]), _number(row["leaves_quantity"])
    side = Side(row["order_side"].lower())
    standing = _standing(row["status"], executed)
    if asked is None and standing in (Standing.CANCELLED, Standing.REJECTED) and not left:
        raise ValueError("the size of an order that we did not send, and that has ended")
    limit, trigger = _number(row.get("limit_price")), _number(row.get("stop_price"))
    return VenueOrder(
        venue_order_id=_text(row["order_id"]),
        client_id=str(row["client_order_id"] or row["order_id"]),
        symbol=symbol_of(row["product_id"]),
        side=side,
        type=asked.type if asked is not None else _type(side, limit, trigger, None),
        time_in_force=_in_force(row["time_in_force"], str(row.get("post_only")).lower() == "true"),
        quantity=asked.quantity if asked is not None else executed + left,
        limit_price=limit or None,
        executed_quantity=executed,
        standing=standing,
        reason=_reason(standing, row["status"], row.get("cancel_reason"), row.get("reject_reason")),
        created_at=_time(row["creation_time"]),
        updated_at=_time(at),
        trigger_price=trigger or None,
        waiting=row.get("trigger_status") == "STOP_PENDING",
    )


def fill(row: Mapping[str, Any], symbol_of: SymbolOf, assets_of: AssetsOf) -> Fill | None:
    """An element of ``historical/fills``; None for a correction, which is no trade. Its ``entry_id`` is the identity:
    both sides of a trade of an account with itself have one ``trade_id``."""
    if row["trade_type"] != "FILL":
        return None
    symbol, price, size = symbol_of(row["product_id"]), Decimal(row["price"]), Decimal(row["size"])
    return Fill(
        trade_id=_text(row["entry_id"]),
        venue_order_id=_text(row["order_id"]),
        venue=VENUE,
        symbol=symbol,
        side=Side(row["side"].lower()),
        price=price,
        quantity=(size / price).quantize(_FINEST) if row["size_in_quote"] is True else size,
        fee=_number(row["commission"]),
        fee_currency=assets_of(symbol)[1],
        liquidity=Liquidity.MAKER if row["liquidity_indicator"] == "MAKER" else Liquidity.TAKER,
        event_time=_time(row["trade_time"]),
    )


def balances(wallets: Iterable[Mapping[str, Any]]) -> tuple[AssetBalance, ...]:
    """Elements of ``accounts``, one or more an asset; zeros left out."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for wallet in wallets:
        free, held = found.get(wallet["currency"], (ZERO, ZERO))
        free += Decimal(wallet["available_balance"]["value"])
        held += Decimal(wallet["hold"]["value"])
        found[str(wallet["currency"])] = free, held
    return tuple(
        AssetBalance(asset=asset, total=free + held, available=free, reserved=held)
        for asset, (free, held) in found.items()
        if free or held
    )


def _type(side: Side, limit: Decimal, trigger: Decimal, direction: str | None) -> OrderType:
    """Kinds that only exist elsewhere count as what they become: limit with a price, else market."""
    if not limit:
        return OrderType.MARKET
    if not trigger:
        return OrderType.LIMIT
    with_the_market = direction is None or (direction == UP) == (side is Side.BUY)
    return OrderType.STOP_LIMIT if with_the_market else OrderType.TAKE_PROFIT_LIMIT


def _in_force(name: str | None, post_only: bool) -> TimeInForce:
    return TimeInForce.POST_ONLY if post_only else _TIMES_IN_FORCE.get(str(name), TimeInForce.GTC)


def _standing(status: str, executed: Decimal) -> Standing:
    standing = _STANDINGS[status]
    # The rest of an order that had traded already.
    return Standing.CANCELLED if standing is Standing.REJECTED and executed else standing


def _reason(standing: Standing, status: str | None, *said: str | None) -> str:
    if standing in (Standing.WORKING, Standing.DONE):
        return ""
    words = next((text for text in said if text and not text.endswith("_UNSPECIFIED")), "")
    return "cancelled" if "requested" in words.lower() else words or str(status).lower()


def _only(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    (found,) = [value for value in configuration.values() if isinstance(value, dict)]
    return found


def _number(value: Any) -> Decimal:
    """Absent and empty are zero; a JSON number is none of Coinbase's ways to write money."""
    if value is None or value == "":
        return ZERO
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not written as money")
    return Decimal(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("an id is missing")
    return value


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} is in no zone")
    return at

"""Kraken's JSON for orders, fills and positions over REST. Times are the wall's, in seconds with decimals.

Source: Kraken documentation, Spot REST "Account data". Invariant: pure; fees are in the quote currency.
"""

from decimal import Decimal

from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.money import ZERO, plain

from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill, Order, VenueStatus
from algotrendy_simulator.positions import Position
from algotrendy_simulator.venues.kraken.identity import order_txid, pair_id, trade_txid
from algotrendy_simulator.venues.kraken.order_request import TYPES, shown_client_id, shown_reference
from algotrendy_simulator.venues.kraken.wire import Json, price, volume

NAMES = {kind: name for name, kind in TYPES.items()}
_STATUSES = {
    VenueStatus.NEW: "open",
    VenueStatus.PARTIALLY_FILLED: "open",
    VenueStatus.FILLED: "closed",
    VenueStatus.CANCELED: "canceled",
    VenueStatus.EXPIRED: "expired",
}
_REASONS = {VenueStatus.CANCELED: "User requested", VenueStatus.EXPIRED: "Order expired"}


def described(order: Order, market: Market) -> Json:
    """``descr``, whose ``price`` is the trigger where there is one, and whose ``price2`` the limit then."""
    first, second = order.limit_price, None
    if order.type.triggered:
        first, second = order.trigger_price, order.limit_price
    trailing = order.type is OrderType.TRAILING_STOP and order.trailing_ratio is not None
    shown = f"+{(order.trailing_ratio or ZERO) * 100:.4f}%" if trailing else price(market, first or ZERO)
    leverage = "none" if order.leverage is None else f"{int(order.leverage)}:1"
    name = NAMES[order.type]
    at = "" if order.type is OrderType.MARKET else f" {shown}"
    if second is not None:
        at += f" -> limit {price(market, second)}"
    lent = "" if order.leverage is None else f" with {leverage} leverage"
    spoken = (name.removesuffix("-limit") if order.type.triggered else name).replace("-", " ")
    words = f"{order.side} {volume(order.quantity)} {pair_id(market)} @ {spoken}{at}{lent}"
    return {
        "pair": pair_id(market),
        "type": order.side.value,
        "ordertype": name,
        "price": "0" if order.type is OrderType.MARKET else shown,
        "price2": "0" if second is None else price(market, second),
        "leverage": leverage,
        "order": words,
        "close": "",
    }


def shown(order: Order, fills: list[Fill], market: Market, with_trades: bool = False) -> Json:
    fees = sum((fill.fee for fill in fills), ZERO)
    average = order.quote_filled / order.filled if order.filled else ZERO
    flags = ["fciq"] + (["post"] if order.time_in_force is TimeInForce.POST_ONLY else [])
    found: Json = {
        "refid": None,
        "userref": shown_reference(order.client_order_id),
        "cl_ord_id": shown_client_id(order.client_order_id),
        "status": _STATUSES[order.status],
        "opentm": order.created_ms / 1000,
        "starttm": 0,
        "expiretm": 0 if order.good_until_ms is None else order.good_until_ms / 1000,
        "descr": described(order, market),
        "vol": volume(order.quantity),
        "vol_exec": volume(order.filled),
        "cost": volume(order.quote_filled),
        "fee": volume(fees),
        "price": volume(average),
        "stopprice": volume(order.trigger_price or ZERO),
        # Of a triggered order once its price has come.
        "limitprice": volume((order.limit_price if order.type.triggered and not order.waiting else None) or ZERO),
        "misc": "",
        "oflags": ",".join(flags),
    }
    if order.type.triggered:
        found["trigger"] = "last"
    if not order.status.open:
        found |= {"closetm": order.updated_ms / 1000, "reason": _REASONS.get(order.status)}
    if with_trades and fills:
        found["trades"] = [trade_txid(fill) for fill in fills]
    return found


def trade(fill: Fill, order: Order, market: Market) -> Json:
    return {
        "ordertxid": order_txid(fill.order_id),
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": pair_id(market),
        "time": fill.time_ms / 1000,
        "type": fill.side.value,
        "ordertype": NAMES[order.type],
        "price": price(market, fill.price),
        "cost": volume(fill.price * fill.quantity),
        "fee": volume(fill.fee),
        "vol": volume(fill.quantity),
        "margin": volume(fill.price * fill.quantity / order.leverage if order.leverage else ZERO),
        "leverage": plain(order.leverage or ZERO),
        "misc": "",
        "trade_id": fill.trade_id,
        "maker": fill.liquidity is Liquidity.MAKER,
        "cl_ord_id": shown_client_id(order.client_order_id),
    }


def position(held: Position, market: Market, with_value: bool) -> Json:
    """One position of a pair, as ``consolidation=market`` shows it."""
    size = abs(held.quantity)
    found: Json = {
        "pair": pair_id(market),
        "positions": "1",
        "type": (Side.BUY if held.quantity > ZERO else Side.SELL).value,
        "leverage": f"{held.leverage:.5f}",
        "cost": volume(held.entry_price * size),
        "fee": volume(ZERO),
        "vol": volume(size),
        "vol_closed": volume(ZERO),
        "margin": volume(held.margin),
    }
    if with_value:
        found |= {"value": volume(held.mark_price * size), "net": f"{held.unrealised_pnl:+.4f}"}
    return found


def average(order: Order) -> Decimal:
    return order.quote_filled / order.filled if order.filled else ZERO

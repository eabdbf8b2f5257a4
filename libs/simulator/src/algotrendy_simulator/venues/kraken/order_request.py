"""The parameters of ``AddOrder`` as the exchange's own request, and the client ids that go with it.

Source: Kraken documentation, "Add order". ``price`` is the limit of a limit order and the trigger of a triggered one,
whose limit is ``price2``. Invariant: an order type or flag that is not offered is refused; names that Kraken does not
know are ignored as Kraken ignores them, so a stop asked for under another name is a plain order.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.ids import new_id

from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import OrderRequest
from algotrendy_simulator.venues.kraken.parameters import Parameters
from algotrendy_simulator.venues.kraken.refusals import KrakenError, invalid

TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop-loss": OrderType.STOP,
    "stop-loss-limit": OrderType.STOP_LIMIT,
    "take-profit": OrderType.TAKE_PROFIT,
    "take-profit-limit": OrderType.TAKE_PROFIT_LIMIT,
    "trailing-stop": OrderType.TRAILING_STOP,
}
_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTD": TimeInForce.GTD,
}
_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FREE_TEXT = 18
_OWN = "~"
"""Begins an id that the client did not give, and that is not shown."""


def client_id(parameters: Parameters) -> str:
    """What is kept of ``cl_ord_id`` or ``userref``; text that is no UUID is cut."""
    given, reference = parameters.optional("cl_ord_id"), parameters.optional("userref")
    if given is not None and reference is not None:
        raise invalid("cl_ord_id and userref are mutually exclusive")
    if given is not None:
        return given if _UUID.fullmatch(given) else given[:_FREE_TEXT]
    if reference is not None and not re.fullmatch(r"-?\d{1,10}", reference):
        raise invalid("userref")
    return f"{_OWN}{reference or '0'}{_OWN}{new_id()}"


def shown_client_id(kept: str) -> str | None:
    return None if kept.startswith(_OWN) else kept


def shown_reference(kept: str) -> int:
    return int(kept.split(_OWN)[1]) if kept.startswith(_OWN) else 0


@dataclass(frozen=True, slots=True)
class _Prices:
    limit: Decimal | None = None
    trigger: Decimal | None = None
    trailing: Decimal | None = None


def order_request(parameters: Parameters, market: Market, now_ms: int) -> OrderRequest:
    """Raises KrakenError."""
    side = parameters.text("type")
    if side not in ("buy", "sell"):
        raise invalid("type")
    kind = TYPES.get(parameters.text("ordertype"))
    if kind is None:
        raise invalid("ordertype")
    flags = set(parameters.names("oflags"))
    in_force = _in_force(parameters, kind, flags)
    volume = parameters.decimal("volume")
    if volume is None:
        raise invalid("volume")
    leverage = _leverage(parameters)
    reduce_only = parameters.flag("reduce_only")
    if reduce_only and leverage is None:
        raise KrakenError("EOrder:Reduce only:Non-margin order")
    in_quote = "viqc" in flags
    if in_quote and (kind is not OrderType.MARKET or side != "buy"):
        raise invalid("viqc")
    prices = _prices(parameters, kind)
    return OrderRequest(
        client_id(parameters),
        market.wire_symbol,
        Side(side),
        kind,
        in_force,
        None if in_quote else volume,
        prices.limit,
        quote_quantity=volume if in_quote else None,
        trigger_price=prices.trigger,
        trailing_ratio=prices.trailing,
        good_until_ms=_until(parameters, now_ms) if in_force is TimeInForce.GTD else None,
        reduce_only=reduce_only,
        leverage=leverage,
    )


def _in_force(parameters: Parameters, kind: OrderType, flags: set[str]) -> TimeInForce:
    in_force = _IN_FORCE.get((parameters.optional("timeinforce") or "GTC").upper())
    if in_force is None:
        raise invalid("timeinforce")
    if parameters.optional("expiretm") not in (None, "0"):
        in_force = TimeInForce.GTD
    if flags - {"post", "fcib", "fciq", "nompp", "viqc"}:
        raise invalid("oflags")
    if "post" in flags:
        if kind is not OrderType.LIMIT or in_force not in (TimeInForce.GTC, TimeInForce.GTD):
            raise invalid("oflags")
        return TimeInForce.POST_ONLY
    return in_force


def _until(parameters: Parameters, now_ms: int) -> int:
    """``expiretm``: seconds since the epoch, or from now with a plus."""
    text = parameters.text("expiretm")
    if not re.fullmatch(r"\+?\d{1,12}", text):
        raise invalid("expiretm")
    return now_ms + int(text[1:]) * 1000 if text.startswith("+") else int(text) * 1000


def _leverage(parameters: Parameters) -> Decimal | None:
    text = (parameters.optional("leverage") or "none").removesuffix(":1")
    if text in ("none", "1"):
        return None
    if not re.fullmatch(r"\d{1,2}", text):
        raise invalid("leverage")
    return Decimal(text)


def _prices(parameters: Parameters, kind: OrderType) -> _Prices:
    if kind is OrderType.MARKET:
        return _Prices()
    if kind is OrderType.TRAILING_STOP:
        match = re.fullmatch(r"\+(\d{1,2}(\.\d{1,6})?)%", parameters.text("price"))
        if match is None or not Decimal(match.group(1)):
            raise invalid("price")
        return _Prices(trailing=Decimal(match.group(1)) / 100)
    price = parameters.decimal("price")
    if price is None:
        raise invalid("price")
    if not kind.triggered:
        return _Prices(limit=price)
    limit = parameters.decimal("price2") if kind.priced else None
    if kind.priced and limit is None:
        raise invalid("price2")
    return _Prices(limit, price)

"""An order as OKX's clients ask for it, turned into the exchange's own words.

Source: OKX API v5 documentation, "Place order" and "Place algo order". Invariant: pure; what OKX would not understand
is refused here, what its rules forbid by the exchange.
"""

import re
from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce

from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import OrderRequest
from algotrendy_simulator.venues.okx.parameters import MARKET_PRICE, Parameters
from algotrendy_simulator.venues.okx.products import SWAP, contract_value, kind_of
from algotrendy_simulator.venues.okx.refusals import OkxError, OrderError

_CLIENT_ID = re.compile(r"^[a-zA-Z0-9]{1,32}$")
_TIMES_IN_FORCE = {
    "limit": TimeInForce.GTC, "post_only": TimeInForce.POST_ONLY, "fok": TimeInForce.FOK, "ioc": TimeInForce.IOC,
}  # fmt: skip
ALGO_TYPES = ("conditional", "oco", "trigger", "move_order_stop")


def client_id(parameters: Parameters, name: str) -> str | None:
    """Letters and digits only: a dashed UUID is refused."""
    value = parameters.optional(name)
    if value is not None and not _CLIENT_ID.fullmatch(value):
        raise OrderError(51000, f"Parameter {name} error")
    return value


def order_request(parameters: Parameters, market: Market, own_id: str) -> OrderRequest:
    """``own_id`` is what an order without a ``clOrdId`` is kept under."""
    side = _side(parameters)
    kind = parameters.text("ordType")
    _check_trade_mode(parameters, market)
    amount = _size(parameters)
    if kind == "market":
        # Spot market buys are worth an amount of quote unless they say otherwise, and sells are not.
        unit = parameters.optional("tgtCcy") or ("quote_ccy" if side is Side.BUY else "base_ccy")
        by_value = kind_of(market) != SWAP and unit == "quote_ccy"
        return OrderRequest(
            own_id,
            market.wire_symbol,
            side,
            OrderType.MARKET,
            TimeInForce.IOC,
            quantity=None if by_value else amount * contract_value(market),
            quote_quantity=amount if by_value else None,
            reduce_only=_reduces(parameters, market),
        )
    if kind not in _TIMES_IN_FORCE:
        raise OrderError(51000, "Parameter ordType error")
    price = parameters.decimal("px")
    if price is None or price <= 0:
        raise OrderError(51000, "Parameter px error")
    return OrderRequest(
        own_id,
        market.wire_symbol,
        side,
        OrderType.LIMIT,
        _TIMES_IN_FORCE[kind],
        quantity=amount * contract_value(market),
        limit_price=price,
        reduce_only=_reduces(parameters, market),
    )


def algo_request(parameters: Parameters, market: Market, own_id: str) -> OrderRequest:
    side, kind = _side(parameters), parameters.text("ordType")
    if kind not in ALGO_TYPES:
        raise OrderError(51000, "Parameter ordType error")
    _check_trade_mode(parameters, market)
    if kind_of(market) != SWAP and parameters.optional("tgtCcy") == "quote_ccy":
        raise OrderError(51000, "Parameter tgtCcy error")
    quantity = _size(parameters) * contract_value(market)
    stop, take = _trigger(parameters, "sl"), _trigger(parameters, "tp")
    trailing = stop_limit = trigger = price = None
    match kind:
        case "conditional":
            if (stop is None) is (take is None):
                raise OrderError(51000, "Parameter slTriggerPx error")
            trigger, price = stop or take or (None, None)
            type_ = (_STOPS if stop is not None else _TAKES)[price is not None]
        case "oco":
            if stop is None or take is None:
                raise OrderError(51000, "Parameter tpTriggerPx error")
            # The take-profit of a pair rests in the book here, at its limit price.
            type_, price, (trigger, stop_limit) = OrderType.OCO, take[1] or take[0], stop
        case "trigger":
            trigger, price = _plain_trigger(parameters)
            against = (trigger > market.last_price) is (side is Side.BUY)
            type_ = (_STOPS if against else _TAKES)[price is not None]
        case _:
            trailing = parameters.decimal("callbackRatio")
            if trailing is None or not Decimal("0.001") <= trailing <= 1:
                raise OrderError(51000, "Parameter callbackRatio error")
            type_ = OrderType.TRAILING_STOP
    return OrderRequest(
        own_id,
        market.wire_symbol,
        side,
        type_,
        TimeInForce.GTC,
        quantity=quantity,
        limit_price=price,
        trigger_price=trigger,
        stop_limit_price=stop_limit,
        trailing_ratio=trailing,
        reduce_only=_reduces(parameters, market),
        stop_client_order_id=f"{own_id}#stop" if type_ is OrderType.OCO else None,
    )


_STOPS = OrderType.STOP, OrderType.STOP_LIMIT
_TAKES = OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT


def _side(parameters: Parameters) -> Side:
    value = parameters.text("side")
    if value not in ("buy", "sell"):
        raise OrderError(51000, "Parameter side error")
    return Side(value)


def _size(parameters: Parameters) -> Decimal:
    amount = parameters.decimal("sz")
    if amount is None or amount <= 0:
        raise OrderError(51000, "Parameter sz error")
    return amount


def _check_trade_mode(parameters: Parameters, market: Market) -> None:
    mode = parameters.text("tdMode")
    if kind_of(market) == SWAP:
        if mode not in ("cross", "isolated"):
            raise OrderError(51000, "Parameter tdMode error")
    elif mode != "cash":
        raise OrderError(51010, "Request unsupported under current account mode")
    if parameters.optional("posSide") not in (None, "net"):
        raise OrderError(51000, "Parameter posSide error")


def _reduces(parameters: Parameters, market: Market) -> bool:
    """Ignored on spot, as OKX does."""
    return kind_of(market) == SWAP and parameters.flag("reduceOnly")


def _trigger(parameters: Parameters, prefix: str) -> tuple[Decimal, Decimal | None] | None:
    """Trigger price and limit price, which is None at the market."""
    trigger, price = parameters.decimal(f"{prefix}TriggerPx"), parameters.decimal(f"{prefix}OrdPx")
    if trigger is None:
        return None
    if price is None:
        raise OkxError(50014, f"Parameter {prefix}OrdPx can not be empty.", 400)
    return trigger, None if price == MARKET_PRICE else price


def _plain_trigger(parameters: Parameters) -> tuple[Decimal, Decimal | None]:
    trigger, price = parameters.decimal("triggerPx"), parameters.decimal("orderPx")
    if trigger is None or price is None:
        raise OrderError(51000, "Parameter triggerPx error")
    return trigger, None if price == MARKET_PRICE else price

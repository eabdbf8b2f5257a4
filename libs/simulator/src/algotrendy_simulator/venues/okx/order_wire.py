"""OKX's JSON for orders, algo orders, fills, balances and positions. Times are the wall's, in milliseconds, as strings.

Source: OKX API v5 documentation, "Trade" and "Trading account". Invariant: pure; a fee that is charged is negative, and
an order says the same in a query and in a message of its channel.
"""

from decimal import Decimal

from algotrendy_common.enums import Liquidity, MarginMode, OrderType, TimeInForce
from algotrendy_common.money import ZERO, plain

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill, Order, VenueStatus
from algotrendy_simulator.positions import Position
from algotrendy_simulator.venues.okx.algos import Algo
from algotrendy_simulator.venues.okx.products import SWAP, id_of, kind_of, size
from algotrendy_simulator.venues.okx.wire import Json

_STATES = {
    VenueStatus.NEW: "live",
    VenueStatus.PARTIALLY_FILLED: "partially_filled",
    VenueStatus.FILLED: "filled",
    VenueStatus.CANCELED: "canceled",
    VenueStatus.EXPIRED: "canceled",
}
_TYPES = {TimeInForce.IOC: "ioc", TimeInForce.FOK: "fok", TimeInForce.POST_ONLY: "post_only"}
NO_TAKE = "14"
"""``cancelSource`` of what could not be filled at once (IOC), and the like."""


def number(value: Decimal | None) -> str:
    """OKX leaves empty what is not set."""
    return "" if value is None else plain(value)


def order(
    market: Market,
    order: Order,
    fills: list[Fill],
    mode: MarginMode,
    leverage: Decimal,
    algo: Algo | None,
    last: Fill | None = None,
) -> Json:
    """``last`` is the fill that a message is about."""
    told = last or (fills[-1] if fills else None)
    swap = kind_of(market) == SWAP
    average = order.quote_filled / order.filled if order.filled else None
    fee = sum((fill.fee for fill in fills), ZERO)
    currency = fills[-1].fee_asset if fills else market.instrument.quote
    shown: Json = {
        "accFillSz": plain(size(market, order.filled)),
        "algoClOrdId": "" if algo is None else algo.head.client_order_id,
        "algoId": "" if algo is None else algo.algo_id,
        "attachAlgoClOrdId": "",
        "attachAlgoOrds": [],
        "avgPx": number(average),
        "cTime": str(order.created_ms),
        "cancelSource": _cancel_source(order),
        "cancelSourceReason": "",
        "category": "full_liquidation" if order.liquidation else "normal",
        "ccy": "",
        "clOrdId": order.client_order_id if algo is None else "",
        "fee": plain(-fee),
        "feeCcy": currency,
        "fillPx": number(told.price if told else None),
        "fillSz": plain(size(market, told.quantity)) if told else "0",
        "fillTime": str(told.time_ms) if told else "",
        "instId": id_of(market),
        "instType": kind_of(market),
        "isTpLimit": "false",
        "lever": plain(leverage) if swap else "",
        "linkedAlgoOrd": {"algoId": "" if algo is None else algo.algo_id},
        "ordId": str(order.order_id),
        "ordType": "market" if order.limit_price is None else _TYPES.get(order.time_in_force, "limit"),
        "pnl": "0",
        "posSide": "net" if swap else "",
        "px": number(order.limit_price),
        "rebate": "0",
        "rebateCcy": currency,
        "reduceOnly": "true" if order.reduce_only else "false",
        "side": order.side.value,
        "slOrdPx": "", "slTriggerPx": "", "slTriggerPxType": "",
        "source": "" if algo is None else "7",
        "state": _STATES[order.status],
        "stpId": "", "stpMode": "cancel_maker",
        "sz": plain(size(market, order.quantity) if order.quote_quantity is None else order.quote_quantity),
        "tag": "",
        "tdMode": mode.value if swap else "cash",
        "tgtCcy": ("base_ccy" if order.quote_quantity is None else "quote_ccy") if _spot_market(order, swap) else "",
        "tpOrdPx": "", "tpTriggerPx": "", "tpTriggerPxType": "",
        "tradeId": str(told.trade_id) if told else "",
        "uTime": str(order.updated_ms),
    }  # fmt: skip
    return shown


def order_message(shown: Json, market: Market, fill: Fill | None) -> Json:
    """What the ``orders`` channel has beside what a query has: the one fill that the message is about."""
    nothing = {
        "amendResult": "", "code": "0", "execType": "", "fillFee": "0", "fillFeeCcy": "", "fillNotionalUsd": "",
        "fillPnl": "0", "msg": "", "reqId": "", "lastPx": plain(market.last_price), "notionalUsd": "",
    }  # fmt: skip
    if fill is None:
        return shown | nothing | {"fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": ""}
    about = {"execType": _execution(fill), "fillFee": plain(-fill.fee), "fillFeeCcy": fill.fee_asset}
    return shown | nothing | about


def algo(market: Market, found: Algo, mode: MarginMode) -> Json:
    head, stop, child = found.head, found.stop, found.child
    swap = kind_of(market) == SWAP
    is_stop = stop.type in (OrderType.STOP, OrderType.STOP_LIMIT)
    trailing = stop.type is OrderType.TRAILING_STOP
    takes = head if found.kind == "oco" else None if is_stop or trailing else head
    stops = stop if is_stop or found.kind == "oco" else None
    return {
        "activePx": "",
        "actualPx": number(child.quote_filled / child.filled if child is not None and child.filled else None),
        "actualSide": "" if child is None else "sl" if child is stops else "tp",
        "actualSz": plain(size(market, child.filled)) if child is not None else "0",
        "algoClOrdId": head.client_order_id,
        "algoId": found.algo_id,
        "attachAlgoOrds": [],
        "cTime": str(head.created_ms),
        "callbackRatio": number(stop.trailing_ratio),
        "callbackSpread": "",
        "ccy": "",
        "clOrdId": "",
        "closeFraction": "",
        "failCode": "51008" if found.state == "order_failed" else "0",
        "instId": id_of(market),
        "instType": kind_of(market),
        "last": plain(market.last_price),
        "lever": "",
        "linkedOrd": {"ordId": ""},
        "moveTriggerPx": number(stop.trigger_price) if trailing else "",
        "ordId": "" if child is None else str(child.order_id),
        "ordIdList": [] if child is None else [str(child.order_id)],
        "ordPx": "",
        "ordType": found.kind,
        "posSide": "net" if swap else "",
        "reduceOnly": "true" if head.reduce_only else "false",
        "side": head.side.value,
        "slOrdPx": "" if stops is None else _order_price(stops),
        "slTriggerPx": "" if stops is None else number(stops.trigger_price),
        "slTriggerPxType": "" if stops is None else "last",
        "state": found.state,
        "sz": plain(size(market, head.quantity)),
        "tag": "",
        "tdMode": mode.value if swap else "cash",
        "tgtCcy": "",
        "tpOrdPx": "" if takes is None else _order_price(takes),
        "tpTriggerPx": "" if takes is None else number(takes.trigger_price or takes.limit_price),
        "tpTriggerPxType": "" if takes is None else "last",
        "triggerPx": "",
        "triggerPxType": "",
        "triggerTime": "" if child is None else str(child.updated_ms),
        "uTime": str(max(leg.updated_ms for leg in found.legs)),
    }


def fill(market: Market, found: Fill, bill_id: int, order: Order, algo: Algo | None) -> Json:
    return {
        "billId": str(bill_id),
        "clOrdId": order.client_order_id if algo is None else "",
        "execType": _execution(found),
        "fee": plain(-found.fee),
        "feeCcy": found.fee_asset,
        "feeRate": "",
        "fillIdxPx": "",
        "fillMarkPx": "",
        "fillPnl": "0",
        "fillPx": plain(found.price),
        "fillSz": plain(size(market, found.quantity)),
        "fillTime": str(found.time_ms),
        "instId": id_of(market),
        "instType": kind_of(market),
        "ordId": str(found.order_id),
        "posSide": "net",
        "side": found.side.value,
        "subType": "1",
        "tag": "",
        "tradeId": str(found.trade_id),
        "ts": str(found.time_ms),
    }


def detail(asset: str, total: Decimal, free: Decimal, now_ms: int) -> Json:
    """One currency of an account."""
    names = (
        "borrowFroz", "crossLiab", "disEq", "eqUsd", "fixedBal", "imr", "interest", "isoLiab", "liab", "maxLoan",
        "mgnRatio", "mmr", "notionalLever", "spotBal", "twap", "uplLiab",
    )  # fmt: skip
    return dict.fromkeys(names, "") | {
        "availBal": plain(free),
        "availEq": plain(free),
        "cashBal": plain(total),
        "ccy": asset,
        "eq": plain(total),
        "frozenBal": plain(total - free),
        "isoEq": "0",
        "ordFrozen": plain(total - free),
        "uTime": str(now_ms),
        "upl": "0",
    }


def balance(account: Account, now_ms: int, assets: list[str] | None = None) -> Json:
    names = [asset for asset, held in account.balances.items() if held.total] if assets is None else assets
    held = [(name, account.balance(name)) for name in names]
    shown = [detail(name, one.total, one.free, now_ms) for name, one in held]
    empty = ("adjEq", "imr", "isoEq", "mgnRatio", "mmr", "notionalUsd", "ordFroz", "totalEq", "upl")
    return dict.fromkeys(empty, "") | {"details": shown, "uTime": str(now_ms)}


def position(market: Market, held: Position, now_ms: int) -> Json:
    open_ = bool(held.quantity)
    return {
        "adl": "1",
        "avgPx": number(held.entry_price) if open_ else "",
        "cTime": str(now_ms),
        "ccy": market.instrument.quote,
        "imr": plain(held.margin),
        "instId": id_of(market),
        "instType": SWAP,
        "last": plain(held.mark_price),
        "lever": plain(held.leverage),
        "liqPx": number(held.liquidation_price),
        "margin": plain(held.margin) if held.margin_mode is MarginMode.ISOLATED else "",
        "markPx": plain(held.mark_price),
        "mgnMode": held.margin_mode.value,
        "mgnRatio": "",
        "mmr": "",
        "notionalUsd": plain(abs(held.quantity) * held.mark_price),
        "pos": plain(size(market, held.quantity)),
        "posCcy": "",
        "posId": "1",
        "posSide": "net",
        "realizedPnl": plain(held.realised_pnl),
        "tradeId": "",
        "uTime": str(now_ms),
        "upl": plain(held.unrealised_pnl),
        "uplRatio": "",
    }


def _order_price(leg: Order) -> str:
    return "-1" if leg.limit_price is None else plain(leg.limit_price)


def _execution(found: Fill) -> str:
    return "M" if found.liquidity is Liquidity.MAKER else "T"


def _spot_market(order: Order, swap: bool) -> bool:
    return not swap and order.limit_price is None


def _cancel_source(order: Order) -> str:
    match order.status:
        case VenueStatus.CANCELED:
            return "1"
        case VenueStatus.EXPIRED:
            return NO_TAKE
        case _:
            return ""

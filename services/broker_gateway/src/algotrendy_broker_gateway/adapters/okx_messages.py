"""OKX's own words as ours: orders, fills, balances and positions out of REST answers and channel messages.

Invariant: numbers go from the venue's strings to Decimal without passing a float; anything that is not as documented
raises (KeyError, TypeError, ValueError, ArithmeticError) and is never half understood. A fee that OKX writes as
negative was charged, and sizes of a swap are contracts: both are turned here, once.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
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

VENUE = "okx"
type InstrumentOf = Callable[[str], Instrument]
"""``BTC-USDT-SWAP`` to the instrument; raises KeyError for what is not listed."""
type Json = Mapping[str, Any]

ALGO = "algo:"
"""Before the id of an algo order, which stays that order's id when it has become an ordinary one with another."""
_STANDINGS = {
    "live": Standing.WORKING,
    "partially_filled": Standing.WORKING,
    "filled": Standing.DONE,
    "canceled": Standing.CANCELLED,
    "mmp_canceled": Standing.CANCELLED,
}
_ALGO_STANDINGS = {
    "live": Standing.WORKING,
    "pause": Standing.WORKING,
    "partially_effective": Standing.WORKING,
    "effective": Standing.WORKING,
    "canceled": Standing.CANCELLED,
    "order_failed": Standing.CANCELLED,
    "partially_failed": Standing.CANCELLED,
}
_TIMES_IN_FORCE = {
    "post_only": TimeInForce.POST_ONLY,
    "fok": TimeInForce.FOK,
    "ioc": TimeInForce.IOC,
    "optimal_limit_ioc": TimeInForce.IOC,
}
_MARKET_TYPES = frozenset({"market", "optimal_limit_ioc"})


def instrument(listed: Json, rates: tuple[Decimal, Decimal]) -> Instrument:
    """A row of ``GET /api/v5/public/instruments``: spot, or a linear swap."""
    swap = listed["instType"] == "SWAP"
    base, quote = (listed["ctValCcy"], listed["settleCcy"]) if swap else (listed["baseCcy"], listed["quoteCcy"])
    contract = Decimal(listed["ctVal"]) * Decimal(listed["ctMult"] or 1) if swap else Decimal(1)
    return Instrument(
        venue=VENUE,
        symbol=f"{base}-{quote}{'-PERP' if swap else ''}",
        base=base,
        quote=quote,
        price_step=Decimal(listed["tickSz"]),
        quantity_step=Decimal(listed["lotSz"]) * contract,
        min_quantity=Decimal(listed["minSz"]) * contract,
        max_quantity=Decimal(listed["maxLmtSz"]) * contract,
        # OKX sets no least value of an order.
        min_notional=ZERO,
        maker_fee=rates[0],
        taker_fee=rates[1],
        kind=InstrumentKind.PERPETUAL if swap else InstrumentKind.SPOT,
        contract_size=contract,
        max_leverage=Decimal(listed["lever"]) if swap else Decimal(1),
    )


def tradable(listed: Json) -> bool:
    """Live, and of a kind that we trade: spot, or a swap that is settled in its quote currency."""
    return bool(listed["state"] == "live" and (listed["instType"] == "SPOT" or listed["ctType"] == "linear"))


def fee_rates(row: Json) -> tuple[Decimal, Decimal]:
    """Maker's and taker's rate of ``GET /api/v5/account/trade-fee``; OKX writes what it charges as negative."""
    swap = row["instType"] == "SWAP"
    maker, taker = (row["makerU"], row["takerU"]) if swap else (row["maker"], row["taker"])
    return -Decimal(maker), -Decimal(taker)


def order(row: Json, instrument_of: InstrumentOf) -> VenueReport:
    """A row of ``/trade/order``, ``/trade/orders-pending`` or the ``orders`` channel, with the fill that came along."""
    listed = instrument_of(row["instId"])
    state = str(row["state"])
    type_, in_force = _type(row)
    found = VenueOrder(
        venue_order_id=order_id(row),
        client_id=str(row.get("algoClOrdId") or row["clOrdId"]),
        symbol=listed.symbol,
        side=Side(row["side"]),
        type=type_,
        time_in_force=in_force,
        quantity=_size(row, listed),
        limit_price=_number(row["px"]),
        executed_quantity=Decimal(row["accFillSz"] or 0) * listed.contract_size,
        standing=_STANDINGS[state],
        reason=_ended(row) if state.endswith("canceled") else "",
        created_at=from_ms(int(row["cTime"])),
        updated_at=from_ms(int(row["uTime"])),
        reduce_only=str(row.get("reduceOnly", "")).lower() == "true",
        margin_mode=_margin_mode(row),
        leverage=_number(row.get("lever")),
        liquidation=str(row.get("category", "")).endswith("liquidation"),
    )
    return VenueReport(found, _fill_told(row, found, listed))


def order_id(row: Json) -> str:
    """Of an order that an algo order has made: the algo order's."""
    made_by = row.get("algoId") or (row.get("linkedAlgoOrd") or {}).get("algoId")
    return f"{ALGO}{made_by}" if made_by else str(row["ordId"])


def _fill_told(row: Json, found: VenueOrder, listed: Instrument) -> tuple[Fill, ...]:
    """The channel's messages are about one fill each; a query's rows repeat the last one without saying whose it was.

    The order's own fee is the fill's where it is the only one; where neither is told, the fill is to be asked for.
    """
    if not row.get("tradeId") or not row.get("execType") or not Decimal(row["fillSz"] or 0):
        return ()
    fee, currency = row.get("fillFee"), row.get("fillFeeCcy")
    if fee is None and Decimal(row["fillSz"]) == Decimal(row["accFillSz"]):
        fee, currency = row["fee"], row["feeCcy"]
    if fee is None:
        return ()
    return (
        Fill(
            trade_id=str(row["tradeId"]),
            venue_order_id=found.venue_order_id,
            venue=VENUE,
            symbol=found.symbol,
            side=found.side,
            price=Decimal(row["fillPx"]),
            quantity=Decimal(row["fillSz"]) * listed.contract_size,
            fee=-Decimal(fee or 0),
            fee_currency=str(currency or row["feeCcy"]),
            liquidity=_LIQUIDITY[row["execType"]],
            event_time=from_ms(int(row["fillTime"])),
        ),
    )


_LIQUIDITY = {"M": Liquidity.MAKER, "T": Liquidity.TAKER}


def algo(row: Json, instrument_of: InstrumentOf) -> VenueReport:
    """A row of ``/trade/order-algo``, ``/trade/orders-algo-pending`` or the ``orders-algo`` channel."""
    listed = instrument_of(row["instId"])
    state = str(row["state"])
    type_, trigger, limit = _algo_type(row)
    found = VenueOrder(
        venue_order_id=f"{ALGO}{row['algoId']}",
        client_id=str(row["algoClOrdId"]),
        symbol=listed.symbol,
        side=Side(row["side"]),
        type=type_,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(row["sz"]) * listed.contract_size,
        limit_price=limit,
        executed_quantity=Decimal(row.get("actualSz") or 0) * listed.contract_size,
        standing=_ALGO_STANDINGS[state],
        reason={"canceled": "cancelled", "order_failed": f"failed: {row.get('failCode', '')}"}.get(state, ""),
        created_at=from_ms(int(row["cTime"])),
        updated_at=from_ms(int(row.get("uTime") or row["cTime"])),
        trigger_price=trigger,
        trailing_ratio=_number(row.get("callbackRatio")),
        waiting=state in ("live", "pause") and type_ is not OrderType.OCO,
        reduce_only=str(row.get("reduceOnly", "")).lower() == "true",
        margin_mode=_margin_mode(row),
    )
    return VenueReport(found)


def _margin_mode(row: Json) -> MarginMode:
    mode = str(row.get("tdMode") or "cash")
    return MarginMode.NONE if mode in ("cash", "spot_isolated") else MarginMode(mode)


def _algo_type(row: Json) -> tuple[OrderType, Decimal | None, Decimal | None]:
    """Type, trigger price and limit price."""
    stop, take = _number(row.get("slTriggerPx")), _number(row.get("tpTriggerPx"))
    match row["ordType"]:
        case "oco":
            return OrderType.OCO, stop, _priced(row["tpOrdPx"]) or take
        case "conditional" if stop is not None:
            limit = _priced(row["slOrdPx"])
            return (OrderType.STOP if limit is None else OrderType.STOP_LIMIT), stop, limit
        case "conditional":
            limit = _priced(row["tpOrdPx"])
            return (OrderType.TAKE_PROFIT if limit is None else OrderType.TAKE_PROFIT_LIMIT), take, limit
        case "move_order_stop":
            return OrderType.TRAILING_STOP, _number(row.get("moveTriggerPx")) or _number(row.get("activePx")), None
        case "trigger":
            # Made by a person: it does not say which way the price must go. A stop is what it most often is.
            limit = _priced(row["ordPx"])
            return (OrderType.STOP if limit is None else OrderType.STOP_LIMIT), _number(row["triggerPx"]), limit
    raise ValueError(f"an algo order of type {row['ordType']}")


def become(waited: VenueReport, made: VenueReport) -> VenueReport:
    """An algo order that has become an ordinary one: what was asked for, and how that one stands."""
    asked, now = waited.order, made.order
    found = replace(
        now,
        venue_order_id=asked.venue_order_id,
        client_id=asked.client_id,
        type=asked.type,
        limit_price=asked.limit_price,
        trigger_price=asked.trigger_price,
        trailing_ratio=asked.trailing_ratio,
        created_at=asked.created_at,
    )
    return VenueReport(found, tuple(replace(fill, venue_order_id=asked.venue_order_id) for fill in made.fills))


def taken(venue_order_id: str, client_order_id: str, terms: OrderTerms, at: datetime) -> VenueReport:
    """What is known of an order from OKX's receipt for it."""
    found = VenueOrder(
        venue_order_id=venue_order_id,
        client_id=client_order_id,
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
        trailing_ratio=terms.trailing_ratio,
        waiting=terms.type.triggered and terms.type is not OrderType.OCO,
        reduce_only=terms.reduce_only,
    )
    return VenueReport(found)


def own_fill(row: Json, instrument_of: InstrumentOf, venue_order_id: str | None = None) -> Fill:
    """A row of ``/trade/fills``; ``venue_order_id`` is the algo order's where one made the order."""
    listed = instrument_of(row["instId"])
    return Fill(
        trade_id=str(row["tradeId"]),
        venue_order_id=venue_order_id or str(row["ordId"]),
        venue=VENUE,
        symbol=listed.symbol,
        side=Side(row["side"]),
        price=Decimal(row["fillPx"]),
        quantity=Decimal(row["fillSz"]) * listed.contract_size,
        fee=-Decimal(row["fee"] or 0),
        fee_currency=str(row["feeCcy"]),
        liquidity=_LIQUIDITY[row["execType"]],
        event_time=from_ms(int(row.get("fillTime") or row["ts"])),
    )


def balances(account: Json) -> tuple[AssetBalance, ...]:
    """A row of ``GET /api/v5/account/balance`` or of the ``account`` channel, zeros among them."""
    return tuple(_balance(detail) for detail in account["details"])


def _balance(detail: Json) -> AssetBalance:
    """Cash, which no open profit is part of, and what of it is free: never more than there is."""
    total, free = Decimal(detail["cashBal"]), Decimal(detail["availBal"] or detail["availEq"] or 0)
    available = max(ZERO, min(total, free))
    return AssetBalance(asset=str(detail["ccy"]), total=total, available=available, reserved=total - available)


def position(row: Json, instrument_of: InstrumentOf) -> VenuePosition | None:
    """A row of ``/account/positions``; None where it is closed. Long and short are signs, in either position mode."""
    listed = instrument_of(row["instId"])
    size = Decimal(row["pos"] or 0)
    if not size:
        return None
    if row["posSide"] == "short":
        size = -abs(size)
    return VenuePosition(
        symbol=listed.symbol,
        quantity=size * listed.contract_size,
        entry_price=_number(row["avgPx"]),
        mark_price=_number(row["markPx"]),
        liquidation_price=_number(row["liqPx"]),
        leverage=_number(row["lever"]),
        margin_mode=MarginMode(row["mgnMode"]),
        as_of=from_ms(int(row["uTime"])),
    )


def _type(row: Json) -> tuple[OrderType, TimeInForce]:
    """What an algo order has made may name its kind instead: without a price it trades at the market."""
    name = row["ordType"]
    at_market = name in _MARKET_TYPES or not row["px"]
    return (OrderType.MARKET if at_market else OrderType.LIMIT), _TIMES_IN_FORCE.get(name, TimeInForce.GTC)


def _size(row: Json, listed: Instrument) -> Decimal:
    """In base; an order that was told what to spend has bought what it has bought."""
    if row.get("tgtCcy") == "quote_ccy" and row["ordType"] == "market":
        filled = Decimal(row["accFillSz"] or 0)
        return filled or Decimal(row["sz"])
    return Decimal(row["sz"]) * listed.contract_size


def _ended(row: Json) -> str:
    source = str(row.get("cancelSource") or "")
    return "cancelled" if source in ("", "1") else f"cancelled: {row.get('cancelSourceReason') or f'source {source}'}"


def _number(value: str | None) -> Decimal | None:
    """None for what OKX leaves empty."""
    return Decimal(value) if value not in (None, "") else None


def _priced(value: str | None) -> Decimal | None:
    """None at the market, which is ``-1``."""
    found = _number(value)
    return None if found is None or found < ZERO else found

"""Kraken's own words as ours: orders, trades, balances and positions out of REST answers.

Invariant: numbers go from the venue's text to Decimal without passing a float; anything that is not as documented
raises (KeyError, TypeError, ValueError, ArithmeticError) and is never half understood.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Liquidity, MarginMode, OrderType, Side, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument

from algotrendy_broker_gateway.adapters.kraken_requests import TYPES
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport
from algotrendy_broker_gateway.ports import VenuePosition

VENUE = "kraken"
SymbolOf = Callable[[str], str]
"""``XBTUSDT``, ``XXBTZUSD`` or ``BTC/USDT`` to ours: Kraken has several names for a pair."""
AssetsOf = Callable[[str], tuple[str, str]]
AskedOf = Callable[[str], OrderTerms | None]
"""What we sent under a client id, if it is still known."""

KINDS = {name: kind for kind, name in TYPES.items()} | {"settle-position": OrderType.MARKET}
_STANDINGS = {
    "pending": Standing.WORKING,
    "open": Standing.WORKING,
    "closed": Standing.DONE,
    "canceled": Standing.CANCELLED,
    "expired": Standing.CANCELLED,
}
_MOST = Decimal(1_000_000_000)
"""Kraken sets no most; what an account owns does."""
_IN_USE = frozenset({"F"})
"""Suffixes of balances that earn where they are and can be traded all the same."""


def instrument(symbol: str, base: str, quote: str, pair: Mapping[str, Any]) -> Instrument:
    """An element of ``AssetPairs``, with the rates of its lowest tier."""
    leverages = [Decimal(str(level)) for level in pair["leverage_buy"]]
    return Instrument(
        venue=VENUE,
        symbol=symbol,
        base=base,
        quote=quote,
        price_step=Decimal(pair["tick_size"]),
        quantity_step=Decimal(1).scaleb(-int(pair["lot_decimals"])),
        min_quantity=Decimal(pair["ordermin"]),
        max_quantity=_MOST,
        min_notional=Decimal(pair.get("costmin") or 0),
        maker_fee=_percent(pair.get("fees_maker") or pair["fees"]),
        taker_fee=_percent(pair["fees"]),
        max_leverage=max(leverages, default=Decimal(1)),
    )


def acknowledged(answer: Mapping[str, Any], client_id: str, terms: OrderTerms, at: datetime) -> VenueReport:
    """``AddOrder``: the venue has it; what became of it is to be heard or asked."""
    (txid,) = answer["result"]["txid"]
    order = VenueOrder(
        venue_order_id=_text(txid),
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
        trailing_ratio=terms.trailing_ratio,
        waiting=terms.type.triggered,
        reduce_only=terms.reduce_only,
    )
    return VenueReport(order)


def orders(found: Mapping[str, Mapping[str, Any]], symbol_of: SymbolOf, asked_of: AskedOf) -> tuple[VenueReport, ...]:
    """``open``, ``closed`` or the answer to ``QueryOrders``: rows by id."""
    return tuple(VenueReport(order(txid, row, symbol_of, asked_of)) for txid, row in found.items())


def order(txid: str, row: Mapping[str, Any], symbol_of: SymbolOf, asked_of: AskedOf) -> VenueOrder:
    described, executed = row["descr"], Decimal(row["vol_exec"])
    flags = str(row["oflags"]).split(",")
    client_id = str(row.get("cl_ord_id") or txid)
    asked = asked_of(client_id)
    kind = KINDS[described["ordertype"]]
    # A volume that was given in quote: what it bought is the order's quantity.
    quantity = executed if "viqc" in flags and executed else Decimal(row["vol"])
    standing = _STANDINGS[row["status"]]
    if standing is Standing.DONE and executed < quantity:
        standing = Standing.CANCELLED
    limit, trigger, ratio = _prices(kind, described, row)
    created = _time(row["opentm"])
    leverage = _leverage(described.get("leverage"))
    return VenueOrder(
        venue_order_id=_text(txid),
        client_id=client_id,
        symbol=symbol_of(described["pair"]),
        side=Side(described["type"]),
        type=kind,
        time_in_force=_in_force(flags, row, asked),
        quantity=quantity,
        limit_price=limit,
        executed_quantity=executed,
        standing=standing,
        reason=reason(standing, row.get("reason")),
        created_at=created,
        updated_at=_time(row["closetm"]) if row.get("closetm") else created,
        trigger_price=trigger,
        trailing_ratio=ratio,
        waiting=kind.triggered and standing is Standing.WORKING and not executed and not _set_off(kind, row),
        reduce_only=asked is not None and asked.reduce_only,
        margin_mode=MarginMode.NONE if leverage is None else MarginMode.CROSS,
        leverage=leverage,
        # Whoever settles a position by hand says so too; Kraken itself does when the margin is gone.
        liquidation=described["ordertype"] == "settle-position" and asked is None,
    )


def _leverage(text: Any) -> Decimal | None:
    """``5:1``; ``none`` of what is paid in full."""
    return None if text in (None, "", "none") else Decimal(str(text).partition(":")[0])


def _prices(
    kind: OrderType, described: Mapping[str, Any], row: Mapping[str, Any]
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Limit, trigger and trailing distance."""
    if kind is OrderType.MARKET:
        return None, None, None
    if kind is OrderType.LIMIT:
        return Decimal(described["price"]), None, None
    if kind is OrderType.TRAILING_STOP:
        distance = str(described["price"])
        ratio = Decimal(distance.strip("+%")) / 100 if distance.endswith("%") else None
        return None, Decimal(row["stopprice"]) or None, ratio
    return (Decimal(described["price2"]) if kind.priced else None), Decimal(described["price"]) or None, None


def _set_off(kind: OrderType, row: Mapping[str, Any]) -> bool:
    """A triggered limit order has its limit once it rests; a trailing stop has one all along."""
    return kind is not OrderType.TRAILING_STOP and bool(Decimal(row["limitprice"]))


def _in_force(flags: list[str], row: Mapping[str, Any], asked: OrderTerms | None) -> TimeInForce:
    if "post" in flags:
        return TimeInForce.POST_ONLY
    if Decimal(str(row["expiretm"])):
        return TimeInForce.GTD
    # What an order was to do at once is not told again.
    return asked.time_in_force if asked is not None else TimeInForce.GTC


def reason(standing: Standing, said: Any) -> str:
    if standing in (Standing.WORKING, Standing.DONE):
        return ""
    words = str(said or "")
    return "cancelled" if words in ("", "User requested") else words


def trade(trade_id: str, row: Mapping[str, Any], symbol_of: SymbolOf, assets_of: AssetsOf) -> Fill:
    """An element of ``TradesHistory``; its fee is in the quote currency."""
    symbol = symbol_of(row["pair"])
    return Fill(
        trade_id=_text(trade_id),
        venue_order_id=_text(row["ordertxid"]),
        venue=VENUE,
        symbol=symbol,
        side=Side(row["type"]),
        price=Decimal(row["price"]),
        quantity=Decimal(row["vol"]),
        fee=Decimal(row["fee"]),
        fee_currency=assets_of(symbol)[1],
        liquidity=Liquidity.MAKER if str(row.get("maker")).lower() == "true" else Liquidity.TAKER,
        event_time=_time(row["time"]),
    )


def balances(found: Mapping[str, Mapping[str, Any]], code_of: Callable[[str], str]) -> tuple[AssetBalance, ...]:
    """``BalanceEx``; what is staked stands under a name with a suffix and counts as reserved. Zeros are left out."""
    totals: dict[str, tuple[Decimal, Decimal]] = {}
    for name, row in found.items():
        asset_id, _, suffix = name.partition(".")
        asset, total = code_of(asset_id), Decimal(row["balance"])
        held = total if suffix and suffix not in _IN_USE else Decimal(row.get("hold_trade") or 0)
        before = totals.get(asset, (ZERO, ZERO))
        totals[asset] = before[0] + total, before[1] + held
    return tuple(
        AssetBalance(asset=asset, total=total, available=total - held, reserved=held)
        for asset, (total, held) in totals.items()
        if total or held
    )


def positions(found: Any, symbol_of: SymbolOf, at: datetime) -> tuple[VenuePosition, ...]:
    """``OpenPositions`` put together by market; without any it is a list or an object with nothing in it."""
    rows: Iterable[Mapping[str, Any]] = found.values() if isinstance(found, dict) else found
    return tuple(_position(row, symbol_of, at) for row in rows)


def _position(row: Mapping[str, Any], symbol_of: SymbolOf, at: datetime) -> VenuePosition:
    whole = Decimal(row["vol"])
    size = whole - Decimal(row["vol_closed"])
    return VenuePosition(
        symbol=symbol_of(row["pair"]),
        quantity=size * Side(row["type"]).sign,
        entry_price=Decimal(row["cost"]) / whole,
        mark_price=Decimal(row["value"]) / size if row.get("value") and size else None,
        liquidation_price=None,
        leverage=Decimal(row["leverage"]) if row.get("leverage") else None,
        margin_mode=MarginMode.CROSS,
        as_of=at,
    )


def _percent(schedule: list[list[Any]]) -> Decimal:
    return Decimal(str(schedule[0][1])) / 100


def _time(seconds: Any) -> datetime:
    return from_ms(float(Decimal(str(seconds)) * 1000))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("an id is missing")
    return value

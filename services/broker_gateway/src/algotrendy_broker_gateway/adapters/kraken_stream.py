"""The ``executions`` channel put together: only an order's first message and its trades say what was ordered.

Invariant: each trade comes out once, what is known of an order only grows, and an order that has ended stays so; a
message about an order that nothing is known of raises, so that it is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.enums import Liquidity, MarginMode, OrderType, Side, TimeInForce
from algotrendy_common.money import ZERO
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.adapters.kraken_messages import KINDS, VENUE, SymbolOf, reason
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport

_KEPT = 10_000
_STANDINGS = {
    "pending_new": Standing.WORKING,
    "new": Standing.WORKING,
    "partially_filled": Standing.WORKING,
    "filled": Standing.DONE,
    "canceled": Standing.CANCELLED,
    "expired": Standing.CANCELLED,
}


@dataclass(slots=True)
class _Known:
    row: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    trade_ids: set[str] = field(default_factory=set)
    ended: Standing | None = None
    reason: str = ""


class Executions:
    def __init__(self, symbol_of: SymbolOf) -> None:
        self._symbol_of = symbol_of
        self._known: dict[str, _Known] = {}

    def take(self, row: Mapping[str, Any]) -> VenueReport | None:
        """An element of ``data``; None where it says nothing new."""
        known = self._of(str(row["order_id"]))
        executed = self._executed(known, row)
        known.row |= dict(row)
        known.row["cum_qty"] = executed
        known.created_at = known.created_at or _time(row["timestamp"])
        if row["exec_type"] == "pending_new":
            return None
        fills: tuple[Fill, ...] = ()
        if row["exec_type"] == "trade":
            trade_id = str(row["exec_id"])
            if trade_id in known.trade_ids:
                return None
            known.trade_ids.add(trade_id)
            fills = (self._fill(row),)
        return VenueReport(self._order(known), fills)

    def _of(self, txid: str) -> _Known:
        if txid not in self._known and len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        return self._known.setdefault(txid, _Known())

    @staticmethod
    def _executed(known: _Known, row: Mapping[str, Any]) -> Decimal:
        """As it says, or with what this trade adds; it never sinks."""
        before: Decimal = known.row.get("cum_qty", ZERO)
        if "cum_qty" in row:
            return max(before, _number(row["cum_qty"]))
        fresh = row["exec_type"] == "trade" and str(row["exec_id"]) not in known.trade_ids
        return before + _number(row["last_qty"]) if fresh else before

    def _order(self, known: _Known) -> VenueOrder:
        row = known.row
        standing = known.ended or _STANDINGS[row["order_status"]]
        if standing is not Standing.WORKING and known.ended is None:
            known.ended, known.reason = standing, reason(standing, row.get("reason"))
        kind = KINDS[row["order_type"]]
        triggers = row.get("triggers") or {}
        trailing = kind is OrderType.TRAILING_STOP and triggers.get("price_type") == "pct"
        trigger = _number(triggers.get("actual_price" if trailing else "price") or row.get("stop_price") or ZERO)
        assert known.created_at is not None
        return VenueOrder(
            venue_order_id=str(row["order_id"]),
            client_id=str(row.get("cl_ord_id") or row["order_id"]),
            symbol=self._symbol_of(row["symbol"]),
            side=Side(row["side"]),
            type=kind,
            time_in_force=_in_force(row),
            quantity=_number(row["order_qty"]),
            limit_price=_number(row["limit_price"]) if kind.priced else None,
            executed_quantity=row["cum_qty"],
            standing=standing,
            reason=known.reason,
            created_at=known.created_at,
            updated_at=_time(row["timestamp"]),
            trigger_price=trigger or None,
            trailing_ratio=_number(triggers["price"]) / 100 if trailing else None,
            waiting=standing is Standing.WORKING and triggers.get("status") == "untriggered",
            reduce_only=row.get("reduce_only") is True,
            margin_mode=MarginMode.CROSS if row.get("margin") is True else MarginMode.NONE,
        )

    def _fill(self, row: Mapping[str, Any]) -> Fill:
        fee, currency = _fee(row)
        return Fill(
            trade_id=str(row["exec_id"]),
            venue_order_id=str(row["order_id"]),
            venue=VENUE,
            symbol=self._symbol_of(row["symbol"]),
            side=Side(row["side"]),
            price=_number(row["last_price"]),
            quantity=_number(row["last_qty"]),
            fee=fee,
            fee_currency=currency,
            liquidity=Liquidity.MAKER if row["liquidity_ind"] == "m" else Liquidity.TAKER,
            event_time=_time(row["timestamp"]),
        )


def _fee(row: Mapping[str, Any]) -> tuple[Decimal, str]:
    """Amount and asset; a trade that was free names neither. Raises ValueError for a fee in two assets."""
    fees = row.get("fees") or [{"asset": str(row["symbol"]).partition("/")[2], "qty": 0}]
    (currency,) = {str(fee["asset"]) for fee in fees}
    return sum((_number(fee["qty"]) for fee in fees), ZERO), currency


def _in_force(row: Mapping[str, Any]) -> TimeInForce:
    if row.get("post_only") is True:
        return TimeInForce.POST_ONLY
    return TimeInForce(str(row.get("time_in_force") or "gtc").lower())


def _number(value: Any) -> Decimal:
    """A JSON number, read as it was written."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError(f"{value!r} is not a number as it was written")
    return Decimal(value)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)

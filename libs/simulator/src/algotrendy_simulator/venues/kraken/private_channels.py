"""What ``executions`` and ``balances`` say of an account. Times are the wall's.

Source: Kraken documentation, "Spot WebSocket v2", user data. Only an order's first message and its trades say what was
ordered; what follows names the order and what is new of it. Invariant: an order's messages come in the order of its
changes.
"""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.enums import Liquidity, OrderType, TimeInForce
from algotrendy_common.money import ZERO

from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BalancesChanged, Execution, OrderChanged
from algotrendy_simulator.orders import Fill, Order, VenueStatus
from algotrendy_simulator.venues.kraken.channels import price, quantity
from algotrendy_simulator.venues.kraken.identity import Pairs, order_txid, trade_txid, ws_name
from algotrendy_simulator.venues.kraken.order_request import shown_client_id, shown_reference
from algotrendy_simulator.venues.kraken.order_wire import NAMES, average
from algotrendy_simulator.venues.kraken.wire import Json, instant

_STATUSES = {
    VenueStatus.NEW: "new",
    VenueStatus.PARTIALLY_FILLED: "partially_filled",
    VenueStatus.FILLED: "filled",
    VenueStatus.CANCELED: "canceled",
    VenueStatus.EXPIRED: "expired",
}
_REASONS = {VenueStatus.CANCELED: "User requested", VenueStatus.EXPIRED: "Order expired"}
_SNAPSHOT_TRADES = 50


class PrivateChannels:
    def __init__(self, exchange: Exchange, pairs: Pairs, clock: Clock) -> None:
        self._exchange = exchange
        self._pairs = pairs
        self._clock = clock
        self._totals: dict[str, dict[str, Decimal]] = defaultdict(dict)
        """Last told, by account and asset."""

    def snapshot(self, channel: str, account: str, asked: dict[str, Any]) -> list[Json]:
        if channel == "balances":
            return [self._holding(account, asset) for asset in self._pairs.assets()]
        found: list[Json] = []
        if asked.get("snap_trades") is True:
            fills = [fill for fill in self._exchange.fills if fill.account == account][-_SNAPSHOT_TRADES:]
            found += [self._trade(self._exchange.orders[fill.order_id], fill) for fill in fills]
        if asked.get("snap_orders", True) is True:
            orders = self._exchange.open_orders(self._exchange.accounts[account])
            found += [self._whole(order, "new") for order in orders]
        return found

    def executions(self, changed: OrderChanged) -> list[Json]:
        order = changed.order
        match changed.execution:
            case Execution.NEW:
                pending = self._whole(replace(order, filled=ZERO, quote_filled=ZERO), "pending_new")
                return [pending | {"order_status": "pending_new"}, self._part(order, "new")]
            case Execution.TRADE:
                assert changed.fill is not None
                told = [self._trade(order, changed.fill)]
                return [*told, self._ended(order, "filled")] if not order.remaining else told
            case Execution.CANCELED:
                return [self._ended(order, "canceled")]
            case Execution.EXPIRED:
                return [self._ended(order, "expired")]
            case Execution.TRIGGERED:
                return [self._part(order, "status") | {"triggers": self._triggers(order)}]
            case Execution.AMENDED:
                return [self._whole(order, "amended")]

    def balances(self, changed: BalancesChanged) -> list[Json]:
        """Of the assets whose total changed; what orders hold is not a change here."""
        told = []
        for asset, free, locked in changed.balances:
            before = self._totals[changed.account].get(asset)
            total = self._totals[changed.account][asset] = free + locked
            if before is not None and total != before:
                told.append(
                    {
                        "asset": asset,
                        "asset_class": "currency",
                        "amount": quantity(total - before),
                        "balance": quantity(total),
                        "fee": ZERO,
                        "ledger_id": "LAAAAA-AAAAA-AAAAAA",
                        "ref_id": "TAAAAA-AAAAA-AAAAAA",
                        "timestamp": instant(changed.time_ms),
                        "type": "trade",
                        "subtype": "",
                        "category": "trade",
                        "wallet_type": "spot",
                        "wallet_id": "main",
                    }
                )
        return told

    def _holding(self, account: str, asset: str) -> Json:
        total = self._exchange.accounts[account].balance(asset).total
        self._totals[account][asset] = total
        wallet = {"type": "spot", "id": "main", "balance": quantity(total)}
        return {"asset": asset, "asset_class": "currency", "balance": quantity(total), "wallets": [wallet]}

    def _whole(self, order: Order, kind: str) -> Json:
        market = self._pairs.of_symbol(order.symbol)
        found = self._part(order, kind) | {
            "symbol": ws_name(market),
            "side": order.side.value,
            "order_type": NAMES[order.type],
            "order_qty": quantity(order.quantity),
            "cum_qty": quantity(order.filled),
            "cum_cost": quantity(order.quote_filled),
            "avg_price": average(order).quantize(Decimal("0.00000001")),
            "fee_usd_equiv": ZERO,
            "fee_ccy_pref": "fciq",
            "time_in_force": _in_force(order),
            "post_only": order.time_in_force is TimeInForce.POST_ONLY,
            "reduce_only": order.reduce_only,
            "margin": order.leverage is not None,
            "limit_price_type": "static",
        }
        if order.limit_price is not None:
            found["limit_price"] = price(market, order.limit_price)
        if order.trigger_price is not None:
            found |= {"stop_price": price(market, order.trigger_price), "triggers": self._triggers(order)}
        return found

    def _part(self, order: Order, kind: str) -> Json:
        found: Json = {
            "order_id": order_txid(order.order_id),
            "exec_type": kind,
            "order_status": _STATUSES[order.status],
            "order_userref": shown_reference(order.client_order_id),
            "timestamp": instant(order.updated_ms or to_ms(self._clock.now())),
        }
        given = shown_client_id(order.client_order_id)
        return found if given is None else found | {"cl_ord_id": given}

    def _ended(self, order: Order, kind: str) -> Json:
        reason = _REASONS.get(order.status)
        ended = {
            "cum_qty": quantity(order.filled),
            "cum_cost": quantity(order.quote_filled),
            "avg_price": average(order).quantize(Decimal("0.00000001")),
            "fee_usd_equiv": ZERO,
        }
        return self._part(order, kind) | ended | ({"reason": reason, "cancel_reason": reason} if reason else {})

    def _trade(self, order: Order, fill: Fill) -> Json:
        market = self._pairs.of_symbol(order.symbol)
        return self._part(order, "trade") | {
            "order_status": "filled" if not order.remaining else "partially_filled",
            "exec_id": trade_txid(fill),
            "trade_id": fill.trade_id,
            "symbol": ws_name(market),
            "side": fill.side.value,
            "order_type": NAMES[order.type],
            "order_qty": quantity(order.quantity),
            "cum_qty": quantity(order.filled),
            "cum_cost": quantity(order.quote_filled),
            "last_qty": quantity(fill.quantity),
            "last_price": price(market, fill.price),
            "cost": quantity(fill.price * fill.quantity),
            "liquidity_ind": "m" if fill.liquidity is Liquidity.MAKER else "t",
            "fees": [{"asset": fill.fee_asset, "qty": quantity(fill.fee)}],
            "fee_usd_equiv": quantity(fill.fee),
            "timestamp": instant(fill.time_ms),
        }

    def _triggers(self, order: Order) -> Json:
        market = self._pairs.of_symbol(order.symbol)
        found: Json = {
            "reference": "last",
            "price": price(market, order.trigger_price or ZERO),
            "price_type": "static",
            "status": "untriggered" if order.waiting else "triggered",
        }
        if order.type is OrderType.TRAILING_STOP and order.trailing_ratio is not None:
            found |= {"price": order.trailing_ratio * 100, "price_type": "pct"}
            found["actual_price"] = price(market, order.trigger_price or ZERO)
        return found


def _in_force(order: Order) -> str:
    if order.good_until_ms is not None:
        return "gtd"
    return "gtc" if order.time_in_force is TimeInForce.POST_ONLY else order.time_in_force.value

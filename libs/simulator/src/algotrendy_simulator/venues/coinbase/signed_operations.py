"""What an account may do: its orders, fills and balances. Account and parameters in, JSON out.

Invariant: an operation acts for the account it is handed and no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from algotrendy_common.clock import Clock
from algotrendy_common.errors import Refused

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.orders import Fill, Order
from algotrendy_simulator.venues.coinbase import order_wire
from algotrendy_simulator.venues.coinbase.identity import (
    Products,
    entry_id,
    order_number,
    order_uuid,
    product_id,
    user_uuid,
)
from algotrendy_simulator.venues.coinbase.order_request import DOWN, order_request
from algotrendy_simulator.venues.coinbase.parameters import Parameters
from algotrendy_simulator.venues.coinbase.refusals import NO_ORDER, CoinbaseError, OrderFailure, from_refusal, invalid
from algotrendy_simulator.venues.coinbase.wire import Json

_MOST_CANCELLED = 100


@dataclass(frozen=True, slots=True)
class SignedOperations:
    exchange: Exchange
    products: Products
    clock: Clock

    def accounts(self, account: Account, parameters: Parameters) -> Json:
        wallets = [order_wire.wallet(account, asset) for asset in self._assets()]
        first, last = self._page(parameters, len(wallets), parameters.limit(49, 250))
        shown = wallets[first:last]
        more = last < len(wallets)
        return {"accounts": shown, "has_next": more, "cursor": str(last) if more else "", "size": len(shown)}

    def account(self, account: Account, parameters: Parameters) -> Json:
        for asset in self._assets():
            shown = order_wire.wallet(account, asset)
            if shown["uuid"] == parameters.text("account_uuid"):
                return {"account": shown}
        raise CoinbaseError(404, "NOT_FOUND", "account not found")

    def place(self, account: Account, parameters: Parameters) -> Json:
        asked = parameters.values.get("order_configuration")
        market = self.products.find(parameters.text("product_id"))
        if market is None:
            raise invalid("product_id")
        # An id that was used before, by any order at all, makes no second order: the first one is the answer.
        first = self._of_client_id(account, parameters.text("client_order_id"))
        if first is not None:
            return order_wire.acknowledged(first, self.products.id_of(first.symbol), asked)
        try:
            request = order_request(parameters, market)
            order = self.exchange.place(account, request)
        except OrderFailure as failure:
            return failure.body(asked)
        except Refused as refused:
            return from_refusal(refused, stop_down=DOWN in str(asked)).body(asked)
        return order_wire.acknowledged(order, product_id(market), asked)

    def cancel(self, account: Account, parameters: Parameters) -> Json:
        asked = parameters.many("order_ids")
        if not 0 < len(asked) <= _MOST_CANCELLED:
            raise invalid("order_ids")
        return {"results": [self._cancel(account, text) for text in asked]}

    def edit(self, account: Account, parameters: Parameters) -> Json:
        order = self._find(account, parameters.text("order_id"))
        if order is None or not order.status.open:
            return _not_edited("ORDER_NOT_FOUND" if order is None else "ORDER_IS_FULLY_FILLED_OR_CANCELLED")
        if order.limit_price is None or order.type.triggered or order.good_until_ms is not None:
            return _not_edited("ONLY_LIMIT_ORDER_EDITS_SUPPORTED")
        quantity, price = (
            parameters.decimal(name) if parameters.optional(name) else None for name in ("size", "price")
        )
        try:
            self.exchange.amend(account, order, quantity, price)
        except Refused as refused:
            return _not_edited(from_refusal(refused).preview)
        return {"success": True, "success_response": {"order_id": order_uuid(order.order_id)}, "errors": []}

    def order(self, account: Account, parameters: Parameters) -> Json:
        order = self._find(account, parameters.text("order_id"))
        if order is None:
            raise CoinbaseError(*NO_ORDER)
        return {"order": self._shown(order)}

    def orders(self, account: Account, parameters: Parameters) -> Json:
        """``historical/batch``, the newest first."""
        statuses = parameters.many("order_status")
        if "OPEN" in statuses and len(statuses) > 1:
            raise invalid("order_status OPEN stands alone")
        products = parameters.many("product_ids") + parameters.many("product_id")
        begin, end = (parameters.instant_us(name) for name in ("start_date", "end_date"))
        wanted = parameters.many("order_ids")
        found = [
            order
            for order in self.exchange.orders.values()
            if order.account == account.name
            and (not statuses or order_wire.STATUSES[order.status] in statuses)
            and (not products or self.products.id_of(order.symbol) in products)
            and (not wanted or order_uuid(order.order_id) in wanted)
            and (begin is None or order.created_ms * 1000 >= begin)
            and (end is None or order.created_ms * 1000 < end)
        ]
        found.sort(key=lambda order: order.order_id, reverse=True)
        first, last = self._page(parameters, len(found), parameters.limit(1000, 1000))
        more = last < len(found)
        return {
            "orders": [self._shown(order) for order in found[first:last]],
            "sequence": "0",
            "has_next": more,
            "cursor": str(last) if more else "",
        }

    def fills(self, account: Account, parameters: Parameters) -> Json:
        """``historical/fills``, the newest first."""
        products = parameters.many("product_ids") + parameters.many("product_id")
        orders = parameters.many("order_ids") + parameters.many("order_id")
        begin, end = (parameters.instant_us(f"{name}_sequence_timestamp") for name in ("start", "end"))
        found = [
            (fill, rank)
            for fill, rank in self._ranked(account)
            if (not products or self.products.id_of(fill.symbol) in products)
            and (not orders or order_uuid(fill.order_id) in orders)
            and (begin is None or fill.time_ms * 1000 + rank >= begin)
            and (end is None or fill.time_ms * 1000 + rank <= end)
        ]
        found.reverse()
        before = parameters.optional("cursor")
        if before:
            seen = [entry_id(fill) for fill, _ in found]
            found = found[seen.index(before) + 1 :] if before in seen else []
        page = found[: parameters.limit(100, 3000)]
        return {
            "fills": [order_wire.filled(fill, rank, self.products.id_of(fill.symbol)) for fill, rank in page],
            "cursor": entry_id(page[-1][0]) if len(page) < len(found) else "",
        }

    def summary(self, account: Account, parameters: Parameters) -> Json:
        instrument = self.products.all()[0].instrument
        tier = {
            "pricing_tier": "Simulated",
            "usd_from": "0",
            "usd_to": "",
            "taker_fee_rate": str(instrument.taker_fee),
            "maker_fee_rate": str(instrument.maker_fee),
        }
        return {"total_volume": 0, "total_fees": 0, "fee_tier": tier, "margin_rate": None}

    def key_permissions(self, account: Account, parameters: Parameters) -> Json:
        portfolio = {"portfolio_uuid": user_uuid(account.name), "portfolio_type": "DEFAULT"}
        return {"can_view": True, "can_trade": True, "can_transfer": account.may_withdraw, **portfolio}

    def portfolios(self, account: Account, parameters: Parameters) -> Json:
        only = {"name": "Default", "uuid": user_uuid(account.name), "type": "DEFAULT", "deleted": False}
        return {"portfolios": [only]}

    def fills_until(self, order: Order) -> list[Fill]:
        """Those of a copy of an order: what it has traded by then."""
        found: list[Fill] = []
        left = order.filled
        for fill in self.exchange.fills_of_order(order.order_id):
            if not left:
                break
            left -= fill.quantity
            found.append(fill)
        return found

    def _shown(self, order: Order) -> Json:
        return order_wire.shown(order, self.exchange.fills_of_order(order.order_id), self.products.id_of(order.symbol))

    def _cancel(self, account: Account, text: str) -> Json:
        order = self._find(account, text)
        if order is None or not order.status.open:
            return {"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": text}
        self.exchange.cancel(account, order)
        return {"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": text}

    def _find(self, account: Account, text: str) -> Order | None:
        order = self.exchange.orders.get(order_number(text) or 0)
        return order if order is not None and order.account == account.name else None

    def _of_client_id(self, account: Account, client_id: str) -> Order | None:
        found = (self.exchange.find_order(account, symbol, None, client_id) for symbol in self.exchange.markets)
        return next((order for order in found if order is not None), None)

    def _ranked(self, account: Account) -> Sequence[tuple[Fill, int]]:
        """The account's fills and each one's place among those of its millisecond."""
        ranked: list[tuple[Fill, int]] = []
        for fill in self.exchange.fills:
            if fill.account == account.name:
                together = bool(ranked) and ranked[-1][0].time_ms == fill.time_ms
                ranked.append((fill, ranked[-1][1] + 1 if together else 0))
        return ranked

    def _assets(self) -> list[str]:
        instruments = [market.instrument for market in self.products.all()]
        return sorted({asset for instrument in instruments for asset in (instrument.base, instrument.quote)})

    def _page(self, parameters: Parameters, count: int, limit: int) -> tuple[int, int]:
        cursor = parameters.optional("cursor") or "0"
        if not cursor.isdecimal():
            raise invalid("cursor")
        return int(cursor), min(count, int(cursor) + limit)


def _not_edited(reason: str) -> dict[str, Any]:
    return {
        "success": False,
        "error_response": {"error_details": reason, "edit_order_failure_reason": reason},
        "errors": [{"edit_failure_reason": reason, "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON"}],
    }

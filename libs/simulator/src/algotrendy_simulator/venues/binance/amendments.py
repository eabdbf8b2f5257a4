"""Changing an order on Binance: less of it in its place in the queue, or another one in its stead.

Invariant: an amended order has a new client id unless it is sent its old one, as the venue has it.
"""

from dataclasses import dataclass

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.venues.binance import order_wire
from algotrendy_simulator.venues.binance.order_requests import client_id
from algotrendy_simulator.venues.binance.parameters import Parameters
from algotrendy_simulator.venues.binance.refusals import NO_SUCH_ORDER, BinanceError, missing, or_refused
from algotrendy_simulator.venues.binance.signed_operations import SignedOperations
from algotrendy_simulator.venues.binance.wire import Json


@dataclass(frozen=True, slots=True)
class Amendments:
    exchange: Exchange
    signed: SignedOperations

    def keep_priority(self, account: Account, parameters: Parameters) -> Json:
        order = self.signed.find(account, parameters)
        if order is None:
            raise BinanceError(*NO_SUCH_ORDER)
        quantity = parameters.decimal("newQty")
        if quantity is None:
            raise missing("newQty")
        if quantity >= order.quantity:
            raise BinanceError(-2038, "Order amend (quantity increase) is not supported.")
        name = client_id(parameters, "newClientOrderId")
        or_refused(lambda: self.exchange.amend(account, order, quantity, client_order_id=name))
        return {
            "transactTime": order.updated_ms,
            "executionId": order.order_id,
            "amendedOrder": order_wire.order_summary(order)
            | {"preventedQty": "0.00000000", "workingTime": order_wire.working_time(order)},
        }

    def cancel_replace(self, account: Account, parameters: Parameters) -> Json:
        mode = parameters.text("cancelReplaceMode")
        cancelling = Parameters(
            {
                "symbol": parameters.text("symbol"),
                "orderId": parameters.optional("cancelOrderId") or "",
                "origClientOrderId": parameters.optional("cancelOrigClientOrderId") or "",
                "newClientOrderId": parameters.optional("cancelNewClientOrderId") or "",
            }
        )
        cancelled: Json | None = None
        try:
            cancelled = self.signed.cancel(account, cancelling)
        except BinanceError as refused:
            if mode == "STOP_ON_FAILURE":
                raise _failed(refused.body(), None) from refused
            cancelled_body = refused.body()
        try:
            placed = self.signed.place(account, parameters)
        except BinanceError as refused:
            raise _failed(cancelled or cancelled_body, refused.body(), cancelled is not None) from refused
        if cancelled is None:
            raise _failed(cancelled_body, placed, placed=True)
        return {
            "cancelResult": "SUCCESS",
            "newOrderResult": "SUCCESS",
            "cancelResponse": cancelled,
            "newOrderResponse": placed,
        }


def _failed(cancel: Json, new: Json | None, cancelled: bool = False, placed: bool = False) -> BinanceError:
    """Half of it may have happened: the answer says which half."""
    error = BinanceError(-2021 if cancelled or placed else -2022, "Order cancel-replace failed.", 409)
    error.data = {
        "cancelResult": "SUCCESS" if cancelled else "FAILURE",
        "newOrderResult": "NOT_ATTEMPTED" if new is None else "SUCCESS" if placed else "FAILURE",
        "cancelResponse": cancel,
        "newOrderResponse": new,
    }
    return error

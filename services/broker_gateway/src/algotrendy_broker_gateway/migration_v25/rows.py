"""Rows of 2.5's ``orders`` and ``positions``.

Invariant: numbers are exact; what is no order or position raises ``Unacceptable`` with the reason.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.migration_v25 import (
    Unacceptable,
    choice_of,
    number_of,
    optional_number,
    symbol_of,
    text_of,
    time_of,
    venue_of,
)
from algotrendy_common.money import ZERO

ORDERS = (
    "time", "order_id", "account", "exchange", "symbol", "strategy", "side", "type", "quantity", "price", "stop_price",
    "filled", "average_price", "fee", "fee_currency", "status",
)  # fmt: skip
POSITIONS = (
    "time", "account", "exchange", "symbol", "side", "quantity", "entry_price", "exit_price", "realized_pnl",
    "closed_at",
)  # fmt: skip
_TYPES = ("market", "limit", "stop", "stop_limit")
_STATUSES = ("new", "open", "partially_filled", "filled", "cancelled", "rejected", "expired")
_ACCOUNT = re.compile(r"^[A-Za-z0-9_-]{1,64}$")


@dataclass(frozen=True, slots=True)
class OldOrder:
    order_id: str
    account: str
    venue: str
    symbol: str
    strategy: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    filled: Decimal
    average_price: Decimal | None
    fee: Decimal
    fee_currency: str
    status: str
    created_at: datetime

    @property
    def key(self) -> tuple[str, ...]:
        return (self.order_id,)

    @property
    def values(self) -> tuple[str, ...]:
        names = (self.account, self.venue, self.symbol, self.strategy, self.side, self.type, self.fee_currency)
        numbers = (self.quantity, self.price, self.stop_price, self.filled, self.average_price, self.fee)
        return (*names, *map(text_of, numbers), self.status, self.created_at.isoformat())

    @property
    def sums(self) -> dict[str, Decimal]:
        return {"quantity": self.quantity, "filled": self.filled, "fee": self.fee}


@dataclass(frozen=True, slots=True)
class OldPosition:
    account: str
    venue: str
    symbol: str
    opened_at: datetime
    side: str
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    realized_pnl: Decimal
    closed_at: datetime | None

    @property
    def key(self) -> tuple[str, ...]:
        return self.account, self.venue, self.symbol, self.opened_at.isoformat()

    @property
    def values(self) -> tuple[str, ...]:
        numbers = (self.quantity, self.entry_price, self.exit_price, self.realized_pnl)
        return self.side, *map(text_of, numbers), "" if self.closed_at is None else self.closed_at.isoformat()

    @property
    def sums(self) -> dict[str, Decimal]:
        return {"quantity": self.quantity, "realized_pnl": self.realized_pnl}


def order_of(cells: dict[str, str]) -> OldOrder:
    if not cells["order_id"]:
        raise Unacceptable("order_id is missing")
    order = OldOrder(
        order_id=cells["order_id"],
        account=_account(cells["account"]),
        venue=venue_of(cells["exchange"]),
        symbol=symbol_of(cells["symbol"]),
        strategy=cells["strategy"],
        side=choice_of(cells["side"], "side", tuple(Side)),
        type=choice_of(cells["type"], "type", _TYPES),
        quantity=number_of(cells["quantity"], "quantity", above=ZERO),
        price=optional_number(cells["price"], "price", least=ZERO),
        stop_price=optional_number(cells["stop_price"], "stop_price", least=ZERO),
        filled=number_of(cells["filled"], "filled", least=ZERO),
        average_price=optional_number(cells["average_price"], "average_price", least=ZERO),
        fee=number_of(cells["fee"] or "0", "fee"),
        fee_currency=cells["fee_currency"],
        status=choice_of(cells["status"], "status", _STATUSES),
        created_at=time_of(cells["time"]),
    )
    if order.filled > order.quantity:
        raise Unacceptable(f"filled {order.filled} is more than the quantity {order.quantity}")
    if order.filled and order.average_price is None:
        raise Unacceptable("filled, and average_price is missing")
    if order.type in ("limit", "stop_limit") and order.price is None:
        raise Unacceptable(f"a {order.type} order without price")
    return order


def position_of(cells: dict[str, str]) -> OldPosition:
    opened, closed = time_of(cells["time"]), cells["closed_at"]
    closed_at = time_of(closed, "closed_at") if closed else None
    if closed_at is not None and closed_at < opened:
        raise Unacceptable(f"closed at {closed}, before it was opened")
    return OldPosition(
        account=_account(cells["account"]),
        venue=venue_of(cells["exchange"]),
        symbol=symbol_of(cells["symbol"]),
        opened_at=opened,
        side=choice_of(cells["side"], "side", ("long", "short")),
        quantity=number_of(cells["quantity"], "quantity", above=ZERO),
        entry_price=number_of(cells["entry_price"], "entry_price", above=ZERO),
        exit_price=optional_number(cells["exit_price"], "exit_price", least=ZERO),
        realized_pnl=number_of(cells["realized_pnl"] or "0", "realized_pnl"),
        closed_at=closed_at,
    )


def _account(text: str) -> str:
    if not _ACCOUNT.match(text):
        raise Unacceptable(f"account is no name of letters, digits, - and _: {text!r}")
    return text

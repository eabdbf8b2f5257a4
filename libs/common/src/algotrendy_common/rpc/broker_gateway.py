"""Questions about orders, fills, positions and balances."""

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Mode
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged
from algotrendy_common.events.event import Record
from algotrendy_common.events.order import OrderFilled, OrderUpdated
from algotrendy_common.ids import AccountId, OrderId, Venue
from algotrendy_common.rpc.call import Call, Nothing


class AccountInfo(Record):
    account: AccountId
    venue: Venue
    mode: Mode
    quote_currency: str


class Accounts(Record):
    accounts: tuple[AccountInfo, ...]


class OrdersAsked(Record):
    """Newest first; ``before`` pages on by creation time."""

    account: AccountId
    open_only: bool = False
    limit: int = 200
    before: Instant | None = None


class Orders(Record):
    orders: tuple[OrderUpdated, ...]


class OrderAsked(Record):
    order_id: OrderId


class OrderStep(Record):
    """One transition of an order, as it was committed."""

    status: str
    time: Instant
    detail: str


class OrderHistory(Record):
    order: OrderUpdated
    steps: tuple[OrderStep, ...]
    fills: tuple[OrderFilled, ...]


class AccountAsked(Record):
    account: AccountId
    limit: int = 200


class Fills(Record):
    fills: tuple[OrderFilled, ...]


class Positions(Record):
    positions: tuple[PositionChanged, ...]


class Balances(Record):
    balance: BalanceChanged | None
    reconciled: AccountReconciled | None
    """The newest comparison with the venue; None before the first."""


ACCOUNTS = Call("broker_gateway", "accounts", Nothing, Accounts, ("gateway", "risk", "agent"))
ORDERS = Call("broker_gateway", "orders", OrdersAsked, Orders, ("gateway", "risk"))
ORDER = Call("broker_gateway", "order", OrderAsked, OrderHistory, ("gateway",))
FILLS = Call("broker_gateway", "fills", AccountAsked, Fills, ("gateway", "risk"))
POSITIONS = Call("broker_gateway", "positions", AccountAsked, Positions, ("gateway", "risk"))
BALANCES = Call("broker_gateway", "balances", AccountAsked, Balances, ("gateway", "risk"))

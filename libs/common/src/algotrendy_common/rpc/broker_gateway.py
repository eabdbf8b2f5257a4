"""Questions about orders, fills, positions and balances."""

from algotrendy_common.clock import Instant
from algotrendy_common.enums import MarginMode, Mode, OrderType, TimeInForce
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.event import Record
from algotrendy_common.events.order import OrderFilled, OrderUpdated
from algotrendy_common.ids import AccountId, OrderId, Venue
from algotrendy_common.money import Amount, Quantity
from algotrendy_common.rpc.call import Call, Nothing


class VenueCapabilities(Record):
    """What the gateway can do at a venue; an order that asks for more is refused with a reason."""

    order_types: tuple[OrderType, ...]
    """Those of them that the venue itself holds are in ``resting``; the others are watched by the gateway."""
    resting: tuple[OrderType, ...]
    times_in_force: tuple[TimeInForce, ...]
    margin_modes: tuple[MarginMode, ...]
    max_leverage: Amount
    reduce_only: bool
    dead_man_switch: bool
    """The venue cancels everything by itself when it is not heard from."""
    earn: bool


class AccountInfo(Record):
    account: AccountId
    venue: Venue
    mode: Mode
    quote_currency: str
    active: bool = True
    """This gateway holds the account's lease."""
    epoch: int = 0
    """Of the lease: it rises with each holder, and an older holder can write nothing."""
    ready: bool = True
    detail: str = ""
    """Why it cannot trade now."""
    capabilities: VenueCapabilities | None = None
    """None until the venue was reached."""
    stand_in: AccountId | None = None
    """Where to propose new orders instead, while this account's venue is away."""
    priced_at: Venue | None = None
    """The venue whose prices to decide by: its own, or the stand-in's."""


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


class Protections(Record):
    protections: tuple[ProtectionChanged, ...]


class CancelAllAsked(Record):
    account: AccountId
    by: str
    reason: str


class CancelAllDone(Record):
    orders: int
    """Cancellations that were asked of the venue."""


class CredentialInfo(Record):
    """What is known of stored keys; the keys themselves never leave the broker gateway."""

    account: AccountId
    venue: Venue
    key_hint: str
    """The last four characters of the API key."""
    key_version: int
    """Of the key that wraps it."""
    stored_at: Instant


class Credentials(Record):
    credentials: tuple[CredentialInfo, ...]


class EarnProduct(Record):
    """A staking product: ``lock`` in the venue's own word (``flex``, ``instant``, ``bonded``)."""

    product_id: str
    asset: str
    lock: str
    apr_low: Amount | None
    apr_high: Amount | None
    minimum: Amount | None
    can_allocate: bool
    allocated: Amount
    pending: bool


class EarnAsked(Record):
    account: AccountId
    asset: str | None = None


class EarnProducts(Record):
    products: tuple[EarnProduct, ...]


class EarnChangeAsked(Record):
    """``allocate`` false takes it back."""

    account: AccountId
    product_id: str
    amount: Quantity
    allocate: bool
    by: str


ACCOUNTS = Call("broker_gateway", "accounts", Nothing, Accounts, ("gateway", "risk", "agent"))
ORDERS = Call("broker_gateway", "orders", OrdersAsked, Orders, ("gateway", "risk"))
ORDER = Call("broker_gateway", "order", OrderAsked, OrderHistory, ("gateway",))
FILLS = Call("broker_gateway", "fills", AccountAsked, Fills, ("gateway", "risk"))
POSITIONS = Call("broker_gateway", "positions", AccountAsked, Positions, ("gateway", "risk"))
BALANCES = Call("broker_gateway", "balances", AccountAsked, Balances, ("gateway", "risk"))
PROTECTIONS = Call("broker_gateway", "protections", AccountAsked, Protections, ("gateway", "risk"))
CANCEL_ALL = Call("broker_gateway", "cancel_all", CancelAllAsked, CancelAllDone, ("gateway", "risk"))
CREDENTIALS = Call("broker_gateway", "credentials", Nothing, Credentials, ("gateway",))
EARN = Call("broker_gateway", "earn", EarnAsked, EarnProducts, ("gateway",))
EARN_CHANGE = Call("broker_gateway", "earn_change", EarnChangeAsked, EarnProducts, ("gateway",))

"""An order's life on the bus. PostgreSQL of the service that owns each step is the book of record."""

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Liquidity, OrderSource, OrderStatus, OrderType, Side, TimeInForce
from algotrendy_common.events.event import Event, Record
from algotrendy_common.ids import AccountId, ApprovalId, ClientOrderId, OrderId, StrategyId, Symbol, Venue
from algotrendy_common.money import Amount, Price, Quantity


class OrderTerms(Record):
    """Exactly what is asked of the venue; an approval is bound to these fields and no others."""

    order_id: OrderId
    account: AccountId
    venue: Venue
    symbol: Symbol
    side: Side
    type: OrderType
    quantity: Quantity
    limit_price: Price | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False


class OrderOrigin(Record):
    """Who asked, and what they had seen."""

    source: OrderSource
    strategy: StrategyId | None = None
    user: str | None = None
    reason: str = ""
    reference_price: Price | None = None
    """The price the proposer saw."""
    tick_received_time: Instant | None = None
    """When the market event that caused the order reached us."""


class OrderProposed(Event):
    terms: OrderTerms
    origin: OrderOrigin


class OrderApproved(Event):
    """Risk says yes. Only risk can publish it, and the signature binds approval, terms and expiry together."""

    approval_id: ApprovalId
    terms: OrderTerms
    origin: OrderOrigin
    notional: Amount
    """Exposure that risk reserved for it, in the quote currency."""
    expires_at: Instant
    signature: str
    """Ed25519 over ``approval.signed_text``, base64."""


class OrderRefused(Event):
    """Risk says no, with the rule and its numbers."""

    terms: OrderTerms
    origin: OrderOrigin
    code: str
    message: str
    limit: str | None = None
    observed: str | None = None


class OrderCancelRequested(Event):
    order_id: OrderId
    account: AccountId
    requested_by: str
    reason: str


class OrderUpdated(Event):
    """The order as the broker gateway knows it; ``revision`` rises with each change, an older one is ignored."""

    revision: int
    terms: OrderTerms
    origin: OrderOrigin
    client_order_id: ClientOrderId
    venue_order_id: str | None
    status: OrderStatus
    filled_quantity: Amount
    average_price: Price | None
    fee: Amount
    fee_currency: str | None
    reason_code: str | None
    reason_message: str | None
    created_at: Instant
    submitted_at: Instant | None

    @property
    def account(self) -> str:
        """Also a token of the event's subject."""
        return self.terms.account


class OrderFilled(Event):
    """One trade of ours, keyed by the venue's trade id and counted once."""

    order_id: OrderId
    client_order_id: ClientOrderId
    account: AccountId
    venue: Venue
    symbol: Symbol
    trade_id: str
    side: Side
    price: Price
    quantity: Quantity
    fee: Amount
    fee_currency: str
    liquidity: Liquidity
    strategy: StrategyId | None

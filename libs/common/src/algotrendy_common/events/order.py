"""An order's life on the bus. PostgreSQL of the service that owns each step is the book of record."""

from typing import Self

from pydantic import model_validator

from algotrendy_common.clock import Instant
from algotrendy_common.enums import (
    HeldBy,
    Liquidity,
    MarginMode,
    OrderSource,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from algotrendy_common.events.event import Event, Record
from algotrendy_common.ids import AccountId, ApprovalId, ClientOrderId, OrderId, StrategyId, Symbol, Venue
from algotrendy_common.money import Amount, Leverage, Price, Quantity, Ratio


class Protection(Record):
    """The exits that guard what an order buys (or sells short), from its first fill on; at least one is given."""

    stop_price: Price | None = None
    take_profit_price: Price | None = None
    trailing_ratio: Ratio | None = None
    """Fraction of the best price since the entry."""

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.stop_price is None and self.take_profit_price is None and self.trailing_ratio is None:
            raise ValueError("protection without a stop, a take-profit or a trailing distance protects nothing")
        return self


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
    trigger_price: Price | None = None
    """Of a stop, take-profit or OCO (its stop); for a trailing stop the price from which it begins to trail."""
    trailing_ratio: Ratio | None = None
    """Of a trailing stop: fraction of the best price by which the trigger follows."""
    good_until: Instant | None = None
    """End of a ``GTD`` order."""
    protection: Protection | None = None
    """Makes the order a bracket: its exits are placed as it fills, for what has filled."""
    replaces: OrderId | None = None
    """The working order this one amends: that one is gone before this one leaves, and what it filled is not traded
    again."""
    margin_mode: MarginMode = MarginMode.NONE
    leverage: Leverage | None = None
    """For margin and perpetuals; None is the account's own."""


class SizedFrom(Record):
    """All that a strategy's order was sized by, so that anybody can size it again."""

    bar_time: Instant
    """Opening of the bar that it was decided on."""
    target: Amount
    """Fraction of ``capital`` that was to be held."""
    capital: Amount
    """What a target of one stood for, in quote."""
    position: Amount
    """Held before the order, in base; negative is short."""
    price: Price
    reserve: Amount
    """Fraction of the capital that was kept back."""


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
    parent: OrderId | None = None
    """The order this one guards, or whose leg it is."""
    sized_from: SizedFrom | None = None
    """Of an order to a strategy's target."""


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
    held_by: HeldBy | None = None
    """Of a triggered order that waits for its price."""

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

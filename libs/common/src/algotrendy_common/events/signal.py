"""What strategies think and how they are."""

from typing import Any

from algotrendy_common.clock import Instant
from algotrendy_common.enums import StrategyStatus, Timeframe
from algotrendy_common.events.event import Event, Record
from algotrendy_common.ids import AccountId, StrategyId, Symbol, Venue
from algotrendy_common.money import Amount, Price


class SignalRaised(Event):
    """A strategy changed its mind: it now wants ``target`` of its capital in the instrument (-1 to 1)."""

    strategy: StrategyId
    venue: Venue
    symbol: Symbol
    timeframe: Timeframe
    account: AccountId
    target: Amount
    reason: str
    price: Price
    """The price that it saw."""


class HeldAbroad(Record):
    """What a strategy holds on an account that stood in for its own."""

    account: AccountId
    venue: Venue
    quantity: Amount


class StrategyStateChanged(Event):
    """A strategy as it stands; ``revision`` rises with each change."""

    strategy: StrategyId
    revision: int
    name: str
    strategy_kind: str
    """Its key in the registry of strategies."""
    venue: Venue
    symbol: Symbol
    timeframe: Timeframe
    account: AccountId
    status: StrategyStatus
    status_detail: str
    parameters: dict[str, Any]
    position_quantity: Amount
    """On all accounts together."""
    realised_pnl: Amount
    bars_taken: int = 0
    """Closed bars that made its state, the last of which opened at ``last_bar_time``."""
    last_bar_time: Instant | None = None
    last_signal_time: Instant | None
    last_signal_target: Amount | None
    last_signal_reason: str | None
    routed_account: AccountId | None = None
    """Where its new orders go while its own account's venue is away; None is ``account``."""
    routed_venue: Venue | None = None
    held_abroad: tuple[HeldAbroad, ...] = ()

"""A strategy at work, and how each event changes it.

Invariant: an instance never changes, a change makes a new one. ``held_target`` is what the position stands for; None
means that it stands for nothing in particular, so that the next bar compares anew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.enums import StrategyStatus, Timeframe
from algotrendy_common.events.order import OrderFilled, OrderRefused, OrderUpdated
from algotrendy_common.money import ZERO, plain
from algotrendy_core.fills import Fill
from algotrendy_core.positions import Position, apply_fill

from algotrendy_agent.domain.ladder import Ladder, RungOrder
from algotrendy_agent.domain.own_orders import OwnOrder
from algotrendy_agent.domain.places import Place


@dataclass(frozen=True, slots=True)
class StrategyConfig:
    strategy: str
    name: str
    kind: str
    """Its key in the registry of strategies."""
    venue: str
    symbol: str
    timeframe: Timeframe
    account: str
    parameters: dict[str, Any]
    capital_share: Decimal
    """Fraction of the account's equity that a target of one stands for."""


@dataclass(frozen=True, slots=True)
class LastSignal:
    time: datetime
    target: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Instance:
    config: StrategyConfig
    status: StrategyStatus
    position: Position
    """On its own account."""
    status_detail: str = ""
    revision: int = 0
    held_target: Decimal | None = ZERO
    last_signal: LastSignal | None = None
    order: OwnOrder | None = None
    """The one that is not settled yet."""
    state: dict[str, Any] | None = None
    """The strategy's state after the newest bar that was committed; None before the first."""
    abroad: Mapping[str, Position] = field(default_factory=dict)
    """By account: what it holds where another account stood in for its own."""
    ladder: Ladder = field(default_factory=Ladder)
    route: Place | None = None
    """Where new orders go while another account stands in; None is its own."""

    @property
    def active(self) -> bool:
        return self.status in (StrategyStatus.RUNNING, StrategyStatus.PAUSED)

    @property
    def trading(self) -> StrategyConfig:
        """As if it were configured where it trades now: whose bars, prices and history it goes by."""
        if self.route is None:
            return self.config
        return replace(self.config, account=self.route.account, venue=self.route.venue)

    @property
    def held(self) -> Decimal:
        """On all accounts together, in base."""
        return sum((held.quantity for held in self.abroad.values()), self.position.quantity)

    @property
    def net_realised_pnl(self) -> Decimal:
        """On all accounts together, after fees."""
        return sum((held.net_realised_pnl for held in self.abroad.values()), self.position.net_realised_pnl)

    def holdings(self) -> Iterator[tuple[Place, Decimal]]:
        """Each account's part; what is held abroad comes first, for it is to be left first."""
        for account, held in self.abroad.items():
            yield Place(account, held.venue), held.quantity
        yield Place(self.config.account, self.config.venue), self.position.quantity

    # -- commands ----------------------------------------------------------------------------------------------

    def started(self, by: str, unproven: str | None = None) -> "Instance":
        """A strategy that failed begins again without the state it failed with."""
        before = self.without_state() if self.status is StrategyStatus.FAILED else self
        detail = f"started by {by}" if unproven is None else f"started by {by}, unproven: {unproven}"
        return replace(before, status=StrategyStatus.RUNNING, status_detail=detail)

    def without_state(self) -> "Instance":
        """It begins anew, at the next bar that it sees."""
        return replace(self, state=None, ladder=self.ladder.forgotten())

    def paused(self, by: str) -> "Instance":
        return replace(
            self, status=StrategyStatus.PAUSED, status_detail=f"paused by {by}: no entries, exits go through"
        )

    def stopped(self, by: str) -> "Instance":
        held = self.held
        kept = f"; its position of {plain(held)} {self.position.base} is kept" if held else ""
        return replace(
            self,
            status=StrategyStatus.STOPPED,
            status_detail=f"stopped by {by}{kept}",
            ladder=self.ladder.without_asks(),
        )

    def failed(self, detail: str) -> "Instance":
        return replace(self, status=StrategyStatus.FAILED, status_detail=detail)

    def routed(self, route: Place | None) -> "Instance":
        """What it holds stays where it is."""
        after = replace(self, route=route)
        return after.told(f"new orders go to {after.trading.account} at {after.trading.venue}")

    def told(self, detail: str) -> "Instance":
        return self if detail == self.status_detail else replace(self, status_detail=detail)

    # -- what happens to its orders ----------------------------------------------------------------------------

    def with_refusal(self, event: OrderRefused, order: OwnOrder) -> "Instance":
        numbers = f" (limit {event.limit}, observed {event.observed})" if event.limit and event.observed else ""
        return self._with_order(order.refused()).told(f"order refused: {event.code}{numbers}")

    def with_update(self, event: OrderUpdated, order: OwnOrder) -> "Instance":
        after = order.with_update(event)
        if after is order:
            return self
        detail = f"order {event.status.value}"
        if event.reason_message:
            detail += f": {event.reason_message}"
        return self._with_order(after).told(detail)

    def with_fill(self, event: OrderFilled, order: OwnOrder) -> "Instance":
        """The caller sees to it that a fill comes once."""
        return self._traded(event)._with_order(order.with_fill(event.quantity))

    def with_exit(self, event: OrderFilled) -> "Instance":
        """A stop or take-profit of the broker gateway traded: the strategy stays out until it changes its mind."""
        return self._traded(event).told(f"exit at {plain(event.price)}: {plain(event.quantity)} {self.position.base}")

    def with_rung_refusal(self, event: OrderRefused, order: RungOrder) -> tuple["Instance", RungOrder]:
        ladder, after = self.ladder.with_refusal(order)
        numbers = f" (limit {event.limit}, observed {event.observed})" if event.limit and event.observed else ""
        return replace(self, ladder=ladder).told(f"rung {order.rung} refused: {event.code}{numbers}"), after

    def with_rung_update(self, event: OrderUpdated, order: RungOrder) -> tuple["Instance", RungOrder]:
        ladder, after = self.ladder.with_update(order, event)
        return replace(self, ladder=ladder), after

    def with_rung_fill(self, event: OrderFilled, order: RungOrder) -> tuple["Instance", RungOrder]:
        """The caller sees to it that a fill comes once."""
        ladder, after = self.ladder.with_fill(order, event)
        return replace(self._traded(event), ladder=ladder), after

    def _traded(self, event: OrderFilled) -> "Instance":
        """On the account that it was traded on."""
        fill = Fill.of_event(event)
        if event.account == self.config.account:
            return replace(self, position=apply_fill(self.position, fill))
        blank = Position(event.venue, self.config.symbol, self.position.base, self.position.quote)
        held = apply_fill(self.abroad.get(event.account, blank), fill)
        return replace(self, abroad={**self.abroad, event.account: held})

    def _with_order(self, order: OwnOrder) -> "Instance":
        """An order that ended short of its target leaves a position that stands for nothing in particular."""
        if self.order is not None and self.order.order_id != order.order_id:
            # A late word on an older order: the position may have moved under the newer one.
            return replace(self, held_target=None) if order.filled else self
        if not order.settled:
            return replace(self, order=order)
        if order.reached_target:
            return replace(self, order=None, held_target=order.target)
        return replace(self, order=None, held_target=None if order.filled else self.held_target)


def fresh(config: StrategyConfig, status: StrategyStatus) -> Instance:
    base, _, quote = config.symbol.partition("-")
    return Instance(config, status, Position(config.venue, config.symbol, base, quote))

"""The ladder of a strategy as the books have it: what each rung asks for, what it has traded, and its orders.

Invariant: a fill counts for the generation whose order traded, and only while that is the present one. ``turn`` numbers
the generations that a rung has had and never goes back, whatever the strategy's own numbers do, so that ids made from
it are used once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import NamedTuple

from algotrendy_common.enums import OrderStatus
from algotrendy_common.events.order import OrderFilled, OrderTerms, OrderUpdated
from algotrendy_common.money import ZERO
from algotrendy_core.strategies.interface import Rung

from algotrendy_agent.domain.progress import Progress

_LONGEST_WAIT = 64
"""Bars: a rung that is refused again and again is tried that often."""


class Ask(NamedTuple):
    """A rung as the step wrote it."""

    kind: int
    side: int
    price: float
    quantity: float
    group: int


NOTHING_ASKED = Ask(0, 0, 0.0, 0.0, 0)


@dataclass(frozen=True, slots=True)
class RungState:
    ask: Ask = NOTHING_ASKED
    generation: int = 0
    turn: int = 0
    orders: int = 0
    """Proposed in this turn."""
    filled: Decimal = ZERO
    """Of this turn, by the fills counted."""
    over: bool = False
    """Taken away, or another of its group was filled: this generation is not placed again."""
    failures: int = 0
    """In a row: refused, rejected, or ended by somebody else."""
    wait: int = 0
    """Bars before it is tried again."""

    def asked(self, rung: Rung) -> "RungState":
        """After a step; raises ValueError for what is no number."""
        if not (isfinite(rung.price) and isfinite(rung.quantity)):
            raise ValueError(f"a rung asks for {rung.quantity} at {rung.price}")
        ask = Ask(int(rung.kind), int(rung.side), float(rung.price), float(rung.quantity), int(rung.group))
        if rung.generation != self.generation:
            return RungState(ask, rung.generation, self.turn + 1)
        taken_away = rung.kind == 0 and self.orders > 0
        return replace(self, ask=ask, over=self.over or taken_away, wait=max(self.wait - 1, 0))

    def failed(self) -> "RungState":
        failures = self.failures + 1
        return replace(self, failures=failures, wait=min(2 ** (failures - 1), _LONGEST_WAIT))


@dataclass(frozen=True, slots=True)
class RungOrder(Progress):
    """An order of a rung; of a pair (OCO) of two rungs, ``rung`` has the limit and ``stop_rung`` the stop."""

    terms: OrderTerms
    kind: int
    """Of the rung that it was proposed for: a trigger whose price had passed went out as a market order."""
    rung: int
    turn: int
    asked: Decimal
    """All that the rung asked for, with what it had traded before: where that changes, the order moves."""
    proposed_at: datetime
    stop_rung: int | None = None
    stop_turn: int = 0
    cancel_asked: bool = False

    @property
    def order_id(self) -> str:
        return self.terms.order_id

    @property
    def rest(self) -> Decimal:
        return self.terms.quantity - self.filled

    def traded_rung(self, price: Decimal) -> tuple[int, int]:
        """Rung and turn that a fill at ``price`` belongs to: of a pair, the stop trades on the stop's side."""
        limit = self.terms.limit_price
        if self.stop_rung is None or limit is None or (price - limit) * self.terms.side.sign <= 0:
            return self.rung, self.turn
        return self.stop_rung, self.stop_turn


@dataclass(frozen=True, slots=True)
class Ladder:
    rungs: tuple[RungState, ...] = ()
    orders: tuple[RungOrder, ...] = ()
    """Those that are not settled."""

    def asked(self, ladder: Sequence[Rung]) -> "Ladder":
        """After a step."""
        known = self.rungs + (RungState(),) * (len(ladder) - len(self.rungs))
        rungs = tuple(state.asked(rung) for state, rung in zip(known, ladder, strict=False))
        return replace(self, rungs=rungs + known[len(ladder) :])

    def shown(self, ladder: Sequence[Rung]) -> None:
        """Write what was filled into the rungs, before a step."""
        for state, rung in zip(self.rungs, ladder, strict=False):
            rung.filled = float(state.filled) if state.generation == rung.generation else 0.0

    def forgotten(self) -> "Ladder":
        """The strategy begins with a new state: what it asks for then is of new turns."""
        return replace(self, rungs=tuple(RungState(turn=state.turn) for state in self.rungs))

    def without_asks(self) -> "Ladder":
        """Nothing is asked for until the next step asks."""
        return replace(self, rungs=tuple(replace(state, ask=NOTHING_ASKED) for state in self.rungs))

    # -- what happens to its orders ----------------------------------------------------------------------------

    def with_update(self, order: RungOrder, event: OrderUpdated) -> tuple["Ladder", RungOrder]:
        after = order.with_update(event)
        if after is order:
            return self, order
        return self._with(order, after), after

    def with_refusal(self, order: RungOrder) -> tuple["Ladder", RungOrder]:
        after = order.refused()
        return self._with(order, after), after

    def with_fill(self, order: RungOrder, event: OrderFilled) -> tuple["Ladder", RungOrder]:
        """The caller sees to it that a fill comes once."""
        after = order.with_fill(event.quantity)
        number, turn = order.traded_rung(event.price)
        counted = self._with(order, after)
        if number >= len(counted.rungs) or counted.rungs[number].turn != turn:
            return counted, after
        state = counted.rungs[number]
        counted = counted._replaced({number: replace(state, filled=state.filled + event.quantity)})
        # Of a pair the venue, or the gateway for it, ends the other leg.
        return (counted if order.stop_rung is not None else counted._without_group_of(number)), after

    def marked(self, orders: Sequence[RungOrder]) -> "Ladder":
        """With these in place of those of the same id."""
        changed = {order.order_id: order for order in orders}
        return replace(self, orders=tuple(changed.get(order.order_id, order) for order in self.orders))

    def _with(self, before: RungOrder, after: RungOrder) -> "Ladder":
        kept = tuple(after if order.order_id == after.order_id else order for order in self.orders)
        ladder = replace(self, orders=tuple(order for order in kept if not order.settled))
        if before.status is after.status:
            return ladder
        if after.status in (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED):
            return ladder._changed(after, lambda state: replace(state, failures=0))
        if after.status is OrderStatus.FILLED and after.stop_rung is not None:
            return ladder._changed(after, lambda state: replace(state, over=True))
        if after.status.terminal and after.status is not OrderStatus.FILLED and not after.cancel_asked:
            return ladder._changed(after, RungState.failed)
        return ladder

    def _changed(self, order: RungOrder, how: Callable[[RungState], RungState]) -> "Ladder":
        mine = [(order.rung, order.turn)]
        if order.stop_rung is not None:
            mine.append((order.stop_rung, order.stop_turn))
        present = [n for n, turn in mine if n < len(self.rungs) and self.rungs[n].turn == turn]
        return self._replaced({number: how(self.rungs[number]) for number in present})

    def _without_group_of(self, number: int) -> "Ladder":
        group = self.rungs[number].ask.group
        if group <= 0:
            return self
        others = [n for n, state in enumerate(self.rungs) if n != number and state.ask.group == group]
        return self._replaced({n: replace(self.rungs[n], over=True) for n in others})

    def _replaced(self, states: dict[int, RungState]) -> "Ladder":
        return replace(self, rungs=tuple(states.get(n, state) for n, state in enumerate(self.rungs)))

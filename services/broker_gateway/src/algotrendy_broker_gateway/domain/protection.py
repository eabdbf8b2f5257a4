"""What guards a position, and what has to change so that it is guarded: exits asked for against exits that live.

Invariant: the exits asked for never add up to more than the position less what is leaving already, whatever the
entries brought along; one pass only takes away or only adds, so that both are never more than the position.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from algotrendy_common.enums import OrderType, ProtectionState, Side
from algotrendy_common.events.order import Protection
from algotrendy_common.money import ZERO
from algotrendy_core.exit_feasibility import sellable
from algotrendy_core.instruments import Instrument

_MOST_PER_ENTRY = 3
"""Exits of one entry before they are made one again: each partial fill adds its own."""
SLIPPAGE = Decimal("0.05")
"""How far below its trigger a stop still sells, where the venue wants a limit from it."""
MOVE_SHARE = Decimal("0.1")
"""Share of a stop's distance by which it must be behind before it is moved: each move bares the position briefly."""


@dataclass(frozen=True, slots=True)
class ProtectionPolicy:
    """What an account wants of its positions. An entry that brought exits is guarded whatever ``required`` says."""

    required: bool = False
    default_stop_ratio: Decimal = Decimal("0.05")
    """Distance of the stop that is placed where nobody said one, under the entry (above, for a short)."""
    restore_within: timedelta = timedelta(seconds=5)
    """Longest that a position may be bare before people are told."""
    flatten_after: timedelta = timedelta(seconds=30)
    """Longest that it may be bare at all."""
    flatten: bool = True
    """After it the bare quantity is sold at the market; False only goes on telling people."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """An entry with exits of its own. ``opened`` is what it bought, fees in base taken off; ``left`` what its exits,
    or other orders in their place, have sold again."""

    entry_id: str
    side: Side
    protection: Protection
    opened: Decimal
    left: Decimal
    best_price: Decimal | None = None
    """Since the entry; of a trailing stop."""
    average_price: Decimal | None = None
    """What it was opened at."""

    @property
    def open(self) -> Decimal:
        return max(self.opened - self.left, ZERO)


@dataclass(frozen=True, slots=True)
class Exit:
    """Prices of an exit. ``entry_id`` is None for what no entry's own exits guard."""

    entry_id: str | None
    stop: Decimal | None
    take: Decimal | None
    slack: Decimal = ZERO
    """How far a living stop may be behind ``stop`` before it is moved."""

    @property
    def type(self) -> OrderType:
        if self.stop is None:
            return OrderType.LIMIT
        return OrderType.STOP if self.take is None else OrderType.OCO

    @property
    def least_price(self) -> Decimal:
        """The lower of its prices."""
        return min(price for price in (self.stop, self.take) if price is not None)


@dataclass(frozen=True, slots=True)
class LiveExit:
    """An exit that may still trade ``rest``."""

    order_id: str
    exit: Exit
    rest: Decimal
    settled: bool
    """False while nobody knows what became of it: it counts, and cannot be changed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Cancel these first; only when there are none, place those."""

    cancel: tuple[str, ...] = ()
    place: tuple[tuple[Exit, Decimal], ...] = ()
    close: Decimal = ZERO
    """To be sold at the market instead of being guarded."""
    wanted: Decimal = ZERO
    """What ought to be covered by a stop (or by whatever exit its entry asked for)."""
    dust: Decimal = ZERO
    """What should be guarded and is too small for any order."""


def reductions(brackets: Sequence[Bracket], position: Decimal) -> dict[str, Decimal]:
    """What to take off each bracket, oldest first, so that together they claim no more than the position.

    A strategy or a person who sells part of a position says nothing of which entry it was: the oldest leaves first.
    """
    same_side = [bracket for bracket in brackets if bracket.side.sign * position > 0]
    taken = {bracket.entry_id: bracket.open for bracket in brackets if bracket not in same_side and bracket.open}
    excess = sum((bracket.open for bracket in same_side), ZERO) - abs(position)
    for bracket in same_side:
        if excess <= ZERO:
            break
        cut = min(bracket.open, excess)
        if cut:
            taken[bracket.entry_id] = cut
            excess -= cut
    return taken


def better(side: Side, price: Decimal, than: Decimal) -> bool:
    """For a position of this side: higher for what was bought, lower for what was sold short."""
    return (price - than) * side.sign > ZERO


def exit_of(bracket: Bracket, instrument: Instrument, default_stop: Decimal | None) -> Exit:
    """The prices of a bracket's exits, on the venue's grid; ``default_stop`` where it brought none and one is due."""
    protection, side = bracket.protection, bracket.side
    stop = protection.stop_price
    best = bracket.best_price or bracket.average_price
    if protection.trailing_ratio is not None and best is not None:
        trailing = best * (1 - side.sign * protection.trailing_ratio)
        stop = trailing if stop is None else _nearer(side, stop, trailing)
    if stop is None:
        stop = default_stop
    take = protection.take_profit_price
    slack = ZERO
    if stop is not None and protection.trailing_ratio is not None:
        slack = stop * protection.trailing_ratio * MOVE_SHARE
    return Exit(
        bracket.entry_id,
        None if stop is None else instrument.round_price_passively(stop, side),
        None if take is None else instrument.round_price(take),
        slack,
    )


def _nearer(side: Side, first: Decimal, second: Decimal) -> Decimal:
    """The stop that is closer to the market: the higher one of a long position."""
    return max(first, second) if side is Side.BUY else min(first, second)


def plan(
    position: Decimal,
    leaving: Decimal,
    brackets: Sequence[Bracket],
    live: Sequence[LiveExit],
    instrument: Instrument,
    spare: Exit | None,
) -> Plan:
    """What to cancel or to place next. ``leaving`` is what working orders are taking off the position already (on
    spot they and a stop cannot share the same money); ``spare`` is the exit of what no entry guards, None where that
    needs none."""
    held = max(abs(position) - leaving, ZERO)
    wishes, rest = _wishes(held, brackets, instrument, spare.stop if spare else None)
    if spare is not None and spare.stop is not None:
        whole = sellable(instrument, rest, spare.least_price)
        if whole:
            wishes.append((spare, whole))
            rest -= whole
    return _difference(held, wishes, live, instrument, rest if spare or brackets else ZERO)


def spare_exit(position: Decimal, average_price: Decimal, instrument: Instrument, policy: ProtectionPolicy) -> Exit:
    """The stop of a position for which nobody brought one."""
    side = Side.BUY if position >= ZERO else Side.SELL
    ratio = policy.default_stop_ratio
    stop = average_price * (1 - side.sign * ratio)
    return Exit(None, instrument.round_price_passively(stop, side), None, stop * ratio * MOVE_SHARE)


def _wishes(
    held: Decimal, brackets: Iterable[Bracket], instrument: Instrument, default_stop: Decimal | None
) -> tuple[list[tuple[Exit, Decimal]], Decimal]:
    """Exits with quantities for the brackets, newest first where there is not enough for all; and what is left."""
    wishes: list[tuple[Exit, Decimal]] = []
    for bracket in reversed(tuple(brackets)):
        claimed = min(bracket.open, held)
        wish = exit_of(bracket, instrument, default_stop)
        if not claimed or (wish.stop is None and wish.take is None):
            continue
        quantity = sellable(instrument, claimed, wish.least_price)
        if quantity:
            wishes.append((wish, quantity))
            held -= quantity
    return wishes, held


def _difference(
    held: Decimal,
    wishes: Sequence[tuple[Exit, Decimal]],
    live: Sequence[LiveExit],
    instrument: Instrument,
    dust: Decimal,
) -> Plan:
    wanted = sum((quantity for _, quantity in wishes), ZERO)
    wished = {wish.entry_id: (wish, quantity) for wish, quantity in wishes}
    cancel: list[str] = []
    place: list[tuple[Exit, Decimal]] = []
    room = held - sum((one.rest for one in live), ZERO)
    for one in live:
        if one.exit.entry_id not in wished and one.settled:
            cancel.append(one.order_id)
    for entry_id, (wish, quantity) in wished.items():
        own = [one for one in live if one.exit.entry_id == entry_id]
        stale = [one for one in own if not _as_wished(one.exit, wish)]
        covered = sum((one.rest for one in own), ZERO)
        missing = quantity - covered
        if stale or sum(one.settled for one in own) > _MOST_PER_ENTRY:
            cancel += [one.order_id for one in stale or own if one.settled]
        elif missing < ZERO:
            cancel += _too_many(own, -missing)
        elif missing > ZERO:
            # What nobody knows the fate of may still trade, whatever it was for.
            possible = sellable(instrument, min(missing, room), wish.least_price)
            # An order's value is counted at its limit, and a stop's may be under its trigger: what is worth just
            # enough at the trigger would be refused there again and again.
            surely = sellable(instrument, missing, wish.least_price * (1 - SLIPPAGE))
            if own and own[-1].settled and room >= missing and not surely:
                # Too little for an order of its own: one exit is made anew with it.
                cancel.append(own[-1].order_id)
            elif possible:
                place.append((wish, possible))
                room -= possible
    if not cancel and room < ZERO:
        # One whose fate is unknown stands beside a whole guard: together they would take more than there is.
        cancel = _too_many(live, -room)
    if cancel:
        return Plan(cancel=tuple(cancel), wanted=wanted, dust=dust)
    return Plan(place=tuple(place), wanted=wanted, dust=dust)


def _too_many(own: Sequence[LiveExit], excess: Decimal) -> list[str]:
    """As few exits as free ``excess``; what is freed beyond it is placed again."""
    chosen: list[str] = []
    for one in sorted(own, key=lambda one: one.rest, reverse=True):
        if excess <= ZERO:
            break
        if one.settled:
            chosen.append(one.order_id)
            excess -= one.rest
    return chosen


def _as_wished(live: Exit, wish: Exit) -> bool:
    if live.take != wish.take or (live.stop is None) != (wish.stop is None):
        return False
    return live.stop is None or wish.stop is None or abs(live.stop - wish.stop) <= wish.slack


def state_of(position: Decimal, covered: Decimal, asked: Plan, leaving: Decimal, guarded: bool) -> ProtectionState:
    """``guarded``: somebody (the policy, or an entry) wants this position protected."""
    if not position:
        return ProtectionState.FLAT
    if not guarded:
        return ProtectionState.NOT_REQUIRED
    if asked.wanted == ZERO:
        if leaving >= abs(position):
            return ProtectionState.PROTECTED
        return ProtectionState.DUST
    if covered >= asked.wanted:
        return ProtectionState.PROTECTED
    return ProtectionState.PARTIAL if covered else ProtectionState.NAKED

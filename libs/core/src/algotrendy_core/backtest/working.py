"""Orders at work: what a strategy asks for on its way to the venue, and what rests there.

A step's ladder is a level; the difference to what was asked before becomes requests, which the venue hears in order,
``latency`` after they were made. Invariant: a slot (a rung, or the target's order, which is the last) has one order at
a time, and a generation that was filled or taken away never comes back. Plain functions, compiled or not.
"""

from dataclasses import dataclass
from typing import Any

from algotrendy_core.backtest.execution import TARGET_ORDER, Rules, on_grid, size, whole
from algotrendy_core.strategies.interface import LIMIT, TRAILING_STOP

MARKET = 5
"""Kind of the target's order, beside the kinds of rungs."""


@dataclass(slots=True)
class WorkingOrder:
    """A slot: the order that rests (``kind`` 0: none) and, after it, what was last asked for."""

    kind: int = 0
    side: int = 0
    price: float = 0.0
    quantity: float = 0.0
    filled: float = 0.0
    group: int = 0
    generation: int = 0
    arrived: int = 0
    """1 until the first event after the venue heard of it: it takes if it crosses."""
    triggered: int = 0
    best: float = 0.0
    """Of a trailing stop, the best price since it arrived; 0 before."""
    tried: int = -1
    """The last event at which it was tried."""
    ahead: float = 0.0
    """On a book: the quantity that is served before it at its price."""
    target: float = 0.0
    reason: int = 0
    clipped: int = 0
    asked_kind: int = 0
    asked_side: int = 0
    asked_price: float = 0.0
    asked_quantity: float = 0.0
    asked_generation: int = 0


@dataclass(slots=True)
class Request:
    """On its way. ``fresh`` places anew, ``kind`` 0 takes away, anything else moves what rests."""

    slot: int = 0
    kind: int = 0
    side: int = 0
    price: float = 0.0
    quantity: float = 0.0
    group: int = 0
    generation: int = 0
    fresh: int = 0
    due: int = 0
    target: float = 0.0
    reason: int = 0
    clipped: int = 0


def in_flight(slots: int, latency_ms: int, interval_ms: int) -> int:
    """The most requests that can be on their way, with a decision every ``interval_ms`` or less often."""
    return slots * (latency_ms // interval_ms + 2)


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────


def ask_ladder(
    book: Any, rules: Rules, orders: Any, requests: Any, ladder: Any, rungs: int, reason: int, due: int
) -> None:
    """Ask for what the ladder says now and did not say before."""
    for slot in range(rungs):
        rung = ladder[slot]
        order = orders[slot]
        quantity, price = 0.0, 0.0
        if rung.kind != 0 and rung.price > 0.0:
            quantity = whole_steps(min(rung.quantity, rules.max_quantity), rules)
            price = order_price(rung.kind, rung.side, rung.price, rules)
            small = rung.kind != TRAILING_STOP and quantity * price < rules.min_notional
            if quantity < rules.min_quantity or small:
                book.below_minimum += 1
                quantity = 0.0
        if quantity <= 0.0:
            if order.asked_kind != 0:
                order.asked_kind = 0
                send(book, requests, slot, 0, 0, 0.0, 0.0, 0, order.asked_generation, 0, due, reason)
            continue
        fresh = 1 if rung.generation != order.asked_generation else 0
        if fresh == 0 and order.asked_kind == 0:
            continue
        same = (
            rung.kind == order.asked_kind
            and rung.side == order.asked_side
            and price == order.asked_price
            and quantity == order.asked_quantity
        )
        if fresh == 0 and same:
            continue
        order.asked_kind = rung.kind
        order.asked_side = rung.side
        order.asked_price = price
        order.asked_quantity = quantity
        order.asked_generation = rung.generation
        send(
            book, requests, slot, rung.kind, rung.side, price, quantity, rung.group, rung.generation, fresh, due, reason
        )


def ask_target(
    book: Any, rules: Rules, orders: Any, requests: Any, wanted: float, reason: int, capital: float, price: float,
    due: int,
) -> None:  # fmt: skip
    """Ask for the order that takes the position to ``wanted``; one at a time, so another is taken away first."""
    slot = len(orders) - 1
    order = orders[slot]
    if wanted < 0.0 and not rules.allow_short:
        wanted = 0.0
    if wanted != wanted:  # NaN: no opinion
        return
    if order.asked_kind != 0:
        if wanted != order.asked_price:
            order.asked_kind = 0
            send(book, requests, slot, 0, 0, 0.0, 0.0, 0, order.asked_generation, 0, due, reason)
        return
    if order.kind != 0 or wanted == book.held_target:
        return
    size(book, rules, wanted, reason, capital, price)
    if book.pending == 0.0:
        return
    side = 1 if book.pending > 0.0 else -1
    order.asked_kind = MARKET
    order.asked_price = wanted
    order.asked_generation += 1
    send(book, requests, slot, MARKET, side, wanted, abs(book.pending), 0, order.asked_generation, 1, due, reason)
    book.pending = 0.0
    requests[(book.asked - 1) % len(requests)].clipped = 1 if book.pending_clipped else 0


def send(
    book: Any, requests: Any, slot: int, kind: int, side: int, price: float, quantity: float, group: int,
    generation: int, fresh: int, due: int, reason: int,
) -> None:  # fmt: skip
    request = requests[book.asked % len(requests)]
    request.slot = slot
    request.kind = kind
    request.side = side
    request.price = price
    request.quantity = quantity
    request.group = group
    request.generation = generation
    request.fresh = fresh
    request.due = due
    request.reason = reason
    request.clipped = 0
    book.asked += 1


def whole_steps(quantity: float, rules: Rules) -> float:
    """The largest quantity on the grid that is no more than ``quantity``."""
    return on_grid(whole(quantity / rules.quantity_step), rules.quantity_step, rules.quantities_per_unit)


def order_price(kind: int, side: int, price: float, rules: Rules) -> float:
    """On the grid: a limit no more aggressive than asked, a trigger at the nearest; a trailing distance as it is."""
    if kind == TRAILING_STOP:
        return price
    steps = price / rules.price_step
    passive = whole(steps) if side == 1 else -whole(-steps)
    count = passive if kind == LIMIT else float(round(steps))
    return on_grid(max(count, 1.0), rules.price_step, rules.prices_per_unit)


# ── hearing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def hear(book: Any, orders: Any, requests: Any, now: int) -> None:
    """The venue takes in the requests that have reached it by ``now``."""
    while book.heard < book.asked and requests[book.heard % len(requests)].due <= now:
        request = requests[book.heard % len(requests)]
        book.heard += 1
        order = orders[request.slot]
        if request.fresh == 0 and (order.kind == 0 or order.generation != request.generation):
            continue  # it was filled, or taken away, before this arrived
        if request.kind == 0:
            order.kind = 0
            continue
        moved = order.kind != request.kind or order.side != request.side or order.price != request.price
        if request.fresh == 1:
            order.filled = 0.0
            moved = True
        if moved:
            order.arrived = 1
            order.triggered = 0
            order.best = 0.0
        order.kind = request.kind
        order.side = request.side
        order.price = request.price
        order.quantity = request.quantity
        order.group = request.group
        order.generation = request.generation
        order.target = request.price if request.kind == MARKET else 0.0
        order.reason = request.reason
        order.clipped = request.clipped
        if order.quantity <= order.filled:
            order.kind = 0


def tell(orders: Any, ladder: Any, rungs: int) -> None:
    """Write into the ladder how much of each rung's present generation is filled."""
    for slot in range(rungs):
        order = orders[slot]
        ladder[slot].filled = order.filled if order.generation == ladder[slot].generation else 0.0


def end(book: Any, orders: Any, slot: int, done: bool) -> None:
    """The order of a slot is over, filled or not."""
    order = orders[slot]
    order.kind = 0
    if slot == len(orders) - 1:
        order.asked_kind = 0
        if done and order.clipped == 0:
            book.held_target = order.target


def order_name(slot: int, orders: Any) -> int:
    """As fills name it."""
    return TARGET_ORDER if slot == len(orders) - 1 else slot

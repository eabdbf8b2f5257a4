"""From what a ladder asks for to orders: what is to be cancelled, and what is to be proposed.

Invariant: a rung has at most one order that is not settled. An order that no longer is what its rung asks for is
cancelled, and what takes its place is proposed once it is gone with all its fills counted; so no moment and no crash
can double a rung. On spot the rungs never sell more than the strategy holds.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, StrategyStatus
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import derived_id
from algotrendy_common.money import ZERO, from_float, round_down
from algotrendy_core.instruments import Instrument, InstrumentKind
from algotrendy_core.strategies.interface import LIMIT, STOP, TAKE_PROFIT, TRAILING_STOP

from algotrendy_agent.domain.instance import Instance
from algotrendy_agent.domain.ladder import Ladder, RungOrder, RungState
from algotrendy_agent.domain.plan import Surroundings

_NOISE = Decimal("0.000001")
"""Of a step: what floating point adds or leaves of a number that is meant to lie on the grid."""
_TRAILING_STEP = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Moves:
    ladder: Ladder
    proposals: tuple[RungOrder, ...] = ()
    cancels: tuple[tuple[RungOrder, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rung on the instrument's grid. ``price`` is a limit, a trigger or a trailing distance, as its kind says."""

    number: int
    state: RungState
    side: Side
    price: Decimal
    total: Decimal
    """With what this generation has traded."""

    @property
    def rest(self) -> Decimal:
        return self.total - self.state.filled


def moves(instance: Instance, around: Surroundings | None, *, halted: bool, now: datetime) -> Moves:
    """``around`` is None where no price is known: then orders are cancelled and none is proposed."""
    ladder = instance.ladder
    away = instance.route is not None
    wanted = _wanted(instance, around)
    cancelled = _cancelled(instance, wanted, held_back=halted or away)
    marked = ladder.marked([order for order, _ in cancelled])
    running = instance.status is StrategyStatus.RUNNING or instance.status is StrategyStatus.PAUSED
    if around is None or around.instrument is None or halted or away or not running:
        return Moves(marked, (), cancelled)
    proposed = _proposed(replace(instance, ladder=marked), wanted or {}, around, around.instrument, now)
    counts = {order.rung: marked.rungs[order.rung].orders + 1 for order in proposed}
    counts |= {n: marked.rungs[n].orders + 1 for order in proposed if (n := order.stop_rung) is not None}
    rungs = tuple(replace(s, orders=counts[n]) if n in counts else s for n, s in enumerate(marked.rungs))
    return Moves(Ladder(rungs, marked.orders + proposed), proposed, cancelled)


# ── what is asked for ───────────────────────────────────────────────────────────────────────────────────────────


def _wanted(instance: Instance, around: Surroundings | None) -> dict[int, Wanted] | None:
    """By rung; None where the instrument is not known, and nothing can be compared."""
    if around is None or around.instrument is None:
        return None
    found = (_on_grid(number, state, around.instrument) for number, state in enumerate(instance.ladder.rungs))
    return {one.number: one for one in found if one is not None}


def _on_grid(number: int, state: RungState, instrument: Instrument) -> Wanted | None:
    ask = state.ask
    if ask.kind == 0 or state.over or state.generation == 0 or not (ask.price > 0 and ask.quantity > 0):
        return None
    side = Side.BUY if ask.side > 0 else Side.SELL
    quantity = _down(from_float(ask.quantity, instrument.quantity_step * _NOISE), instrument)
    if ask.kind == TRAILING_STOP:
        price = from_float(ask.price, _TRAILING_STEP)
    elif ask.kind == LIMIT:
        price = instrument.round_price_passively(from_float(ask.price, instrument.price_step * _NOISE), side)
    else:
        price = from_float(ask.price, instrument.price_step)
    total = min(quantity, _down(instrument.max_quantity, instrument))
    if price <= 0 or total <= state.filled:
        return None
    return Wanted(number, state, side, price, total)


def _down(quantity: Decimal, instrument: Instrument) -> Decimal:
    return round_down(quantity, instrument.quantity_step)


# ── what has to go ──────────────────────────────────────────────────────────────────────────────────────────────


def _cancelled(
    instance: Instance, wanted: dict[int, Wanted] | None, *, held_back: bool
) -> tuple[tuple[RungOrder, str], ...]:
    """Orders to be asked away, marked so, with the reason."""
    going = ((order, _why_gone(instance, order, wanted, held_back)) for order in instance.ladder.orders)
    return tuple((replace(order, cancel_asked=True), reason) for order, reason in going if reason is not None)


def _why_gone(instance: Instance, order: RungOrder, wanted: dict[int, Wanted] | None, held_back: bool) -> str | None:
    if order.cancel_asked or order.status.terminal or order.rest <= 0:
        return None  # it is over: only its last fills, or the word that it was filled, are waited for
    reduces = order.terms.reduce_only
    if instance.status is StrategyStatus.STOPPED:
        return "the strategy was stopped"
    if instance.status is not StrategyStatus.RUNNING and not reduces:
        return f"the strategy is {instance.status.value}"
    if held_back:
        return None if reduces and order.terms.type.triggered else "the ladder is held back"
    if wanted is None or instance.status is StrategyStatus.FAILED:
        return None
    return None if _still_wanted(order, wanted, instance) else "the rung was moved or taken away"


def _still_wanted(order: RungOrder, wanted: dict[int, Wanted], instance: Instance) -> bool:
    rung = wanted.get(order.rung)
    if order.stop_rung is not None:
        stop = wanted.get(order.stop_rung)
        if rung is None or stop is None or (rung.state.turn, stop.state.turn) != (order.turn, order.stop_turn):
            return False
        same = (order.terms.limit_price, order.terms.trigger_price) == (rung.price, stop.price)
        # What one leg trades is taken from both: a strategy that says what is left of either says the same.
        return same and (order.asked == rung.total or order.rest == stop.rest)
    if rung is None or rung.state.turn != order.turn:
        return False
    same = (order.kind, order.terms.side, order.asked) == (rung.state.ask.kind, rung.side, rung.total)
    return same and _same_price(order, rung)


def _same_price(order: RungOrder, rung: Wanted) -> bool:
    terms = order.terms
    if terms.type is OrderType.MARKET:
        return True
    return rung.price == (terms.limit_price or terms.trigger_price or terms.trailing_ratio)


# ── what is to come ─────────────────────────────────────────────────────────────────────────────────────────────


def _proposed(
    instance: Instance,
    wanted: dict[int, Wanted],
    around: Surroundings,
    instrument: Instrument,
    now: datetime,
) -> tuple[RungOrder, ...]:
    orders = instance.ladder.orders
    taken = {order.rung for order in orders} | {order.stop_rung for order in orders}
    position = instance.position.quantity
    reducing = [order for order in orders if position * order.terms.side.sign < 0]
    # What the orders at work may still take from the position, those that are on their way out included.
    reducible = abs(position) - sum((order.rest for order in reducing), ZERO)
    leaving = any(order.cancel_asked for order in reducing)
    found: list[RungOrder] = []
    for number, rung in sorted(wanted.items()):
        if number in taken or rung.state.wait:
            continue
        twin = _twin(rung, wanted, taken, around.price)
        reduces = position * rung.side.sign < 0
        rest = _down(rung.rest, instrument)
        if reduces and leaving and rest > reducible:
            continue  # there is room once they are gone
        if reduces and instrument.kind is InstrumentKind.SPOT:
            rest = _down(min(rest, max(reducible, ZERO)), instrument)
        elif rung.side is Side.SELL and instrument.kind is InstrumentKind.SPOT:
            continue  # nothing is held that could be sold
        reduce_only = reduces and rest <= reducible
        if instance.status is StrategyStatus.PAUSED and not reduce_only:
            continue
        price = around.price if rung.state.ask.kind == TRAILING_STOP else rung.price
        if rest < instrument.min_quantity or rest * price < instrument.min_notional:
            continue
        order = _order(instance, rung, twin, rest, reduce_only, around.price, now)
        if reduces:
            reducible -= rest
        taken |= {order.rung, order.stop_rung}
        found.append(order)
    return tuple(found)


def _twin(rung: Wanted, wanted: dict[int, Wanted], taken: set[int | None], price: Decimal) -> Wanted | None:
    """The stop that makes one order (OCO) with a limit: alone with it in its group, over the same quantity."""
    group = rung.state.ask.group
    if group <= 0 or rung.state.ask.kind != LIMIT:
        return None
    others = [one for one in wanted.values() if one.state.ask.group == group and one.number != rung.number]
    if len(others) != 1:
        return None
    (stop,) = others
    fits = (stop.state.ask.kind, stop.side, stop.rest) == (STOP, rung.side, rung.rest)
    if not fits or stop.number in taken or stop.state.wait:
        return None
    between = min(rung.price, stop.price) < price < max(rung.price, stop.price)
    right = (stop.price - rung.price) * rung.side.sign > 0
    return stop if between and right else None


def _order(
    instance: Instance,
    rung: Wanted,
    twin: Wanted | None,
    quantity: Decimal,
    reduce_only: bool,
    price: Decimal,
    now: datetime,
) -> RungOrder:
    config, state = instance.config, rung.state
    kind = OrderType.OCO if twin is not None else _type(rung, price)
    terms = OrderTerms(
        order_id=order_id_of(config.strategy, config.symbol, rung.number, state.turn, state.orders),
        account=config.account,
        venue=config.venue,
        symbol=config.symbol,
        side=rung.side,
        type=kind,
        quantity=quantity,
        reduce_only=reduce_only,
        limit_price=rung.price if kind in (OrderType.LIMIT, OrderType.OCO) else None,
        trigger_price=_trigger(rung, twin, kind),
        trailing_ratio=rung.price if kind is OrderType.TRAILING_STOP else None,
    )
    return RungOrder(
        terms,
        state.ask.kind,
        rung.number,
        state.turn,
        rung.total,
        proposed_at=now,
        stop_rung=None if twin is None else twin.number,
        stop_turn=0 if twin is None else twin.state.turn,
    )


def _trigger(rung: Wanted, twin: Wanted | None, kind: OrderType) -> Decimal | None:
    if twin is not None:
        return twin.price
    return rung.price if kind in (OrderType.STOP, OrderType.TAKE_PROFIT) else None


def _type(rung: Wanted, price: Decimal) -> OrderType:
    match rung.state.ask.kind:
        case 1:
            return OrderType.LIMIT
        case 4:
            return OrderType.TRAILING_STOP
    waits_above = (rung.side is Side.BUY) == (rung.state.ask.kind == STOP)
    passed = price >= rung.price if waits_above else price <= rung.price
    if passed:
        return OrderType.MARKET  # it would trigger at once, and venues refuse such orders
    return OrderType.TAKE_PROFIT if rung.state.ask.kind == TAKE_PROFIT else OrderType.STOP


def order_id_of(strategy: str, symbol: str, rung: int, turn: int, revision: int) -> str:
    """The same on any machine and after any restart: a rung's order can be proposed twice, but is one order."""
    return derived_id(strategy, symbol, "rung", rung, turn, revision)

"""A ladder's orders without a server: what is proposed and cancelled, and that nothing can double a rung."""

from dataclasses import replace
from decimal import Decimal

import pytest
from algotrendy_agent import ladder_rows
from algotrendy_agent.domain.instance import Instance
from algotrendy_agent.domain.ladder import Ladder, RungOrder
from algotrendy_agent.domain.ladder_moves import Moves, moves, order_id_of
from algotrendy_agent.domain.places import Place
from algotrendy_agent.domain.plan import Surroundings
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import OrderStatus, OrderType, Side
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderFilled, OrderOrigin, OrderUpdated
from algotrendy_common.ids import client_order_id
from algotrendy_core.strategies.interface import LIMIT, STOP, TAKE_PROFIT, TRAILING_STOP, Rung
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BUY, SELL = 1, -1


@pytest.fixture
def around(making) -> Surroundings:
    return Surroundings(Decimal(100), Decimal(100_000), making.instrument, Decimal("0.01"))


@pytest.fixture
def events(making) -> EventFactory:
    return EventFactory("test", ManualClock(making.BEGINNING))


class World:
    """An instance, its rungs, and a venue that does with the orders what a test says."""

    def __init__(self, instance: Instance, around: Surroundings, making, events) -> None:
        self.instance, self.around, self.making, self.events = instance, around, making, events
        self.halted = False
        self.proposed: dict[str, RungOrder] = {}
        self.cancelled: list[str] = []
        self.revisions: dict[str, int] = {}
        self.trades = 0

    def asks(self, *rungs: Rung) -> Moves:
        """A step."""
        return self._moved(replace(self.instance, ladder=self.instance.ladder.asked(rungs)))

    def tended(self, instance: Instance | None = None) -> Moves:
        return self._moved(instance or self.instance)

    def fill(self, order: RungOrder, quantity: str, price: str = "100", fee: str = "0") -> None:
        self.trades += 1
        event = self.events.make(
            OrderFilled, order_id=order.order_id, client_order_id=client_order_id(order.order_id),
            account=order.terms.account, venue=order.terms.venue, symbol=order.terms.symbol,
            trade_id=str(self.trades), side=order.terms.side, price=Decimal(price), quantity=Decimal(quantity),
            fee=Decimal(fee), fee_currency="BTC", liquidity="maker", strategy=None,
        )  # fmt: skip
        self.instance, _ = self.instance.with_rung_fill(event, self.now(order))

    def update(self, order: RungOrder, status: OrderStatus, filled: str = "0") -> None:
        self.revisions[order.order_id] = self.revisions.get(order.order_id, 0) + 1
        event = self.events.make(
            OrderUpdated, revision=self.revisions[order.order_id], terms=order.terms,
            origin=OrderOrigin(source="strategy"), client_order_id=client_order_id(order.order_id),
            venue_order_id=None, status=status, filled_quantity=Decimal(filled), average_price=None, fee=Decimal(0),
            fee_currency=None, reason_code=None, reason_message="why", created_at=self.making.BEGINNING,
            submitted_at=None,
        )  # fmt: skip
        self.instance, _ = self.instance.with_rung_update(event, self.now(order))

    def filled(self, order: RungOrder, price: str = "100") -> None:
        self.fill(order, str(order.rest), price)
        self.update(order, OrderStatus.FILLED, str(order.terms.quantity))

    def now(self, order: RungOrder) -> RungOrder:
        found = [one for one in self.instance.ladder.orders if one.order_id == order.order_id]
        return found[0] if found else order

    def _moved(self, instance: Instance) -> Moves:
        moved = moves(instance, self.around, halted=self.halted, now=self.making.BEGINNING)
        self.instance = replace(instance, ladder=moved.ladder)
        for order in moved.proposals:
            assert order.order_id not in self.proposed, "one id for two orders"
            self.proposed[order.order_id] = order
        self.cancelled += [order.order_id for order, _ in moved.cancels]
        return moved


@pytest.fixture
def world(instance, around, making, events) -> World:
    return World(instance, around, making, events)


def buy(price: float = 99.0, quantity: float = 1.0, generation: int = 1, **more) -> Rung:
    return Rung(LIMIT, BUY, price, quantity, generation=generation, **more)


def sell(price: float = 101.0, quantity: float = 1.0, generation: int = 1, **more) -> Rung:
    return Rung(LIMIT, SELL, price, quantity, generation=generation, **more)


def test_a_rung_becomes_a_limit_order_on_the_venues_grid_and_is_left_alone(world):
    (order,) = world.asks(buy(98.019999999999996, 1.2345678)).proposals
    assert (order.terms.type, order.terms.side, order.terms.time_in_force) == (OrderType.LIMIT, Side.BUY, "gtc")
    assert (order.terms.limit_price, order.terms.quantity) == (Decimal("98.02"), Decimal("1.23456"))
    assert order.order_id == order_id_of("cross", "BTC-USDT", 0, 1, 0)
    world.update(order, OrderStatus.OPEN)
    for _ in range(3):
        assert world.asks(buy(98.02, 1.23456)) == Moves(world.instance.ladder)


def test_a_limit_is_never_more_aggressive_than_asked(world):
    bought, sold = world.asks(buy(99.019), Rung()).proposals, world.instance
    assert [order.terms.limit_price for order in bought] == [Decimal("99.01")]
    world.instance = replace(sold, position=replace(sold.position, quantity=Decimal(5)))
    (order,) = world.asks(buy(99.019), sell(101.011)).proposals
    assert order.terms.limit_price == Decimal("101.02")


def test_a_moved_rung_is_cancelled_first_and_placed_anew_once_it_is_gone(world):
    (first,) = world.asks(buy(99)).proposals
    world.update(first, OrderStatus.OPEN)
    moved = world.asks(buy(98))
    assert [(order.order_id, why) for order, why in moved.cancels] == [
        (first.order_id, "the rung was moved or taken away")
    ]
    assert moved.proposals == ()
    assert world.asks(buy(98)).cancels == ()  # asked once
    world.fill(first, "0.4")
    assert world.tended().proposals == ()
    world.update(first, OrderStatus.CANCELLED, "0.4")
    (second,) = world.tended().proposals
    assert (second.terms.quantity, second.terms.limit_price) == (Decimal("0.6"), Decimal(98))
    assert second.order_id == order_id_of("cross", "BTC-USDT", 0, 1, 1)


def test_a_cancelled_order_whose_fills_are_still_on_their_way_keeps_the_rung_waiting(world):
    (first,) = world.asks(buy(99)).proposals
    world.asks(buy(98))
    world.update(first, OrderStatus.CANCELLED, "0.4")
    assert world.tended().proposals == ()
    world.fill(first, "0.4")
    assert world.tended().proposals[0].terms.quantity == Decimal("0.6")


@pytest.mark.parametrize("status", [OrderStatus.LOST, OrderStatus.OUTCOME_UNKNOWN, OrderStatus.SUBMITTING])
def test_an_order_nobody_knows_the_whereabouts_of_keeps_the_rung_waiting(world, status):
    (first,) = world.asks(buy(99)).proposals
    world.update(first, status)
    assert world.asks(buy(99, generation=2)).proposals == ()


def test_what_was_filled_is_shown_and_stays_filled_until_a_new_generation(world):
    (first,) = world.asks(buy()).proposals
    world.filled(first)
    ladder = [buy()]
    world.instance.ladder.shown(ladder)
    assert ladder[0].filled == 1.0
    assert world.asks(buy()).proposals == ()
    (second,) = world.asks(buy(generation=2)).proposals
    assert second.order_id == order_id_of("cross", "BTC-USDT", 0, 2, 0)
    world.instance.ladder.shown(ladder := [buy(generation=2)])
    assert ladder[0].filled == 0.0


def test_a_filled_order_that_the_venue_has_yet_to_call_filled_is_not_cancelled(world):
    (first,) = world.asks(buy()).proposals
    world.fill(first, "1")
    assert world.tended() == Moves(world.instance.ladder)


def test_a_late_fill_of_an_older_generation_moves_the_position_alone(world):
    (first,) = world.asks(buy()).proposals
    world.asks(buy(generation=2))
    world.fill(first, "0.3")
    assert world.instance.position.quantity == Decimal("0.3")
    assert world.instance.ladder.rungs[0].filled == 0


def test_a_rung_taken_away_comes_back_only_as_a_new_generation(world):
    (first,) = world.asks(buy()).proposals
    world.asks(Rung(generation=1))
    world.update(first, OrderStatus.CANCELLED)
    assert world.asks(buy()).proposals == ()
    assert len(world.asks(buy(generation=2)).proposals) == 1


def test_the_first_of_a_group_that_trades_takes_the_others_away(world):
    up, down = Rung(STOP, BUY, 102.0, 1.0, 7, 1), Rung(LIMIT, BUY, 97.0, 1.0, 7, 1)
    first, second = world.asks(up, down).proposals
    assert [order.terms.type for order in (first, second)] == [OrderType.STOP, OrderType.LIMIT]
    world.fill(first, "0.5", "102")
    (gone,) = world.tended().cancels
    assert gone[0].order_id == second.order_id
    world.update(second, OrderStatus.CANCELLED)
    assert world.asks(up, down).proposals == ()


def holding(world, quantity: str) -> None:
    position = replace(world.instance.position, quantity=Decimal(quantity), cost=Decimal(quantity) * 100)
    world.instance = replace(world.instance, position=position)


def test_take_profit_and_stop_over_one_quantity_are_one_order(world):
    holding(world, "2")
    profit, stop = sell(105, 2, group=1), Rung(STOP, SELL, 95.0, 2.0, 1, 1)
    (pair,) = world.asks(profit, stop).proposals
    terms = pair.terms
    assert (terms.type, terms.limit_price, terms.trigger_price) == (OrderType.OCO, Decimal(105), Decimal(95))
    assert terms.reduce_only
    world.update(pair, OrderStatus.OPEN)
    world.fill(pair, "0.5", "105")
    assert [state.filled for state in world.instance.ladder.rungs] == [Decimal("0.5"), 0]
    assert world.tended() == Moves(world.instance.ladder)
    rest = sell(105, 2, group=1), Rung(STOP, SELL, 95.0, 1.5, 1, 1)
    assert world.asks(*rest) == Moves(world.instance.ladder)  # the same pair, told by what is left
    world.fill(pair, "1.5", "94")
    assert [state.filled for state in world.instance.ladder.rungs] == [Decimal("0.5"), Decimal("1.5")]
    world.update(pair, OrderStatus.FILLED, "2")
    assert world.asks(profit, stop).proposals == ()


def test_a_pair_over_more_than_is_held_sells_what_is_held_and_rests(world):
    holding(world, "1.5")
    profit, stop = sell(105, 2, group=1), Rung(STOP, SELL, 95.0, 2.0, 1, 1)
    (pair,) = world.asks(profit, stop).proposals
    assert pair.terms.quantity == Decimal("1.5")
    assert world.asks(profit, stop) == Moves(world.instance.ladder)


@pytest.mark.parametrize(
    ("kind", "side", "price", "type_"),
    [
        (STOP, SELL, 95.0, OrderType.STOP),
        (STOP, SELL, 100.5, OrderType.MARKET),
        (STOP, BUY, 105.0, OrderType.STOP),
        (TAKE_PROFIT, SELL, 105.0, OrderType.TAKE_PROFIT),
        (TAKE_PROFIT, BUY, 105.0, OrderType.MARKET),
        (TRAILING_STOP, SELL, 0.02, OrderType.TRAILING_STOP),
    ],
)
def test_each_kind_of_rung_has_its_type_and_one_whose_price_has_passed_goes_out_at_once(
    world, kind, side, price, type_
):
    holding(world, "1")
    (order,) = world.asks(Rung(kind, side, price, 1.0, 0, 1)).proposals
    assert order.terms.type is type_
    world.update(order, OrderStatus.OPEN)
    assert world.asks(Rung(kind, side, price, 1.0, 0, 1)) == Moves(world.instance.ladder)


def test_on_spot_the_rungs_together_never_sell_more_than_is_held(world):
    holding(world, "1.5")
    first, second = world.asks(sell(101), sell(102), sell(103)).proposals
    assert [order.terms.quantity for order in (first, second)] == [Decimal(1), Decimal("0.5")]
    assert first.terms.reduce_only
    assert second.terms.reduce_only
    flat = World(world.instance.started("tom"), world.around, world.making, world.events)
    holding(flat, "0")
    flat.instance = replace(flat.instance, ladder=Ladder())
    assert flat.asks(sell(101)).proposals == ()


def test_what_is_below_the_venues_minimum_is_not_placed(world):
    assert world.asks(buy(99, 0.05), buy(99, 0.051)).proposals[0].rung == 1
    assert world.asks(buy(99, 0.0), buy(99, 0.051)).proposals == ()


def test_a_refused_rung_is_tried_again_after_longer_and_longer_pauses(world):
    tries = []
    for bar in range(40):
        for order in world.asks(buy()).proposals:
            tries.append(bar)
            ladder, _ = world.instance.ladder.with_refusal(order)
            world.instance = replace(world.instance, ladder=ladder)
            assert world.tended().proposals == ()
    assert tries == [0, 1, 3, 7, 15, 31]


def test_an_order_somebody_else_cancelled_comes_back_at_the_next_bar_not_at_once(world):
    (first,) = world.asks(buy()).proposals
    world.update(first, OrderStatus.OPEN)
    world.update(first, OrderStatus.CANCELLED)
    assert world.tended().proposals == ()
    assert len(world.asks(buy()).proposals) == 1


def test_stopping_clears_pausing_keeps_reductions_and_a_halt_keeps_stops_alone(world):
    holding(world, "2")
    rungs = (buy(), sell(), Rung(STOP, SELL, 90.0, 1.0, 0, 1))
    entry, exit_, stop = world.asks(*rungs).proposals
    for order in (entry, exit_, stop):
        world.update(order, OrderStatus.OPEN)
    before = world.instance

    def gone(instance: Instance, halted: bool = False) -> list[str]:
        world.halted = halted
        moved = world.tended(instance)
        assert moved.proposals == ()
        return [order.order_id for order, _ in moved.cancels]

    assert gone(before.paused("tom")) == [entry.order_id]
    assert gone(before.failed("it broke")) == [entry.order_id]
    assert gone(before.stopped("tom")) == [entry.order_id, exit_.order_id, stop.order_id]
    assert gone(before, halted=True) == [entry.order_id, exit_.order_id]
    assert gone(before.routed(Place("paper-2", "bybit"))) == [entry.order_id, exit_.order_id]


def test_after_a_halt_the_ladder_is_rebuilt(world):
    (first,) = world.asks(buy()).proposals
    world.halted = True
    world.tended()
    world.update(first, OrderStatus.CANCELLED)
    assert world.asks(buy()).proposals == ()
    world.halted = False
    assert len(world.tended().proposals) == 1


def test_a_stopped_strategy_asks_for_nothing_before_its_next_step(world):
    (first,) = world.asks(buy()).proposals
    world.tended(world.instance.stopped("tom"))
    world.update(first, OrderStatus.CANCELLED)
    world.instance = world.instance.started("tom")
    assert world.tended().proposals == ()
    assert len(world.asks(buy()).proposals) == 1


def test_a_paused_strategy_still_places_what_reduces(world):
    holding(world, "1")
    world.instance = world.instance.paused("tom")
    assert [order.rung for order in world.asks(buy(), sell()).proposals] == [1]


def test_a_strategy_that_begins_anew_uses_ids_of_its_own(world):
    (first,) = world.asks(buy()).proposals
    world.update(first, OrderStatus.CANCELLED)
    world.instance = world.instance.failed("it broke").started("tom")
    (second,) = world.asks(buy()).proposals
    assert second.order_id != first.order_id


def test_an_order_of_a_former_life_goes_before_the_new_one_comes(world):
    (first,) = world.asks(buy()).proposals
    world.update(first, OrderStatus.OPEN)
    world.instance = world.instance.without_state()
    moved = world.asks(buy())
    assert [order.order_id for order, _ in moved.cancels] == [first.order_id]
    assert moved.proposals == ()


def test_without_a_price_orders_go_and_none_comes(world):
    (first,) = world.asks(buy()).proposals
    world.around = None
    assert world.asks(buy(98)) == Moves(world.instance.ladder)
    assert [order.order_id for order, _ in world.tended(world.instance.stopped("tom")).cancels] == [first.order_id]


def test_what_is_no_number_is_refused_and_a_ladder_survives_its_rows(world):
    with pytest.raises(ValueError, match="nan"):
        world.asks(buy(float("nan")))
    world.asks(buy(99.1, 0.1 + 0.2), sell())
    rows = ladder_rows.rungs_of(world.instance.ladder)
    assert ladder_rows.ladder_of(rows, []).rungs == world.instance.ladder.rungs


rung_st = st.builds(
    Rung,
    kind=st.sampled_from([0, LIMIT, LIMIT, STOP]),
    side=st.sampled_from([BUY, SELL]),
    price=st.sampled_from([95.0, 99.0, 101.0, 105.0]),
    quantity=st.sampled_from([0.5, 1.0, 2.0]),
    group=st.sampled_from([0, 0, 1]),
    generation=st.integers(1, 3),
)
happening = st.one_of(
    st.tuples(st.just("step"), st.lists(rung_st, min_size=3, max_size=3)),
    st.tuples(st.sampled_from(["fill", "part", "open", "cancelled", "refused", "rejected"]), st.integers(0, 5)),
    st.tuples(st.sampled_from(["halt", "release", "pause", "start", "stop"]), st.none()),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings=st.lists(happening, min_size=5, max_size=40))
def test_whatever_happens_no_rung_is_doubled_and_no_fill_is_lost(happenings, instance, around, making, events):
    """The venue does as it likes with the orders that it has; that no id comes twice is looked at in ``World``."""
    world = World(instance, around, making, events)
    held = Decimal(0)
    for what, detail in happenings:
        live = [order for order in world.instance.ladder.orders if not order.status.terminal]
        order = live[detail % len(live)] if isinstance(detail, int) and live else None
        if what == "step":
            if world.instance.active:
                world.asks(*detail)
        elif what in ("halt", "release"):
            world.halted = what == "halt"
            world.tended()
        elif what in ("pause", "start", "stop"):
            changed = {"pause": "paused", "start": "started", "stop": "stopped"}[what]
            if what != "pause" or world.instance.active:
                world.tended(getattr(world.instance, changed)("tom"))
        elif order is not None:
            held += happened(world, order, what) * order.terms.side.sign
            world.tended()
        rungs = [one.rung for one in world.instance.ladder.orders]
        rungs += [one.stop_rung for one in world.instance.ladder.orders if one.stop_rung is not None]
        assert len(rungs) == len(set(rungs))
        assert world.instance.position.quantity == held >= 0
        selling = sum(one.rest for one in world.instance.ladder.orders if one.terms.side is Side.SELL)
        assert selling <= held
        if not world.instance.active or world.halted:
            assert all(one.cancel_asked or one.terms.reduce_only for one in world.instance.ladder.orders)


def happened(world: World, order: RungOrder, what: str) -> Decimal:
    """What was traded."""
    price = str(order.terms.limit_price or order.terms.trigger_price or 100)
    if what == "fill":
        rest = order.rest
        world.filled(order, price)
        return rest
    if what == "part":
        part = (order.rest / 2).quantize(Decimal("0.00001"))
        if part:
            world.fill(order, str(part), price)
            world.update(order, OrderStatus.PARTIALLY_FILLED, str(order.filled + part))
        return part
    if what == "refused":
        if order.status is OrderStatus.PROPOSED and not order.filled:
            ladder, _ = world.instance.ladder.with_refusal(order)
            world.instance = replace(world.instance, ladder=ladder)
        return Decimal(0)
    status = {"open": OrderStatus.OPEN, "cancelled": OrderStatus.CANCELLED, "rejected": OrderStatus.REJECTED}[what]
    world.update(order, status, str(order.filled))
    return Decimal(0)

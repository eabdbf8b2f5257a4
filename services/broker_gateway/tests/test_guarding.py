"""What is pure about waiting for prices and guarding positions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_broker_gateway.desk.exits import leaving
from algotrendy_broker_gateway.domain.capabilities import Capabilities, DuplicateIds
from algotrendy_broker_gateway.domain.handling import Handling, handling, objection, on_the_wire
from algotrendy_broker_gateway.domain.order_record import OrderRecord
from algotrendy_broker_gateway.domain.outbound_count import OutboundCount, Pass, ProtectiveCount
from algotrendy_broker_gateway.domain.protection import (
    Bracket,
    Exit,
    LiveExit,
    ProtectionPolicy,
    exit_of,
    plan,
    reductions,
    spare_exit,
)
from algotrendy_broker_gateway.domain.triggers import Fired, Watch, after_sending, seen, watch_of
from algotrendy_broker_gateway.errors import OutboundBreach
from algotrendy_common import ids
from algotrendy_common.enums import MarginMode, OrderSource, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderOrigin, OrderTerms, Protection
from algotrendy_core.exit_feasibility import sellable
from algotrendy_core.instruments import Instrument
from algotrendy_core.order_states import Open
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BTC = Instrument(
    venue="binance",
    symbol="BTC-USDT",
    base="BTC",
    quote="USDT",
    price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    max_quantity=Decimal(9000),
    min_notional=Decimal(5),
    maker_fee=Decimal("0.001"),
    taker_fee=Decimal("0.001"),
)
PLAIN = frozenset({OrderType.MARKET, OrderType.LIMIT})


def can(*types: OrderType, times: tuple[TimeInForce, ...] = (TimeInForce.GTC, TimeInForce.IOC)) -> Capabilities:
    return Capabilities(
        resting=PLAIN | frozenset(types),
        times_in_force=frozenset(times),
        margin_modes=frozenset({MarginMode.NONE}),
        max_leverage=Decimal(1),
        reduce_only=False,
        dead_man_switch=False,
        cancel_all=True,
        find_by_client_id=True,
        duplicate_ids=DuplicateIds.WHILE_OPEN,
    )


def terms(**changes) -> OrderTerms:
    return OrderTerms(
        **(
            {
                "order_id": ids.derived_id("an order"),
                "account": "a",
                "venue": "binance",
                "symbol": "BTC-USDT",
                "side": Side.SELL,
                "type": OrderType.MARKET,
                "quantity": Decimal(1),
            }
            | changes
        )
    )


def oco(**changes) -> OrderTerms:
    return terms(**{"type": OrderType.OCO, "limit_price": Decimal(110), "trigger_price": Decimal(90)} | changes)


# -- prices that are waited for --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "price", "fired"),
    [
        ({"type": OrderType.STOP, "trigger_price": Decimal(90)}, 90, Fired.STOP),
        ({"type": OrderType.STOP, "trigger_price": Decimal(90)}, 91, None),
        ({"type": OrderType.STOP, "trigger_price": Decimal(110), "side": Side.BUY}, 110, Fired.STOP),
        ({"type": OrderType.STOP, "trigger_price": Decimal(110), "side": Side.BUY}, 109, None),
        ({"type": OrderType.TAKE_PROFIT, "trigger_price": Decimal(110)}, 111, Fired.TAKE),
        ({"type": OrderType.TAKE_PROFIT, "trigger_price": Decimal(110)}, 109, None),
        ({"type": OrderType.TAKE_PROFIT, "trigger_price": Decimal(90), "side": Side.BUY}, 89, Fired.TAKE),
        ({"type": OrderType.OCO, "trigger_price": Decimal(90), "limit_price": Decimal(110)}, 89, Fired.STOP),
        ({"type": OrderType.OCO, "trigger_price": Decimal(90), "limit_price": Decimal(110)}, 110, Fired.TAKE),
        ({"type": OrderType.OCO, "trigger_price": Decimal(90), "limit_price": Decimal(110)}, 100, None),
    ],
)
def test_a_price_fires_what_waits_for_it(asked, price, fired):
    assert seen(watch_of(terms(**asked)), Decimal(price)).fired is fired


def test_a_trailing_stop_begins_where_it_was_told_to_and_follows():
    watch = watch_of(terms(type=OrderType.TRAILING_STOP, trailing_ratio=Decimal("0.1"), trigger_price=Decimal(105)))
    for price, trigger in ((100, None), (80, None), (105, "94.5"), (120, "108.0"), (110, "108.0")):
        watch = seen(watch, Decimal(price))
        assert watch.trigger == (None if trigger is None else Decimal(trigger))
        assert watch.fired is None
    assert seen(watch, Decimal(108)).fired is Fired.STOP


@given(
    st.sampled_from(Side),
    st.lists(st.decimals("50", "150", places=2), min_size=1, max_size=40),
    st.decimals("0.01", "0.3", places=2),
)
def test_a_trailing_stop_never_moves_away_and_fires_at_its_distance(side, prices, ratio):
    watch = Watch(ids.derived_id("x"), "BTC-USDT", side, ratio=ratio)
    best = None
    for price in prices:
        before = watch
        watch = seen(watch, price)
        best = price if best is None else (max(best, price) if side is Side.SELL else min(best, price))
        trigger = best * (1 - ratio) if side is Side.SELL else best * (1 + ratio)
        if before.fired is None:
            reached = price <= trigger if side is Side.SELL else price >= trigger
            assert (watch.fired is Fired.STOP) == reached
            assert watch.trigger == trigger
        else:
            assert watch is before
        if watch.fired:
            break


@given(st.decimals("1", "200", places=2))
def test_a_watch_survives_its_storage(price):
    watch = seen(watch_of(oco()), price)
    assert Watch.from_json(watch.to_json()) == watch


def test_after_its_take_profit_was_sent_an_oco_still_waits_for_its_stop():
    taken = after_sending(seen(watch_of(oco()), Decimal(111)), oco())
    assert (taken.stop, taken.take, taken.leg, taken.fired) == (Decimal(90), None, Fired.TAKE, None)
    stopped = after_sending(seen(taken, Decimal(89)), oco())
    assert (stopped.stop, stopped.take, stopped.leg) == (None, None, Fired.STOP)


# -- what a venue can hold -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "venue", "expected"),
    [
        (terms(), can(), Handling.DIRECT),
        (terms(type=OrderType.STOP, trigger_price=Decimal(90)), can(OrderType.STOP), Handling.DIRECT),
        (terms(type=OrderType.STOP, trigger_price=Decimal(90)), can(), Handling.HELD),
        (oco(), can(OrderType.OCO), Handling.DIRECT),
        (oco(), can(OrderType.STOP), Handling.LEGS),
        (oco(), can(), Handling.HELD),
    ],
)
def test_what_the_venue_cannot_hold_is_held_here(asked, venue, expected):
    assert handling(asked, venue) is expected


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": OrderType.LIMIT}, "limit_price_missing"),
        ({"limit_price": Decimal(1)}, "limit_price_meaningless"),
        ({"type": OrderType.STOP}, "trigger_price_missing"),
        ({"type": OrderType.TRAILING_STOP}, "trailing_ratio_missing"),
        ({"type": OrderType.OCO, "limit_price": Decimal(9), "trigger_price": Decimal(10)}, "oco_prices_crossed"),
        ({"type": OrderType.LIMIT, "limit_price": Decimal(9), "time_in_force": TimeInForce.GTD}, "good_until_missing"),
        ({"time_in_force": TimeInForce.FOK}, "time_in_force_unsupported"),
        ({"margin_mode": MarginMode.CROSS}, "margin_mode_unsupported"),
        ({"leverage": Decimal(3)}, "leverage_unsupported"),
        ({"reduce_only": True, "protection": Protection(stop_price=Decimal(9))}, "protection_meaningless"),
        (
            {
                "type": OrderType.LIMIT,
                "limit_price": Decimal(9),
                "time_in_force": TimeInForce.GTD,
                "good_until": NOW - timedelta(seconds=1),
            },
            "expired",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_code(changes, code):
    found = objection(terms(**changes), can(), NOW)
    assert found is not None
    assert found.code == code


def test_a_gtd_order_goes_out_as_gtc_where_the_venue_knows_no_end():
    asked = terms(
        type=OrderType.LIMIT,
        limit_price=Decimal(9),
        time_in_force=TimeInForce.GTD,
        good_until=NOW + timedelta(hours=1),
    )
    assert objection(asked, can(), NOW) is None
    wire = on_the_wire(asked, can(), Decimal(1), None)
    assert (wire.time_in_force, wire.good_until) == (TimeInForce.GTC, None)
    kept = on_the_wire(asked, can(times=(TimeInForce.GTC, TimeInForce.GTD)), Decimal(1), None)
    assert (kept.time_in_force, kept.good_until) == (TimeInForce.GTD, asked.good_until)


_ORDERS = st.builds(
    lambda type_, stop, take, quantity: terms(
        type=type_,
        quantity=quantity,
        limit_price=Decimal(take) if type_.priced else None,
        trigger_price=Decimal(stop) if type_.triggered else None,
        trailing_ratio=Decimal("0.1") if type_ is OrderType.TRAILING_STOP else None,
        protection=None,
    ),
    st.sampled_from(OrderType),
    st.integers(50, 99),
    st.integers(101, 150),
    st.decimals("0.001", "10", places=3),
)


@given(_ORDERS, st.frozensets(st.sampled_from(OrderType)), st.sampled_from([None, *Fired]), st.data())
def test_the_wire_asks_for_nothing_the_venue_cannot_and_for_no_more_than_the_order(asked, resting, fired, data):
    venue = can(*resting)
    how = handling(asked, venue)
    if not asked.type.triggered or (how is Handling.DIRECT and fired):
        fired = None
    elif how is Handling.HELD and fired is None:
        fired = Fired.STOP
    rest = data.draw(st.decimals("0.001", asked.quantity, places=3))
    wire = on_the_wire(asked, venue, rest, fired)
    assert wire.type in venue.resting
    assert wire.quantity == rest
    assert (wire.limit_price is not None) == wire.type.priced
    assert wire.protection is None
    assert wire.replaces is None
    count = OutboundCount(Decimal(0))
    count.admit("c", Pass("p", asked, Decimal(10_000_000)))
    count.let_out("c", wire)
    larger = wire.model_copy(update={"quantity": asked.quantity + Decimal("0.001")})
    count.admit("d", Pass("q", asked, Decimal(10_000_000)))
    with pytest.raises(OutboundBreach):
        count.let_out("d", larger)


# -- the count of exits ----------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 4), st.decimals("0", "2", places=2)), max_size=40))
def test_exits_that_were_let_out_never_exceed_the_position(moves):
    count, live = ProtectiveCount(), {}
    position = Decimal(0)
    for which, amount in moves:
        name = f"exit-{which}"
        if which == 4:
            position = amount
            count.position("BTC-USDT", amount)
        elif name in live or not amount:
            live.pop(name, None)
            count.remains(name, "BTC-USDT", Decimal(0))
        elif count.objection(name, terms(quantity=amount)) is None:
            live[name] = amount
            assert sum(live.values()) <= position


def test_an_exit_on_the_wrong_side_is_kept_back():
    count = ProtectiveCount()
    count.position("BTC-USDT", Decimal(-1))
    assert count.objection("x", terms(quantity=Decimal("0.5"))) is not None
    assert count.objection("x", terms(quantity=Decimal("0.5"), side=Side.BUY)) is None


# -- what should guard a position ------------------------------------------------------------------------------------


def bracket(name="e", opened="1", left="0", **protection) -> Bracket:
    prices = protection or {"stop_price": Decimal(90)}
    return Bracket(name, Side.BUY, Protection(**prices), Decimal(opened), Decimal(left), None, Decimal(100))


def live(name, exit_, rest, settled=True) -> LiveExit:
    return LiveExit(name, exit_, Decimal(rest), settled)


def test_a_partly_filled_entry_gets_an_exit_for_what_has_filled_and_more_for_what_follows():
    first = plan(Decimal("0.3"), Decimal(0), [bracket(opened="0.3")], [], BTC, None)
    assert first.place == ((Exit("e", Decimal("90"), None), Decimal("0.3")),)
    own = live("x", Exit("e", Decimal("90"), None), "0.3")
    more = plan(Decimal("0.5"), Decimal(0), [bracket(opened="0.5")], [own], BTC, None)
    assert more.cancel == ()
    assert [quantity for _, quantity in more.place] == [Decimal("0.2")]


def test_a_stop_with_a_take_profit_is_one_order_and_what_it_trades_shrinks_both():
    both = bracket(stop_price=Decimal(90), take_profit_price=Decimal(120))
    ((wish, quantity),) = plan(Decimal(1), Decimal(0), [both], [], BTC, None).place
    assert (wish.type, wish.stop, wish.take, quantity) == (OrderType.OCO, Decimal(90), Decimal(120), Decimal(1))
    halfway = plan(
        Decimal("0.6"),
        Decimal(0),
        [bracket(left="0.4", stop_price=Decimal(90), take_profit_price=Decimal(120))],
        [live("x", wish, "0.6")],
        BTC,
        None,
    )
    assert (halfway.cancel, halfway.place) == ((), ())


def test_what_is_leaving_is_not_guarded_so_that_it_can_leave():
    own = live("x", Exit("e", Decimal("90"), None), "1")
    room = plan(Decimal(1), Decimal("0.4"), [bracket()], [own], BTC, None)
    assert room.cancel == ("x",)
    after = plan(Decimal(1), Decimal("0.4"), [bracket()], [], BTC, None)
    assert [quantity for _, quantity in after.place] == [Decimal("0.6")]


@pytest.mark.parametrize(
    ("changes", "spare", "taken"),
    [
        ({}, "0", "0.4"),  # what rests has the money locked
        ({}, "0.3", "0.1"),  # unless there is more of it than the position
        ({"reduce_only": True}, "5", "0.4"),  # but with an exit beside it a reduction would sell the position twice
        ({"type": OrderType.MARKET, "limit_price": None}, "5", "0.4"),
        ({"side": Side.BUY}, "0", "0"),
    ],
)
def test_what_leaves_a_position_is_what_no_exit_may_sell_as_well(changes, spare, taken):
    rests = terms(**{"type": OrderType.LIMIT, "limit_price": Decimal(110), "quantity": Decimal("0.4")} | changes)
    order = OrderRecord(
        client_order_id=ids.client_order_id(rests.order_id),
        venue_client_id=ids.client_order_id(rests.order_id),
        approval_id=ids.derived_id("approval"),
        notional=Decimal(100),
        expires_at=NOW,
        origin=OrderOrigin(source=OrderSource.STRATEGY, strategy="s"),
        state=Open(rests, "v-1"),
        revision=1,
        created_at=NOW,
        submitted_at=NOW,
    )
    assert leaving((order,), (), Decimal(1), Decimal(spare), locks=True) == Decimal(taken)


def test_a_required_stop_covers_what_no_entry_brought_exits_for():
    policy = ProtectionPolicy(required=True)
    spare = spare_exit(Decimal("1.5"), Decimal(100), BTC, policy)
    asked = plan(Decimal("1.5"), Decimal(0), [bracket()], [], BTC, spare)
    assert {wish.entry_id: quantity for wish, quantity in asked.place} == {"e": Decimal(1), None: Decimal("0.5")}
    assert spare.stop == Decimal("95")


def test_what_the_venue_takes_in_no_order_is_dust():
    asked = plan(Decimal("0.01"), Decimal(0), [bracket(opened="0.01")], [], BTC, None)
    assert asked.place == ()
    assert asked.dust == Decimal("0.01")


def test_what_is_worth_an_order_only_at_the_trigger_goes_into_one_with_the_rest():
    """Placed by itself it would bear a limit under its trigger, and the venue would refuse it again and again."""
    own = live("x", Exit("e", Decimal("100"), None), "1")
    whole = bracket(opened="1.052", stop_price=Decimal(100))
    asked = plan(Decimal("1.052"), Decimal(0), [whole], [own], BTC, None)
    assert (asked.cancel, asked.place) == (("x",), ())
    anew = plan(Decimal("1.052"), Decimal(0), [whole], [], BTC, None)
    assert [quantity for _, quantity in anew.place] == [Decimal("1.052")]
    alone = plan(Decimal("0.052"), Decimal(0), [bracket(opened="0.052", stop_price=Decimal(100))], [], BTC, None)
    assert [quantity for _, quantity in alone.place] == [Decimal("0.052")]  # what stands alone is guarded all the same


def test_a_trailing_stop_moves_only_by_steps_worth_an_order():
    trailing = Bracket(
        "e", Side.BUY, Protection(trailing_ratio=Decimal("0.1")), Decimal(1), Decimal(0), Decimal(200), Decimal(100)
    )
    assert exit_of(trailing, BTC, None).stop == Decimal(180)
    near = live("x", Exit("e", Decimal("179"), None), "1")
    far = live("x", Exit("e", Decimal("177"), None), "1")
    assert plan(Decimal(1), Decimal(0), [trailing], [near], BTC, None).cancel == ()
    assert plan(Decimal(1), Decimal(0), [trailing], [far], BTC, None).cancel == ("x",)


_QUANTITIES = st.decimals("0", "3", places=5)


@given(
    st.decimals("-3", "3", places=5),
    st.lists(st.tuples(_QUANTITIES, _QUANTITIES), max_size=4),
    st.lists(st.tuples(st.integers(0, 4), _QUANTITIES, st.booleans()), max_size=5),
    _QUANTITIES,
    st.booleans(),
)
def test_exits_never_add_up_to_more_than_the_position(position, entries, exits, leaving, required):
    side = Side.BUY if position >= 0 else Side.SELL
    stop = Decimal(90) if side is Side.BUY else Decimal(110)
    brackets = [
        Bracket(f"e{number}", side, Protection(stop_price=stop), opened, left, None, Decimal(100))
        for number, (opened, left) in enumerate(entries)
    ]
    cuts = reductions(brackets, position)
    brackets = [replace(one, left=one.left + cuts.get(one.entry_id, Decimal(0))) for one in brackets]
    assert sum((b.open for b in brackets), Decimal(0)) <= abs(position)
    policy = ProtectionPolicy(required=True)
    spare = spare_exit(position, Decimal(100), BTC, policy) if required else None
    living = {}
    for number, (entry, rest, settled) in enumerate(exits):
        name = None if entry == 4 else f"e{entry}"
        wish = spare if name is None and spare else Exit(name, stop, None)
        if rest:
            living[f"x{number}"] = live(f"x{number}", Exit(name, wish.stop, wish.take), rest, settled)
    held = max(abs(position) - leaving, Decimal(0))
    total, made = Decimal(0), 0
    for _ in range(20):
        asked = plan(position, leaving, brackets, list(living.values()), BTC, spare)
        assert not (asked.cancel and asked.place)
        for order_id in asked.cancel:
            assert living.pop(order_id).settled
        for wish, quantity in asked.place:
            assert sellable(BTC, quantity, wish.stop) == quantity
            made += 1
            living[f"new{made}"] = live(f"new{made}", wish, quantity)
        total = sum((one.rest for one in living.values() if one.settled), Decimal(0))
        if not asked.cancel and not asked.place:
            break
    else:
        raise AssertionError("it never comes to rest")
    unknown = sum((one.rest for one in living.values() if not one.settled), Decimal(0))
    assert total + unknown <= max(held, unknown)
    if required and not unknown:
        assert held - total < Decimal("0.06")  # less than the least notional at the stop's price

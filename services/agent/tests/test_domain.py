"""Instances, own orders, plans and situations, without a server."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_agent.domain.own_orders import OwnOrder
from algotrendy_agent.domain.plan import Nothing, Proposal, Surroundings, changed_mind, order_id_of, plan
from algotrendy_agent.domain.situations import WINDOW, features
from algotrendy_agent.settings import DEMO, AgentSettings, StrategySeed
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import OrderStatus, Side, StrategyStatus, Timeframe
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderFilled, OrderOrigin, OrderRefused, OrderUpdated
from algotrendy_common.ids import client_order_id
from algotrendy_common.settings import PlatformSettings
from algotrendy_core.bars import Bar
from algotrendy_core.strategies.registry import parameters_of, strategy_named
from algotrendy_core.strategies.running import StrategyRun
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError


@pytest.fixture
def around(making) -> Surroundings:
    return Surroundings(Decimal(100), Decimal(100_000), making.instrument, Decimal("0.01"))


@pytest.fixture
def events(making) -> EventFactory:
    return EventFactory("test", ManualClock(making.BEGINNING))


def planned(instance, target, around, making, minute=0):
    time = making.BEGINNING + minute * making.MINUTE
    return plan(instance, Decimal(target), bar_time=time, around=around, now=time)


def proposal(instance, target, around, making, minute=0) -> Proposal:
    made = planned(instance, target, around, making, minute)
    assert isinstance(made, Proposal)
    return made


def fill(events, terms, quantity) -> OrderFilled:
    return events.make(
        OrderFilled, order_id=terms.order_id, client_order_id=client_order_id(terms.order_id), account=terms.account,
        venue=terms.venue, symbol=terms.symbol, trade_id="1", side=terms.side, price=Decimal(100),
        quantity=Decimal(quantity), fee=Decimal(0), fee_currency="USDT", liquidity="taker", strategy=None,
    )  # fmt: skip


def update(events, making, terms, status, revision, filled="0") -> OrderUpdated:
    return events.make(
        OrderUpdated, revision=revision, terms=terms, origin=OrderOrigin(source="strategy"),
        client_order_id=client_order_id(terms.order_id), venue_order_id=None, status=status,
        filled_quantity=Decimal(filled), average_price=None, fee=Decimal(0), fee_currency=None, reason_code=None,
        reason_message="why", created_at=making.BEGINNING, submitted_at=None,
    )  # fmt: skip


# ── plans ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_target_becomes_an_order_for_its_share_of_the_equity(instance, around, making):
    made = proposal(instance, "1", around, making)
    assert (made.terms.side, made.terms.quantity) == (Side.BUY, Decimal(495))
    assert made.terms.order_id == made.order.order_id == order_id_of("cross", "BTC-USDT", making.BEGINNING)
    assert proposal(instance, "0.5", around, making).terms.quantity == Decimal("247.5")


def test_each_bar_and_strategy_has_ids_of_its_own(making):
    ids = {
        order_id_of(strategy, symbol, making.BEGINNING + minute * making.MINUTE)
        for strategy in ("a", "b")
        for symbol in ("BTC-USDT", "LTC-USDT")
        for minute in range(100)
    }
    assert len(ids) == 400


def test_a_held_target_or_an_order_under_way_proposes_nothing(instance, around, making):
    assert planned(instance, "0", around, making) == Nothing("", at_target=True)
    order = proposal(instance, "1", around, making).order
    busy = planned(replace(instance, order=order), "0.5", around, making, 1)
    assert busy == Nothing("an order is proposed")


@pytest.mark.parametrize(
    ("unknown", "detail"),
    [
        ({"equity": None}, "the account's equity is not known yet"),
        ({"instrument": None}, "nothing is known of BTC-USDT on binance yet"),
        ({"equity": Decimal(5)}, "no order: below minimum notional: 2.475 against 5"),
    ],
)
def test_what_is_not_known_or_too_small_is_told(instance, around, making, unknown, detail):
    assert planned(instance, "1", replace(around, **unknown), making) == Nothing(detail)


def test_a_paused_strategy_only_reduces(instance, around, making):
    paused = instance.paused("tom")
    assert planned(paused, "1", around, making) == Nothing("paused: an entry was held back")
    holding = replace(paused, held_target=Decimal(1), position=replace(paused.position, quantity=Decimal(495)))
    made = proposal(holding, "0", around, making)
    assert (made.terms.side, made.terms.quantity, made.terms.reduce_only) == (Side.SELL, Decimal(495), True)


def test_a_signal_is_a_change_of_mind(instance, making):
    assert changed_mind(instance, Decimal(0))


# ── what becomes of orders ──────────────────────────────────────────────────────────────────────────────────────


def test_a_filled_order_is_held_once_its_fills_are_counted(instance, around, making, events):
    made = proposal(instance, "1", around, making)
    waiting = replace(instance, order=made.order)
    told = waiting.with_update(update(events, making, made.terms, OrderStatus.FILLED, 5, "495"), made.order)
    assert told.order is not None
    assert told.held_target == 0
    done = told.with_fill(fill(events, made.terms, "495"), told.order)
    assert done.order is None
    assert done.held_target == 1
    assert done.position.quantity == 495


@pytest.mark.parametrize("status", [OrderStatus.CANCELLED, OrderStatus.REJECTED])
def test_an_order_that_ends_unfilled_leaves_the_target_and_half_filled_leaves_none(
    instance, around, making, events, status
):
    made = proposal(instance, "1", around, making)
    waiting = replace(instance, order=made.order)
    unfilled = waiting.with_update(update(events, making, made.terms, status, 5), made.order)
    assert (unfilled.order, unfilled.held_target) == (None, Decimal(0))
    assert unfilled.status_detail == f"order {status.value}: why"
    half = waiting.with_fill(fill(events, made.terms, "200"), made.order)
    assert half.order is not None
    ended = half.with_update(update(events, making, made.terms, status, 5, "200"), half.order)
    assert (ended.order, ended.held_target) == (None, None)
    assert proposal(ended, "0", around, making, 1).terms.quantity == 200


@pytest.mark.parametrize("status", [OrderStatus.LOST, OrderStatus.OUTCOME_UNKNOWN, OrderStatus.OPEN])
def test_an_order_that_is_not_over_keeps_the_strategy_waiting(instance, around, making, events, status):
    made = proposal(instance, "1", around, making)
    waiting = replace(instance, order=made.order)
    told = waiting.with_update(update(events, making, made.terms, status, 5), made.order)
    assert planned(told, "0.5", around, making, 1) == Nothing(f"an order is {status.value}")


def test_an_older_update_changes_nothing(instance, around, making, events):
    made = proposal(instance, "1", around, making)
    order = replace(made.order, revision=5, status=OrderStatus.OPEN)
    waiting = replace(instance, order=order)
    assert waiting.with_update(update(events, making, made.terms, OrderStatus.SUBMITTING, 4), order) is waiting


def test_a_refusal_frees_the_strategy_and_is_told(instance, around, making, events):
    made = proposal(instance, "1", around, making)
    refused = events.make(
        OrderRefused, terms=made.terms, origin=OrderOrigin(source="strategy"), code="feed_down", message="down"
    )
    free = replace(instance, order=made.order).with_refusal(refused, made.order)
    assert (free.order, free.held_target, free.status_detail) == (None, Decimal(0), "order refused: feed_down")


def test_an_order_too_large_for_the_venue_is_not_the_target(instance, around, making, events):
    small = around.instrument.model_copy(update={"max_quantity": Decimal(100)})
    made = proposal(instance, "1", replace(around, instrument=small), making)
    assert made.terms.quantity == 100
    done = replace(instance, order=made.order).with_fill(fill(events, made.terms, "100"), made.order)
    done = done.with_update(update(events, making, made.terms, OrderStatus.FILLED, 5, "100"), done.order)
    assert done.held_target is None
    assert proposal(done, "1", around, making, 1).terms.quantity == 395


def test_a_late_word_on_an_older_order_leaves_the_newer_one(instance, around, making, events):
    older, newer = (proposal(instance, "1", around, making, minute) for minute in (0, 1))
    waiting = replace(instance, order=newer.order)
    late = waiting.with_fill(fill(events, older.terms, "5"), older.order)
    assert late.order is newer.order
    assert (late.position.quantity, late.held_target) == (Decimal(5), None)


# ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_stopping_says_what_is_kept_and_a_failed_one_begins_without_its_state(instance):
    held = replace(instance, position=replace(instance.position, quantity=Decimal("0.5")), state={"some": "state"})
    assert held.stopped("tom").status_detail == "stopped by tom; its position of 0.5 BTC is kept"
    assert instance.stopped("tom").status_detail == "stopped by tom"
    assert held.stopped("tom").started("ada").state == {"some": "state"}
    failed = held.failed("ZeroDivisionError: x")
    assert (failed.status, failed.active) == (StrategyStatus.FAILED, False)
    assert failed.started("ada").state is None


# ── state over a restart ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["sma_cross", "rsi_reversion", "momentum"])
@given(closes=st.lists(st.integers(1, 10_000), min_size=60, max_size=90), cut=st.integers(0, 60))
def test_a_state_saved_and_restored_decides_bit_for_bit_as_if_never_stopped(kind, closes, cut):
    strategy = strategy_named(kind)
    parameters = parameters_of(strategy, {})
    whole, first = StrategyRun(strategy, parameters), StrategyRun(strategy, parameters)
    second = StrategyRun(strategy, parameters)
    for minute, close in enumerate(closes):
        price = Decimal(close) / 7
        time = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
        bar = Bar(Timeframe.M1, time, price, price, price, price, Decimal(1), Decimal(1), 1, True)
        if minute == cut:
            second.restore(json.loads(json.dumps(first.save())))
        run = first if minute < cut else second
        assert whole.on_bar(bar) == run.on_bar(bar)
    if len(closes) > cut:
        assert json.dumps(whole.save()) == json.dumps(second.save())


# ── situations ──────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.floats(1, 1e6), min_size=WINDOW + 1, max_size=WINDOW + 5), st.floats(0.01, 100))
def test_features_have_length_one_whatever_the_price_level(closes, scale):
    vector = features(closes)
    if vector is None:
        assert len(set(closes[-WINDOW - 1 :])) == 1
        return
    assert abs(sum(value * value for value in vector) - 1) < 1e-9
    scaled = features([close * scale for close in closes])
    if scaled is not None:
        assert (
            sum(a * b for a, b in zip(vector, scaled, strict=True)) == pytest.approx(1, abs=1e-3)
            or max(closes[-WINDOW - 1 :]) / min(closes[-WINDOW - 1 :]) < 1 + 1e-9
        )


def test_too_few_closes_have_no_features():
    assert features([1.0] * WINDOW) is None
    assert features([1.0] * (WINDOW + 1)) is None


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_demo_s_strategies_can_be_run():
    assert [seed.strategy for seed in DEMO if seed.status is StrategyStatus.RUNNING] == ["sma-cross-btc"]
    assert {seed.kind for seed in DEMO} >= {"sma_cross", "rsi_reversion", "momentum", "grid", "dca"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": {"fast": 0}}, "fast"),
        ({"capital_share": "2"}, "less than"),
    ],
)
def test_a_strategy_that_cannot_be_run_is_refused_at_the_start(change, message):
    with pytest.raises(ValidationError, match=message):
        StrategySeed.model_validate(DEMO[0].model_dump() | change)


def test_a_strategy_without_a_file_is_refused_at_the_start_and_a_folder_must_be_there(tmp_path):
    own = DEMO[0].model_copy(update={"kind": "my_own"})
    given = {"platform": PlatformSettings()}
    with pytest.raises(ValidationError, match="no strategy my_own"):
        AgentSettings.model_validate(given | {"strategies": (own,)})
    with pytest.raises(ValidationError, match="is not a folder"):
        AgentSettings.model_validate(given | {"user_strategies": tmp_path / "nowhere"})
    assert AgentSettings.model_validate(given | {"strategies": (own,), "user_strategies": tmp_path}).strategies == (
        own,
    )


def test_an_own_order_is_settled_by_its_status_and_its_fills(making):
    order = OwnOrder("1" * 32, making.BEGINNING, Decimal(1), False, making.BEGINNING)
    assert not order.settled
    assert order.refused().settled
    ended = replace(order, status=OrderStatus.CANCELLED, reported_filled=Decimal(2))
    assert not ended.settled
    assert ended.with_fill(Decimal(2)).settled
    assert ended.refused() is ended

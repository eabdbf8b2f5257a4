from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_core.matching import Matched, MatchingEngine, NewOrder, OrderRefused, RefusalReason, Trade
from hypothesis import given, settings
from hypothesis import strategies as st

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


def limit(
    order_id: str,
    side: Side,
    quantity: int,
    price: int,
    time_in_force: TimeInForce = TimeInForce.GTC,
    account: str = "maker",
) -> NewOrder:
    return NewOrder(order_id, account, side, OrderType.LIMIT, Decimal(quantity), Decimal(price), time_in_force)


def market(order_id: str, side: Side, quantity: int) -> NewOrder:
    return NewOrder(order_id, "taker", side, OrderType.MARKET, Decimal(quantity))


def matched(outcome: Matched | OrderRefused) -> Matched:
    assert isinstance(outcome, Matched)
    return outcome


@pytest.fixture
def engine() -> MatchingEngine:
    """Asks: 2 at 101 from ``a`` and 3 from ``b``, 5 at 102 from ``c``."""
    engine = MatchingEngine()
    for order_id, quantity, price in (("a", 2, 101), ("b", 3, 101), ("c", 5, 102)):
        engine.submit(limit(order_id, Side.SELL, quantity, price), NOON)
    return engine


def test_a_market_order_walks_the_levels_oldest_first(engine: MatchingEngine) -> None:
    outcome = matched(engine.submit(market("m", Side.BUY, 7), NOON))
    assert [(trade.maker_order_id, trade.price, trade.quantity) for trade in outcome.trades] == [
        ("a", Decimal(101), Decimal(2)),
        ("b", Decimal(101), Decimal(3)),
        ("c", Decimal(102), Decimal(2)),
    ]
    assert outcome.trades[0] == Trade(1, NOON, Decimal(101), Decimal(2), Side.BUY, "m", "taker", "a", "maker")
    assert (outcome.remaining, outcome.rests) == (0, False)


def test_a_market_order_gives_up_what_the_book_cannot_fill(engine: MatchingEngine) -> None:
    outcome = matched(engine.submit(market("m", Side.BUY, 11), NOON))
    assert (outcome.remaining, outcome.rests, len(engine.book)) == (1, False, 0)


def test_a_limit_order_takes_within_its_limit_and_rests_the_rest(engine: MatchingEngine) -> None:
    outcome = matched(engine.submit(limit("l", Side.BUY, 8, 101), NOON))
    assert sum(trade.quantity for trade in outcome.trades) == 5
    assert (outcome.remaining, outcome.rests) == (3, True)
    assert engine.book.levels(Side.BUY) == [(Decimal(101), Decimal(3))]


def test_immediate_or_cancel_never_rests(engine: MatchingEngine) -> None:
    outcome = matched(engine.submit(limit("i", Side.BUY, 8, 101, TimeInForce.IOC), NOON))
    assert (outcome.remaining, outcome.rests, engine.book.best(Side.BUY)) == (3, False, None)


def test_fill_or_kill_is_all_or_nothing(engine: MatchingEngine) -> None:
    killed = matched(engine.submit(limit("f", Side.BUY, 6, 101, TimeInForce.FOK), NOON))
    assert (killed.trades, killed.remaining, killed.rests) == ((), 6, False)
    filled = matched(engine.submit(limit("g", Side.BUY, 5, 101, TimeInForce.FOK), NOON))
    assert (len(filled.trades), filled.remaining) == (2, 0)


def test_post_only_is_refused_where_it_would_take(engine: MatchingEngine) -> None:
    refused = engine.submit(limit("p", Side.BUY, 1, 101, TimeInForce.POST_ONLY), NOON)
    assert refused == OrderRefused(RefusalReason.WOULD_TAKE, Decimal(101), Decimal(101))
    assert matched(engine.submit(limit("q", Side.BUY, 1, 100, TimeInForce.POST_ONLY), NOON)).rests


def test_a_cancelled_order_cannot_be_filled(engine: MatchingEngine) -> None:
    cancelled = engine.cancel("a")
    assert cancelled is not None
    assert cancelled.remaining == 2
    assert engine.cancel("a") is None
    assert matched(engine.submit(market("m", Side.BUY, 1), NOON)).trades[0].maker_order_id == "b"


def test_walking_shows_what_would_be_taken_and_takes_nothing(engine: MatchingEngine) -> None:
    before = engine.book.sequence
    assert list(engine.walk(Side.BUY, Decimal(101))) == [(Decimal(101), Decimal(5))]
    assert list(engine.walk(Side.BUY)) == [(Decimal(101), Decimal(5)), (Decimal(102), Decimal(5))]
    assert engine.book.sequence == before


def test_orders_that_make_no_sense_cannot_be_made(engine: MatchingEngine) -> None:
    with pytest.raises(ValueError, match="above zero"):
        limit("x", Side.BUY, 0, 1)
    with pytest.raises(ValueError, match="limit price"):
        replace(market("x", Side.BUY, 1), limit_price=Decimal(1))
    with pytest.raises(ValueError, match="post-only"):
        replace(market("x", Side.BUY, 1), time_in_force=TimeInForce.POST_ONLY)
    with pytest.raises(ValueError, match="rests already"):
        engine.submit(limit("a", Side.SELL, 1, 200), NOON)


accounts = st.sampled_from(["ann", "bob", "cat"])
new_orders = st.lists(
    st.tuples(
        accounts, st.sampled_from(Side), st.integers(1, 9), st.integers(95, 105), st.sampled_from([*TimeInForce, None])
    ),
    max_size=60,
)


def made(number: int, step: tuple[str, Side, int, int, TimeInForce | None]) -> NewOrder:
    account, side, quantity, price, time_in_force = step
    if time_in_force is None:
        return NewOrder(str(number), account, side, OrderType.MARKET, Decimal(quantity))
    return limit(str(number), side, quantity, price, time_in_force, account)


@settings(max_examples=200)
@given(new_orders)
def test_properties_of_any_sequence_of_orders(steps: list[tuple[str, Side, int, int, TimeInForce | None]]) -> None:
    engine = MatchingEngine()
    submitted: dict[str, NewOrder] = {}
    traded: dict[str, Decimal] = {}
    cash = {name: Decimal(0) for name in ("ann", "bob", "cat")}
    assets = dict(cash)
    sequences: list[int] = []
    for number, step in enumerate(steps):
        order = made(number, step)
        queue = [resting.order_id for resting in engine.book.orders(order.side.opposite)]
        outcome = engine.submit(order, NOON)
        if isinstance(outcome, OrderRefused):
            assert not any(resting.order_id == order.order_id for resting in engine.book.orders(order.side))
            continue
        submitted[order.order_id] = order
        # Price-time priority: makers are met in the order of the queue, none is passed over.
        assert [trade.maker_order_id for trade in outcome.trades] == queue[: len(outcome.trades)]
        for trade in outcome.trades:
            maker = submitted[trade.maker_order_id]
            assert trade.price == maker.limit_price
            if order.limit_price is not None:
                assert trade.price <= order.limit_price if order.side is Side.BUY else trade.price >= order.limit_price
            for order_id in (trade.maker_order_id, trade.taker_order_id):
                traded[order_id] = traded.get(order_id, Decimal(0)) + trade.quantity
            buyer, seller = trade.taker_account, trade.maker_account
            if trade.taker_side is Side.SELL:
                buyer, seller = seller, buyer
            cash[buyer] -= trade.price * trade.quantity
            cash[seller] += trade.price * trade.quantity
            assets[buyer] += trade.quantity
            assets[seller] -= trade.quantity
            sequences.append(trade.sequence)
        # Conservation of quantity: traded, resting and given up add to what was asked.
        assert sum(trade.quantity for trade in outcome.trades) + outcome.remaining == order.quantity
        resting_now = engine.book.get(order.order_id)
        assert (resting_now.remaining if resting_now else Decimal(0)) == (outcome.remaining if outcome.rests else 0)
        # Never crossed.
        bid, ask = engine.book.best(Side.BUY), engine.book.best(Side.SELL)
        assert bid is None or ask is None or bid < ask
    for side in Side:
        for entry in engine.book.orders(side):
            assert entry.remaining + traded.get(entry.order_id, Decimal(0)) == submitted[entry.order_id].quantity
    assert sum(cash.values()) == 0
    assert sum(assets.values()) == 0
    assert sequences == list(range(1, len(sequences) + 1))


@given(new_orders)
def test_the_same_orders_make_the_same_trades(steps: list[tuple[str, Side, int, int, TimeInForce | None]]) -> None:
    first, second = MatchingEngine(), MatchingEngine()
    for number, step in enumerate(steps):
        assert first.submit(made(number, step), NOON) == second.submit(made(number, step), NOON)
    assert first.book.levels(Side.BUY) == second.book.levels(Side.BUY)

"""The pure parts: the board, orders as they become known, tickets, latencies, overviews."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import FeedState, Mode, OrderSource, OrderStatus, OrderType, Side, TimeInForce
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.events.ops import ServiceHealthChanged
from algotrendy_common.events.order import OrderApproved, OrderOrigin, OrderProposed, OrderRefused, OrderTerms
from algotrendy_common.events.risk import RiskStateChanged, TradingState
from algotrendy_common.ids import new_id
from algotrendy_common.rpc.broker_gateway import AccountInfo
from algotrendy_gateway.domain.accounts import Account, most_restrictive
from algotrendy_gateway.domain.board import SILENCE, Board
from algotrendy_gateway.domain.latency import Latency
from algotrendy_gateway.domain.market import Instrument
from algotrendy_gateway.domain.order_list import OrderList
from algotrendy_gateway.domain.overview import overview_change, platform_mode, trading_state
from algotrendy_gateway.domain.shape import ratio
from algotrendy_gateway.domain.ticket import faults
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ORIGIN = OrderOrigin(source=OrderSource.TRADER, user="tom")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def events(clock) -> EventFactory:
    return EventFactory("test", clock)


def terms(**changes) -> OrderTerms:
    fields = {
        "order_id": "a" * 32, "account": "paper-1", "venue": "binance", "symbol": "BTC-USDT", "side": Side.BUY,
        "type": OrderType.LIMIT, "quantity": Decimal("0.1"), "limit_price": Decimal("29000"),
    }  # fmt: skip
    return OrderTerms(**(fields | changes))


# -- orders ------------------------------------------------------------------------------------------------------------


def words_on_an_order(events, clock):
    """What is said of one order, in the order in which it is said."""
    proposed = events.make(OrderProposed, terms=terms(), origin=ORIGIN)
    clock.advance(timedelta(milliseconds=5))
    approved = events.make(
        OrderApproved, terms=terms(), origin=ORIGIN, approval_id=new_id(), notional=Decimal(1), expires_at=NOW,
        signature="",
    )  # fmt: skip
    return proposed, approved


def test_whatever_the_order_of_arrival_the_last_word_stands(events, clock):
    proposed, approved = words_on_an_order(events, clock)
    in_turn, reversed_ = OrderList(), OrderList()
    assert in_turn.take(proposed).status is OrderStatus.PROPOSED
    assert in_turn.take(approved).status is OrderStatus.APPROVED
    assert in_turn.get("a" * 32).created_at == NOW
    reversed_.take(approved)
    assert reversed_.take(proposed) is None
    assert reversed_.get("a" * 32).status is OrderStatus.APPROVED
    assert in_turn.take(approved) is None, "said twice, it is no news"


def test_orders_that_ended_are_forgotten_first_and_open_ones_never(events):
    orders = OrderList()
    orders.take(events.make(OrderProposed, terms=terms(order_id="b" * 32), origin=ORIGIN))
    for number in range(2500):
        refusal = events.make(
            OrderRefused, terms=terms(order_id=f"{number:032x}"), origin=ORIGIN, code="c", message="m"
        )
        orders.take(refusal)
    assert orders.get("b" * 32) is not None
    assert orders.get(f"{0:032x}") is None
    assert orders.get(f"{2499:032x}") is not None
    assert [order.order_id for order in orders.open("paper-1")] == ["b" * 32]


# -- the board ---------------------------------------------------------------------------------------------------------


def quote(events, bid: str) -> QuoteChanged:
    fields = {"bid": bid, "bid_quantity": "1", "ask": "31000", "ask_quantity": "1"}
    return events.make(
        QuoteChanged, venue="binance", symbol="BTC-USDT", **{name: Decimal(value) for name, value in fields.items()}
    )


def test_an_older_quote_changes_nothing(events, clock):
    board = Board()
    old = quote(events, "30000")
    clock.advance(timedelta(milliseconds=1))
    assert board.take_quote(quote(events, "30001")).bid == Decimal(30001)
    assert board.take_quote(old) is None


def test_the_last_price_comes_from_the_tape_or_from_who_was_asked(events, clock):
    board = Board()
    assert board.take_quote(quote(events, "1"), last=Decimal(5)).last == 5
    clock.advance(timedelta(seconds=1))
    assert board.take_quote(quote(events, "2")).last == 5
    printed = events.make(
        TradePrinted, venue="binance", symbol="BTC-USDT", trade_id="1", price=Decimal(7), quantity=Decimal(1),
        side=Side.BUY,
    )  # fmt: skip
    board.take_trade(printed)
    clock.advance(timedelta(seconds=1))
    assert board.take_quote(quote(events, "3"), last=Decimal(5)).last == 7


def test_a_feed_nobody_speaks_for_is_down(events, clock):
    board = Board()
    said = events.make(
        FeedHealthChanged, venue="binance", state=FeedState.LIVE, latency_ms=1.0, last_message_at=NOW,
        stale_symbols=(), gaps=0, reconnects=0, replay=False,
    )  # fmt: skip
    assert board.take_feed(said, clock.now()).state is FeedState.LIVE
    [later] = board.feeds(clock.now() + SILENCE)
    assert (later.state, later.latency_ms) == (FeedState.DOWN, None)


def risk_state(events, state: TradingState) -> RiskStateChanged:
    return events.make(
        RiskStateChanged, account="paper-1", revision=1, trading_state=state, halted_by=None, halted_reason=None,
        halted_since=None, quote_currency="USDT", equity=None, cash=None, day_pnl=None, day_realised=Decimal(0),
        day_unrealised=None, day_fees=Decimal(0), exposure_gross=None, exposure_reserved=Decimal(0),
        drawdown_ratio=None, limits=(),
    )  # fmt: skip


def heartbeat(events, service: str) -> ServiceHealthChanged:
    return events.make(ServiceHealthChanged, service=service, ready=True, detail="", started_at=NOW, version="1")


def test_when_risk_falls_silent_nobody_knows_whether_trading_goes_on(events, clock):
    board = Board()
    assert trading_state(board, "paper-1", NOW) is None
    board.take_risk(risk_state(events, TradingState.ACTIVE))
    assert trading_state(board, "paper-1", clock.now()) is TradingState.ACTIVE
    clock.advance(SILENCE * 2)
    assert trading_state(board, "paper-1", clock.now()) is None
    board.take_heartbeat(heartbeat(events, "risk"))
    assert trading_state(board, "paper-1", clock.now()) is TradingState.ACTIVE
    assert "risk" not in overview_change(board, "paper-1", clock.now()).missing


def test_one_live_account_makes_the_platform_live():
    board = Board()
    assert platform_mode(board) is None
    for name, mode in (("paper-1", Mode.PAPER), ("live-1", Mode.LIVE)):
        board.accounts[name] = Account.of(AccountInfo(account=name, venue="binance", mode=mode, quote_currency="USDT"))
    assert platform_mode(board) is Mode.LIVE


def test_the_most_restrictive_state_speaks_for_all():
    assert most_restrictive({}) is TradingState.HALTED
    states = {"a": TradingState.ACTIVE, "b": TradingState.RECONCILING}
    assert most_restrictive(states) is TradingState.RECONCILING
    assert most_restrictive(states | {"c": TradingState.HALTED}) is TradingState.HALTED


def test_ratios():
    assert ratio(Decimal(1), Decimal(3)) == Decimal("0.333333")
    assert ratio(Decimal(1), Decimal(0)) is None


def test_latency_is_the_median_of_the_last_minute():
    latency = Latency()
    assert latency.median_ms(NOW) is None
    for second, milliseconds in enumerate((1, 2, 9)):
        at = NOW + timedelta(seconds=second)
        latency.add(at - timedelta(milliseconds=milliseconds), at)
    assert latency.median_ms(NOW + timedelta(seconds=2)) == 2
    latency.add(NOW, NOW + timedelta(seconds=2, milliseconds=50))
    assert latency.median_ms(NOW + timedelta(seconds=3)) == 2, "one that close to the last adds nothing"
    assert latency.median_ms(NOW + timedelta(minutes=2)) is None


# -- tickets -----------------------------------------------------------------------------------------------------------

BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.0001"), min_notional=Decimal(5),
    maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"quantity": Decimal("0.000105")}, "quantity", "multiple of 0.00001"),
        ({"quantity": Decimal("0.00001")}, "quantity", "at least 0.0001"),
        ({"quantity": Decimal("0.0001"), "limit_price": Decimal(100)}, "quantity", "minimum of 5"),
        ({"limit_price": Decimal("0.001")}, "limit_price", "multiple of 0.01"),
        ({"limit_price": None}, "limit_price", "needs it"),
        ({"type": OrderType.MARKET}, "limit_price", "has none"),
        (
            {"type": OrderType.MARKET, "limit_price": None, "time_in_force": TimeInForce.POST_ONLY},
            "time_in_force",
            "post-only",
        ),
    ],
)
def test_a_ticket_is_told_what_the_instrument_forbids(changes, field, words):
    assert words in faults(terms(**changes), BTC, Decimal(30000))[field]


@given(st.integers(10, 10**9), st.integers(1, 10**8))
def test_whole_steps_above_the_minimum_are_never_at_fault(quantity: int, price: int):
    asked = terms(quantity=quantity * BTC.quantity_step, limit_price=price * BTC.price_step)
    found = faults(asked, BTC, None)
    assert bool(found) == (asked.quantity * asked.limit_price < BTC.min_notional)


def test_a_market_order_without_a_quote_is_risks_to_judge():
    assert faults(terms(type=OrderType.MARKET, limit_price=None), BTC, None) == {}

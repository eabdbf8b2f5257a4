"""Orders that wait for a price, pairs, and orders with an end, over the exchange alone."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from algotrendy_common.clock import ManualClock, from_ms, to_ms
from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.errors import Refused
from algotrendy_core.matching import MatchingEngine, NewOrder
from algotrendy_simulator.accounts import Account
from algotrendy_simulator.candles import CandleHistory, TapeCandle
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import Execution, OrderChanged, VenueEvent
from algotrendy_simulator.listings import PACKAGED, read_listings
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Order, OrderRequest, VenueStatus
from algotrendy_simulator.simulation import OrderIds
from hypothesis import given, settings
from hypothesis import strategies as st

BTC = read_listings(PACKAGED)[0].instrument
D = Decimal


class Floor:
    """One user with 10 BTC and 10,000 USDT, and a maker who moves the price; the last trade was at 100."""

    def __init__(self) -> None:
        market = Market(BTC, "BTCUSDT", MatchingEngine(), CandleHistory(TapeCandle.flat(0, D(100))))
        self.clock = ManualClock(from_ms(1_700_000_000_000))
        self.journaled: list[Changes] = []
        self.exchange = Exchange({"BTCUSDT": market}, self.clock, lambda: 1, OrderIds(0), self.journaled.append)
        self.ann = self.exchange.open_account("ann", "key-a", "secret", {"BTC": D(10), "USDT": D(10_000)})
        self.maker = self.exchange.open_account("maker", "key-m", "secret", {"BTC": D(999), "USDT": D(999_999)})
        self.told: list[VenueEvent] = []
        self.exchange.listeners.append(self.told.append)
        self._names = iter(range(10_000))

    def offer(self, side: Side, quantity: str, price: str) -> Order:
        return self.exchange.place(self.maker, self.request(side, OrderType.LIMIT, quantity, limit_price=D(price)))

    def trade(self, price: str, quantity: str = "0.1") -> None:
        """Have the tape print a price, and leave nothing of it in the book."""
        self.offer(Side.SELL, quantity, price)
        self.offer(Side.BUY, quantity, price)

    def request(self, side: Side, type_: OrderType, quantity: str, **values: object) -> OrderRequest:
        name = f"o{next(self._names)}"
        given = {"time_in_force": TimeInForce.GTC, **values}
        return OrderRequest(name, "BTCUSDT", side, type_, quantity=D(quantity), **given)  # type: ignore[arg-type]

    def place(self, side: Side, type_: OrderType, quantity: str = "1", **values: object) -> Order:
        return self.exchange.place(self.ann, self.request(side, type_, quantity, **values))

    def executions(self, order: Order) -> list[Execution]:
        changes = [event for event in self.told if isinstance(event, OrderChanged)]
        return [change.execution for change in changes if change.order.order_id == order.order_id]


@pytest.fixture
def floor() -> Floor:
    return Floor()


def locked(account: Account) -> tuple[Decimal, Decimal]:
    return account.balance("BTC").locked, account.balance("USDT").locked


@pytest.mark.parametrize(
    ("side", "type_", "trigger", "stays", "fires"),
    [
        (Side.SELL, OrderType.STOP, "95", "96", "95"),
        (Side.BUY, OrderType.STOP, "105", "104", "106"),
        (Side.SELL, OrderType.TAKE_PROFIT, "105", "104", "105"),
        (Side.BUY, OrderType.TAKE_PROFIT, "95", "96", "94"),
    ],
)
def test_a_triggered_order_waits_for_its_price_and_then_trades_at_the_market(
    floor: Floor, side: Side, type_: OrderType, trigger: str, stays: str, fires: str
) -> None:
    order = floor.place(side, type_, trigger_price=D(trigger))
    book = floor.exchange.markets["BTCUSDT"].engine.book
    assert (order.waiting, order.status, len(book)) == (True, VenueStatus.NEW, 0)
    assert locked(floor.ann) == ((1, 0) if side is Side.SELL else (0, D(trigger)))
    floor.trade(stays)
    assert order.waiting
    floor.offer(side.opposite, "5", fires)
    floor.offer(side, "0.1", fires)
    assert (order.status, order.filled, order.quote_filled) == (VenueStatus.FILLED, 1, D(fires))
    assert locked(floor.ann) == (0, 0)
    assert floor.executions(order) == [Execution.NEW, Execution.TRIGGERED, Execution.TRADE]


def test_a_stop_that_finds_an_empty_book_expires(floor: Floor) -> None:
    order = floor.place(Side.SELL, OrderType.STOP, trigger_price=D(95))
    floor.trade("95")
    assert (order.status, order.filled, locked(floor.ann)) == (VenueStatus.EXPIRED, 0, (0, 0))


def test_a_stop_fills_from_the_book_in_the_same_change_as_the_trade_that_set_it_off(floor: Floor) -> None:
    order = floor.place(Side.SELL, OrderType.STOP, trigger_price=D(95))
    floor.offer(Side.BUY, "5", "95")
    before = len(floor.journaled)
    floor.offer(Side.SELL, "0.1", "95")
    assert (order.status, order.quote_filled, len(floor.journaled)) == (VenueStatus.FILLED, 95, before + 1)


def test_a_stop_limit_rests_at_its_limit(floor: Floor) -> None:
    order = floor.place(Side.SELL, OrderType.STOP_LIMIT, trigger_price=D(95), limit_price=D(94))
    floor.trade("95")
    assert (order.waiting, order.status) == (False, VenueStatus.NEW)
    assert floor.exchange.markets["BTCUSDT"].engine.book.best(Side.SELL) == 94
    floor.exchange.cancel(floor.ann, order)
    assert locked(floor.ann) == (0, 0)


def test_what_would_trigger_at_once_is_refused(floor: Floor) -> None:
    with pytest.raises(Refused) as refused:
        floor.place(Side.SELL, OrderType.STOP, trigger_price=D(101))
    assert refused.value.code == "would_trigger"
    assert locked(floor.ann) == (0, 0)


def test_a_trailing_stop_follows_the_best_price_and_never_goes_back(floor: Floor) -> None:
    order = floor.place(Side.SELL, OrderType.TRAILING_STOP, trailing_ratio=D("0.1"))
    seen = []
    for price in ("100", "110", "105", "120"):
        floor.trade(price)
        seen.append(order.trigger_price)
    assert seen == [90, 99, 99, 108]
    floor.offer(Side.BUY, "3", "107")
    floor.offer(Side.SELL, "0.1", "107")
    assert (order.status, order.quote_filled) == (VenueStatus.FILLED, 107)


def pair(floor: Floor, **values: object) -> tuple[Order, Order]:
    limit = floor.place(Side.SELL, OrderType.OCO, limit_price=D(110), trigger_price=D(95), **values)
    assert limit.sibling is not None
    return limit, floor.exchange.orders[limit.sibling]


def test_a_pair_holds_one_reservation_and_a_fill_of_one_ends_the_other(floor: Floor) -> None:
    limit, stop = pair(floor)
    assert (limit.type, stop.type, stop.waiting) == (OrderType.LIMIT, OrderType.STOP, True)
    assert locked(floor.ann) == (1, 0)
    floor.offer(Side.BUY, "0.4", "110")
    assert (limit.status, limit.filled, stop.status) == (VenueStatus.PARTIALLY_FILLED, D("0.4"), VenueStatus.EXPIRED)
    assert locked(floor.ann) == (D("0.6"), 0)


def test_a_pairs_stop_ends_the_limit_leg_when_it_fires(floor: Floor) -> None:
    limit, stop = pair(floor)
    floor.offer(Side.BUY, "5", "95")
    floor.offer(Side.SELL, "0.1", "95")
    assert (limit.status, stop.status, stop.filled) == (VenueStatus.EXPIRED, VenueStatus.FILLED, 1)
    assert locked(floor.ann) == (0, 0)


def test_cancelling_a_leg_cancels_the_pair_and_amending_its_quantity_amends_both(floor: Floor) -> None:
    limit, stop = pair(floor)
    floor.exchange.amend(floor.ann, stop, quantity=D("0.5"), trigger_price=D(96))
    assert (limit.quantity, stop.quantity, stop.trigger_price, locked(floor.ann)) == (
        D("0.5"),
        D("0.5"),
        96,
        (D("0.5"), 0),
    )
    assert floor.exchange.markets["BTCUSDT"].engine.book.quantity_at(Side.SELL, D(110)) == D("0.5")
    floor.exchange.cancel(floor.ann, stop)
    assert {limit.status, stop.status} == {VenueStatus.CANCELED}
    assert locked(floor.ann) == (0, 0)


def test_a_buying_pair_holds_the_dearer_leg(floor: Floor) -> None:
    limit = floor.place(Side.BUY, OrderType.OCO, "2", limit_price=D(90), trigger_price=D(105), stop_limit_price=D(106))
    assert locked(floor.ann) == (0, 212)
    floor.offer(Side.SELL, "0.5", "90")
    assert locked(floor.ann) == (0, 135)
    assert limit.status is VenueStatus.PARTIALLY_FILLED


def test_less_quantity_keeps_the_place_in_the_queue_and_another_price_loses_it(floor: Floor) -> None:
    first = floor.place(Side.SELL, OrderType.LIMIT, "2", limit_price=D(105))
    floor.offer(Side.SELL, "1", "105")
    floor.exchange.amend(floor.ann, first, quantity=D(1))
    assert (first.quantity, locked(floor.ann)) == (1, (1, 0))
    floor.offer(Side.BUY, "0.5", "105")
    assert first.filled == D("0.5")
    floor.exchange.amend(floor.ann, first, limit_price=D(104))
    assert floor.exchange.markets["BTCUSDT"].engine.book.best(Side.SELL) == 104
    floor.exchange.amend(floor.ann, first, limit_price=D(105))
    floor.offer(Side.BUY, "0.5", "105")
    assert first.filled == D("0.5"), "it went to the end of the queue"
    with pytest.raises(Refused) as refused:
        floor.exchange.amend(floor.ann, first, quantity=D("0.5"))
    assert refused.value.code == "filter"
    with pytest.raises(Refused) as refused:
        floor.exchange.amend(floor.ann, first, quantity=D(50))
    assert (refused.value.code, first.quantity) == ("insufficient_balance", 1)


def test_an_amended_price_that_crosses_trades(floor: Floor) -> None:
    floor.offer(Side.BUY, "1", "99")
    order = floor.place(Side.SELL, OrderType.LIMIT, "1", limit_price=D(105))
    floor.exchange.amend(floor.ann, order, limit_price=D(99))
    assert (order.status, order.quote_filled) == (VenueStatus.FILLED, 99)
    assert floor.executions(order) == [Execution.NEW, Execution.AMENDED, Execution.TRADE]


def test_an_order_lives_until_its_time(floor: Floor) -> None:
    until = to_ms(floor.clock.now()) + 60_000
    order = floor.place(
        Side.BUY, OrderType.LIMIT, limit_price=D(90), time_in_force=TimeInForce.GTD, good_until_ms=until
    )
    floor.clock.advance(timedelta(seconds=59))
    floor.exchange.keep_time()
    assert order.status is VenueStatus.NEW
    floor.clock.advance(timedelta(seconds=1))
    floor.exchange.keep_time()
    assert (order.status, locked(floor.ann)) == (VenueStatus.EXPIRED, (0, 0))
    assert len(floor.exchange.markets["BTCUSDT"].engine.book) == 0


def test_the_dead_mans_switch_cancels_all_unless_it_is_armed_again(floor: Floor) -> None:
    order = floor.place(Side.BUY, OrderType.LIMIT, limit_price=D(90))
    stop = floor.place(Side.SELL, OrderType.STOP, trigger_price=D(90))
    for _ in range(3):
        assert floor.exchange.arm_dead_man(floor.ann, 10_000) == to_ms(floor.clock.now()) + 10_000
        floor.clock.advance(timedelta(seconds=9))
        floor.exchange.keep_time()
    assert order.status is VenueStatus.NEW
    floor.clock.advance(timedelta(seconds=1))
    floor.exchange.keep_time()
    assert {order.status, stop.status} == {VenueStatus.CANCELED}
    assert floor.ann.dead_man_ms is None
    floor.exchange.arm_dead_man(floor.ann, 1)
    assert floor.exchange.arm_dead_man(floor.ann, 0) is None


def test_cancel_all_takes_one_symbols_orders_or_all(floor: Floor) -> None:
    limit, stop = pair(floor)
    floor.place(Side.BUY, OrderType.LIMIT, limit_price=D(90))
    assert floor.exchange.cancel_all(floor.ann, "LTCUSDT") == []
    assert [order.order_id for order in floor.exchange.cancel_all(floor.ann)] == [
        limit.order_id,
        stop.order_id,
        stop.order_id + 1,
    ]
    assert (floor.exchange.open_orders(floor.ann), locked(floor.ann)) == ([], (0, 0))


def test_an_order_filled_in_part_gets_the_rest_with_the_next_trade(floor: Floor) -> None:
    floor.offer(Side.SELL, "5", "101")
    floor.exchange.fill_partially(D("0.3"))
    order = floor.place(Side.BUY, OrderType.MARKET, "1")
    assert (order.status, order.filled) == (VenueStatus.PARTIALLY_FILLED, D("0.3"))
    assert locked(floor.ann) == (0, D("70.7"))
    floor.exchange.settle(Changes(), [])
    assert order.filled == D("0.3"), "nothing was traded"
    crowd = NewOrder("900000", "crowd", Side.BUY, OrderType.LIMIT, D("0.1"), D(101), TimeInForce.IOC)
    _, printed = floor.exchange.markets["BTCUSDT"].submit(crowd, 2)
    changes = Changes()
    floor.exchange.settle(changes, printed)
    floor.exchange.finish(changes)
    assert (order.status, order.filled, locked(floor.ann)) == (VenueStatus.FILLED, 1, (0, 0))


def test_buying_on_spot_reduces_nothing(floor: Floor) -> None:
    with pytest.raises(Refused) as refused:
        floor.place(Side.BUY, OrderType.LIMIT, limit_price=D(90), reduce_only=True)
    assert refused.value.code == "reduce_only"


def test_a_trailing_stop_with_a_price_to_begin_at_waits_for_it(floor: Floor) -> None:
    order = floor.place(Side.SELL, OrderType.TRAILING_STOP, trailing_ratio=D("0.1"), trigger_price=D(110))
    floor.trade("80")
    assert (order.waiting, order.trigger_price) == (True, None)
    floor.trade("112")
    assert order.trigger_price == D("100.8")
    buy = floor.place(Side.BUY, OrderType.TRAILING_STOP, trailing_ratio=D("0.1"), trigger_price=D(100))
    assert (buy.trigger_price, locked(floor.ann)) == (None, (1, 110))


def test_an_amended_order_can_be_given_another_id(floor: Floor) -> None:
    order = floor.place(Side.SELL, OrderType.LIMIT, "2", limit_price=D(105))
    old = order.client_order_id
    floor.exchange.amend(floor.ann, order, quantity=D(1), client_order_id="another")
    assert floor.exchange.find_order(floor.ann, "BTCUSDT", None, old) is None
    assert floor.exchange.find_order(floor.ann, "BTCUSDT", None, "another") is order
    floor.exchange.cancel(floor.ann, order)
    assert floor.exchange.open_orders(floor.ann) == []


moves = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.integers(50_000, 3_000_000),
        st.integers(9_000, 11_000),
        st.sampled_from(["limit", "stop", "take", "trail", "pair", "amend", "cancel", "partial", "offer", "trade"]),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(moves)
def test_whatever_waits_fires_or_is_changed_the_locks_are_what_open_orders_reserve(
    steps: list[tuple[Side, int, int, str]],
) -> None:
    floor = Floor()
    market = floor.exchange.markets["BTCUSDT"]
    for side, lots, ticks, kind in steps:
        quantity, price = str(lots * BTC.quantity_step), ticks * BTC.price_step
        with suppress(Refused):
            _step(floor, side, quantity, price, kind)
        _check_books(floor)
    assert not market.engine.book.best(Side.BUY) or market.engine.book.best(Side.BUY) != market.engine.book.best(
        Side.SELL
    )


def _step(floor: Floor, side: Side, quantity: str, price: Decimal, kind: str) -> None:
    exchange = floor.exchange
    match kind:
        case "limit":
            floor.place(side, OrderType.LIMIT, quantity, limit_price=price)
        case "stop":
            floor.place(side, OrderType.STOP_LIMIT, quantity, trigger_price=price, limit_price=price - 1)
        case "take":
            floor.place(side, OrderType.TAKE_PROFIT, quantity, trigger_price=price)
        case "trail":
            floor.place(side, OrderType.TRAILING_STOP, quantity, trailing_ratio=D("0.02"))
        case "pair":
            around = {"limit_price": price, "trigger_price": price - 5 if side is Side.SELL else price + 5}
            floor.place(side, OrderType.OCO, quantity, **around)
        case "amend":
            for order in exchange.open_orders(floor.ann)[:1]:
                exchange.amend(floor.ann, order, D(quantity), None if order.limit_price is None else price)
        case "cancel":
            for order in exchange.open_orders(floor.ann)[:1]:
                exchange.cancel(floor.ann, order)
        case "partial":
            exchange.fill_partially(D("0.4"))
        case "offer":
            floor.offer(side, quantity, str(price))
        case _:
            floor.trade(str(price))


def _check_books(floor: Floor) -> None:
    exchange = floor.exchange
    book = exchange.markets["BTCUSDT"].engine.book
    for asset, initial in (("BTC", 10 + 999), ("USDT", 10_000 + 999_999)):
        fees = sum(fill.fee for fill in exchange.fills if fill.fee_asset == asset)
        assert sum(account.balance(asset).total for account in exchange.accounts.values()) + fees == initial
    for account in exchange.accounts.values():
        for asset, side in (("USDT", Side.BUY), ("BTC", Side.SELL)):
            reserved = [order.reserved for order in exchange.open_orders(account) if order.side is side]
            assert account.balance(asset).locked == sum(reserved)
    for order in exchange.orders.values():
        resting = book.get(str(order.order_id))
        assert resting is None or (order.status.open and not order.waiting and resting.remaining == order.remaining)
        assert order.status.open or (order.reserved == 0 and not order.waiting)
        sibling = exchange.orders[order.sibling] if order.sibling is not None else None
        assert sibling is None or not (order.filled and sibling.filled), "both legs of a pair traded"
        assert sum(fill.quantity for fill in exchange.fills_of_order(order.order_id)) == order.filled

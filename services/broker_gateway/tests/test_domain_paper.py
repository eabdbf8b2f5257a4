"""The paper venue's rules, without a store or a feed."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from algotrendy_broker_gateway.domain.paper_exchange import PaperExchange
from algotrendy_broker_gateway.domain.paper_market import PaperMarket
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.errors import VenueRefused
from algotrendy_common import ids
from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.instruments import Instrument
from hypothesis import given
from hypothesis import strategies as st

D = Decimal
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BTC = Instrument(
    venue="binance",
    symbol="BTC-USDT",
    base="BTC",
    quote="USDT",
    price_step=D("0.01"),
    quantity_step=D("0.001"),
    min_quantity=D("0.001"),
    max_quantity=D(1000),
    min_notional=D(5),
    maker_fee=D("0.001"),
    taker_fee=D("0.002"),
)


def venue(**balances) -> PaperExchange:
    exchange = PaperExchange({"BTC-USDT": PaperMarket(BTC)})
    exchange.balances = {"USDT": D(1000), "BTC": D(2)} | {asset: D(total) for asset, total in balances.items()}
    exchange.markets["BTC-USDT"].show_book(
        [(D(99), D(1)), (D(98), D(2))], [(D(101), D(1)), (D(102), D(2)), (D(103), D(4))], NOW
    )
    exchange.markets["BTC-USDT"].last_price = D(100)
    return exchange


def place(exchange, side=Side.BUY, quantity=1, price=None, **changes):
    fields = {
        "order_id": ids.new_id(),
        "account": "a",
        "venue": "binance",
        "symbol": "BTC-USDT",
        "side": side,
        "type": OrderType.MARKET if price is None else OrderType.LIMIT,
        "quantity": D(str(quantity)),
        "limit_price": None if price is None else D(str(price)),
    }
    return exchange.place(ids.new_id(), OrderTerms(**fields | changes), NOW)


def fills(exchange):
    return [(fill.price, fill.quantity, fill.liquidity) for fill in exchange.changes.fills]


def test_a_market_order_walks_the_live_book_and_pays_the_takers_fee():
    exchange = venue()
    order = place(exchange, quantity="2.5")
    assert fills(exchange) == [(D(101), D(1), Liquidity.TAKER), (D(102), D("1.5"), Liquidity.TAKER)]
    assert order.standing is Standing.DONE
    assert exchange.balances == {"USDT": D(1000) - D(101) - D(153), "BTC": D(2) + D("2.5") * D("0.998")}


def test_what_was_taken_is_not_offered_again_before_the_feed_shows_it():
    exchange = venue()
    place(exchange, quantity=1)
    place(exchange, quantity=1)
    assert [price for price, _, _ in fills(exchange)] == [D(101), D(102)]
    exchange.markets["BTC-USDT"].show_quote((D(99), D(1)), (D(101), D(1)), NOW)
    place(exchange, quantity=1)
    assert fills(exchange)[-1][0] == D(101)


def test_a_market_order_larger_than_what_is_offered_gives_up_the_rest():
    exchange = venue(USDT=100000)
    order = place(exchange, quantity=10)
    assert (order.executed, order.standing) == (D(7), Standing.CANCELLED)


def test_a_resting_order_fills_when_the_market_trades_through_it_and_not_at_its_very_price():
    exchange = venue()
    order = place(exchange, price=100)
    exchange.traded("BTC-USDT", D(100), D(5), NOW)
    assert fills(exchange) == []
    exchange.traded("BTC-USDT", D("99.99"), D("0.4"), NOW)
    exchange.traded("BTC-USDT", D("99.99"), D(5), NOW)
    assert fills(exchange) == [(D(100), D("0.4"), Liquidity.MAKER), (D(100), D("0.6"), Liquidity.MAKER)]
    assert order.standing is Standing.DONE


def test_a_resting_order_fills_at_its_own_price_when_the_other_side_comes_to_it():
    exchange = venue()
    order = place(exchange, Side.SELL, 1, 100.5)
    exchange.markets["BTC-USDT"].show_quote((D(101), D("0.3")), (D(102), D(1)), NOW)
    exchange.offered("BTC-USDT", NOW)
    assert fills(exchange) == [(D("100.5"), D("0.3"), Liquidity.MAKER)]
    assert order.remaining == D("0.7")


def test_one_trade_fills_no_more_than_its_quantity_over_all_our_orders_best_first():
    exchange = venue()
    place(exchange, price="99.5"), place(exchange, price=100)
    exchange.traded("BTC-USDT", D(99), D("1.2"), NOW)
    assert fills(exchange) == [(D(100), D(1), Liquidity.MAKER), (D("99.5"), D("0.2"), Liquidity.MAKER)]


@pytest.mark.parametrize(
    ("type", "side", "trigger", "price", "sets_off"),
    [
        (OrderType.STOP, Side.SELL, 95, 95, True),
        (OrderType.STOP, Side.SELL, 95, 96, False),
        (OrderType.STOP, Side.BUY, 105, 105, True),
        (OrderType.TAKE_PROFIT, Side.SELL, 105, 106, True),
        (OrderType.TAKE_PROFIT, Side.SELL, 105, 104, False),
        (OrderType.TAKE_PROFIT, Side.BUY, 95, 94, True),
    ],
)
def test_triggered_orders_wait_for_a_trade_at_their_price(type, side, trigger, price, sets_off):
    exchange = venue()
    order = place(exchange, side, type=type, trigger_price=D(trigger))
    assert order.waiting
    exchange.traded("BTC-USDT", D(price), D(1), NOW)
    assert (order.standing is Standing.DONE) is sets_off
    assert order.waiting is not sets_off


def test_a_stop_limit_rests_once_it_was_set_off():
    exchange = venue()
    order = place(exchange, Side.SELL, price=101, type=OrderType.STOP_LIMIT, trigger_price=D(95))
    exchange.traded("BTC-USDT", D(95), D(1), NOW)
    assert (order.waiting, order.standing) == (False, Standing.WORKING)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": D("0.0005")}, "filter"),
        ({"price": 5, "quantity": D("0.5")}, "filter"),
        ({"quantity": D(11), "price": 100}, "insufficient_balance"),
        ({"side": Side.SELL, "quantity": D(3)}, "insufficient_balance"),
        ({"price": 101, "time_in_force": TimeInForce.POST_ONLY}, "would_take"),
        ({"side": Side.SELL, "type": OrderType.STOP, "trigger_price": D(100)}, "would_trigger"),
        ({"symbol": "ETH-USDT"}, "symbol_unknown"),
    ],
)
def test_what_a_venue_refuses_is_refused_and_changes_nothing(changes, code):
    exchange = venue()
    before = dict(exchange.balances)
    with pytest.raises(VenueRefused) as refused:
        place(exchange, **{"quantity": 1} | changes)
    assert refused.value.code == code
    assert exchange.balances == before
    assert not exchange.orders
    assert not exchange.changes


def test_immediate_orders_take_what_there_is_or_nothing_and_never_rest():
    exchange = venue()
    at_once = place(exchange, price=101, quantity=2, time_in_force=TimeInForce.IOC)
    assert (at_once.executed, at_once.standing) == (D(1), Standing.CANCELLED)
    whole = place(exchange, price=102, quantity=3, time_in_force=TimeInForce.FOK)
    assert (whole.executed, whole.standing) == (D(0), Standing.CANCELLED)
    assert exchange.orders == {}


def test_what_is_reserved_is_free_again_after_a_cancellation():
    exchange = venue()
    order = place(exchange, price=90, quantity=10)
    assert exchange.available("USDT") == D(100)
    exchange.cancel(order, "cancelled", NOW)
    assert exchange.available("USDT") == D(1000)


PRICES = st.integers(90, 110).map(D)
QUANTITIES = st.integers(1, 3000).map(lambda thousandths: D(thousandths) / 1000)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.sampled_from(Side), QUANTITIES, st.one_of(st.none(), PRICES)),
        st.tuples(st.just("trade"), PRICES, QUANTITIES),
        st.tuples(st.just("quote"), PRICES, QUANTITIES),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
    ),
    max_size=40,
)


@given(ACTIONS)
def test_nothing_is_spent_twice_and_balances_move_by_fills_alone(actions):
    exchange = venue()
    opening = dict(exchange.balances)
    for action, *given_ in actions:
        match action:
            case "order":
                side, quantity, price = given_
                try:
                    place(exchange, side, quantity, price)
                except VenueRefused:
                    continue
            case "trade":
                exchange.traded("BTC-USDT", *given_, NOW)
            case "quote":
                price, quantity = given_
                exchange.markets["BTC-USDT"].show_quote((price, quantity), (price + 1, quantity), NOW)
                exchange.offered("BTC-USDT", NOW)
            case "cancel":
                working = list(exchange.orders.values())
                if working:
                    exchange.cancel(working[given_[0] % len(working)], "cancelled", NOW)
        assert all(exchange.available(asset) >= 0 for asset in exchange.balances)
    moved = dict(opening)
    for fill in exchange.changes.fills:
        sign = fill.side.sign
        for asset, amount in (("BTC", fill.quantity * sign), ("USDT", -fill.price * fill.quantity * sign)):
            moved[asset] += amount
        moved[fill.fee_currency] -= fill.fee
    assert moved == exchange.balances
    for order in exchange.changes.orders.values():
        own = sum(
            (fill.quantity for fill in exchange.changes.fills if fill.venue_order_id == order.venue_order_id), D(0)
        )
        assert own == order.executed <= order.quantity

from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_core.matching import Matched, MatchingEngine, NewOrder
from algotrendy_simulator.candles import CandleHistory, TapeCandle
from algotrendy_simulator.crowd import CROWD, BookShape, Crowd
from algotrendy_simulator.listings import PACKAGED, read_listings
from algotrendy_simulator.market import Market
from algotrendy_simulator.simulation import OrderIds
from algotrendy_simulator.ticks import Tick
from hypothesis import given, settings
from hypothesis import strategies as st

BTC = read_listings(PACKAGED)[0].instrument
SHAPE = BookShape(levels=8, level_step=Decimal("0.5"), level_quantity=Decimal("0.4"), widest_spread=5)


def a_market(price: str = "100") -> tuple[Market, Crowd]:
    market = Market(BTC, "BTCUSDT", MatchingEngine(), CandleHistory(TapeCandle.flat(0, Decimal(price))))
    crowd = Crowd(market, SHAPE, seed=7, next_order_id=OrderIds(0))
    crowd.quote(Decimal(price), Side.BUY)
    return market, crowd


def rest(market: Market, order_id: str, side: Side, price: str, quantity: str) -> None:
    order = NewOrder(order_id, "user", side, OrderType.LIMIT, Decimal(quantity), Decimal(price), TimeInForce.POST_ONLY)
    outcome, _ = market.submit(order, 0)
    assert isinstance(outcome, Matched)
    assert outcome.rests


def filled(market: Market, order_id: str) -> Decimal:
    trades = (trade for trade in market.tape if order_id in (trade.maker_order_id, trade.taker_order_id))
    return sum((trade.quantity for trade in trades), Decimal(0))


def tick(price: str, quantity: str, side: Side) -> Tick:
    return Tick(0, Decimal(price), Decimal(quantity), side)


def test_the_book_is_plausible() -> None:
    market, _ = a_market()
    book = market.engine.book
    bids, asks = book.levels(Side.BUY), book.levels(Side.SELL)
    assert len(bids) == len(asks) == 8
    assert bids[0][0] == 100
    assert Decimal("0.01") <= asks[0][0] - bids[0][0] <= Decimal("0.05")
    for _, quantity in bids + asks:
        assert Decimal("0.1") < quantity < Decimal("0.9")


def test_levels_that_stay_keep_their_orders_and_so_their_priority() -> None:
    market, crowd = a_market()
    before = {order.order_id for order in market.engine.book.orders(Side.BUY)}
    crowd.play(tick("100.20", "0.1", Side.BUY), 1)
    after = {order.order_id for order in market.engine.book.orders(Side.BUY)}
    assert len(before & after) >= 6


def test_a_resting_order_waits_for_the_price() -> None:
    market, crowd = a_market()
    rest(market, "900", Side.BUY, "99", "0.2")
    crowd.play(tick("99.01", "5", Side.SELL), 1)
    assert filled(market, "900") == 0
    crowd.play(tick("98.99", "0.15", Side.SELL), 2)
    assert filled(market, "900") == Decimal("0.15")
    assert [trade.price for trade in market.tape if trade.maker_order_id == "900"] == [Decimal(99)]


def test_at_its_price_it_waits_behind_what_stood_there_before() -> None:
    market, crowd = a_market()
    standing = market.engine.book.quantity_at(Side.BUY, Decimal(100))
    rest(market, "900", Side.BUY, "100", "0.2")
    crowd.play(tick("100", str(standing), Side.SELL), 1)
    assert filled(market, "900") == 0
    crowd.play(tick("100", "0.05", Side.SELL), 2)
    assert filled(market, "900") == Decimal("0.05")


def test_a_market_that_moves_through_an_order_fills_it_by_its_volume_whoever_took() -> None:
    market, crowd = a_market()
    rest(market, "900", Side.SELL, "101", "1")
    crowd.play(tick("101.50", "0.4", Side.SELL), 1)
    assert filled(market, "900") == Decimal("0.4")
    crowd.play(tick("101.60", "0.9", Side.BUY), 2)
    assert filled(market, "900") == 1
    assert market.tape[-1].price == Decimal("101.60")


recorded = st.lists(
    st.tuples(st.integers(9_800, 10_200), st.integers(1, 3_000_000), st.sampled_from(Side)), max_size=25
)
users = st.dictionaries(
    st.integers(0, 24), st.tuples(st.integers(9_800, 10_200), st.integers(10, 3_000_000), st.sampled_from(Side))
)


@settings(max_examples=60, deadline=None)
@given(recorded, users)
def test_every_recorded_trade_prints_its_volume_whatever_users_do(
    ticks: list[tuple[int, int, Side]], orders: dict[int, tuple[int, int, Side]]
) -> None:
    market, crowd = a_market()
    book = market.engine.book
    for place, (cents, lots, side) in enumerate(ticks):
        if place in orders:
            price, quantity, order_side = orders[place]
            new = NewOrder(
                str(10**9 + place),
                "user",
                order_side,
                OrderType.LIMIT,
                quantity * BTC.quantity_step,
                price * BTC.price_step,
            )
            market.submit(new, place)
        played = Tick(0, cents * BTC.price_step, lots * BTC.quantity_step, side)
        printed = crowd.play(played, place)
        assert sum(trade.quantity for trade in printed) == played.quantity
        bid, ask = book.best(Side.BUY), book.best(Side.SELL)
        assert bid is None or ask is None or bid < ask
        # The crowd trades with itself only once nobody's order is left on the wrong side of the price.
        left = [
            order
            for order in [*book.orders(Side.BUY), *book.orders(Side.SELL)]
            if order.account != CROWD
            and (order.price > played.price if order.side is Side.BUY else order.price < played.price)
        ]
        if left:
            assert all(int(trade.maker_order_id) >= 10**9 for trade in printed)


def test_without_users_a_trade_prints_at_its_own_price() -> None:
    _, crowd = a_market()
    for place, (price, side) in enumerate(
        [("99.5", Side.SELL), ("99.5", Side.BUY), ("104", Side.SELL), ("90", Side.BUY)]
    ):
        printed = crowd.play(tick(price, "7.5", side), place)
        assert {trade.price for trade in printed} == {Decimal(price)}
        assert {trade.taker_side for trade in printed} == {side}

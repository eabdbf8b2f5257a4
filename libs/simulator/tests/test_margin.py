"""Positions on margin: linear perpetuals and leveraged spot, over the exchange alone."""

from contextlib import suppress
from decimal import Decimal

import pytest
from algotrendy_common.clock import ManualClock, from_ms
from algotrendy_common.enums import MarginMode, OrderType, Side, TimeInForce
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO
from algotrendy_core.matching import MatchingEngine
from algotrendy_simulator.accounts import Account
from algotrendy_simulator.candles import CandleHistory, TapeCandle
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import OrderChanged, PositionChanged, VenueEvent
from algotrendy_simulator.listings import PACKAGED, read_listings
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Order, OrderRequest, VenueStatus
from algotrendy_simulator.positions import Position, reducible
from algotrendy_simulator.simulation import OrderIds
from hypothesis import given, settings
from hypothesis import strategies as st

LISTED = {listing.wire_symbol: listing.instrument for listing in read_listings(PACKAGED, "okx")}
PERP = "BTCUSDT-PERP"
D = Decimal


class Floor:
    """Ann has 1,000 USDT; the maker has plenty of everything. The last trade was at 100."""

    def __init__(self, *symbols: str) -> None:
        markets = {
            symbol: Market(LISTED[symbol], symbol, MatchingEngine(), CandleHistory(TapeCandle.flat(0, D(100))))
            for symbol in symbols or (PERP,)
        }
        self.journaled: list[Changes] = []
        clock = ManualClock(from_ms(1_700_000_000_000))
        self.exchange = Exchange(markets, clock, lambda: 1, OrderIds(0), self.journaled.append)
        self.ann = self.exchange.open_account("ann", "key-a", "secret", {"USDT": D(1000)})
        self.maker = self.exchange.open_account("maker", "key-m", "secret", {"BTC": D(9999), "USDT": D(99_999_999)})
        self.told: list[VenueEvent] = []
        self.exchange.listeners.append(self.told.append)
        self._names = iter(range(10_000))

    def order(
        self, account: Account, side: Side, quantity: str, price: str | None = None, symbol: str = PERP, **more: object
    ) -> Order:
        values = {
            "type": OrderType.MARKET if price is None else OrderType.LIMIT,
            "time_in_force": TimeInForce.GTC,
            "limit_price": None if price is None else D(price),
        } | more
        name = f"o{next(self._names)}"
        request = OrderRequest(name, symbol, side, quantity=D(quantity), **values)  # type: ignore[arg-type]
        return self.exchange.place(account, request)

    def open(self, side: Side, quantity: str, price: str = "100", symbol: str = PERP, **more: object) -> Order:
        """Have ann trade at a price."""
        self.order(self.maker, side.opposite, quantity, price, symbol)
        return self.order(self.ann, side, quantity, symbol=symbol, **more)

    def trade(self, price: str, symbol: str = PERP) -> None:
        """Have the tape print a price."""
        self.order(self.maker, Side.SELL, "0.5", price, symbol)
        self.order(self.maker, Side.BUY, "0.5", price, symbol)

    def position(self) -> Position:
        (position,) = self.exchange.positions(self.ann)
        return position

    @property
    def balance(self) -> tuple[Decimal, Decimal]:
        balance = self.ann.balance("USDT")
        return balance.total, balance.locked


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.exchange.set_leverage(floor.ann, PERP, D(10))
    return floor


def test_opening_locks_the_margin_and_pays_the_fee(floor: Floor) -> None:
    floor.open(Side.BUY, "10")
    position = floor.position()
    assert (position.quantity, position.entry_price, position.margin, position.leverage) == (10, 100, 100, 10)
    assert floor.balance == (D("999.5"), 100)
    floor.trade("105")
    assert floor.position().unrealised_pnl == 50
    assert any(isinstance(event, PositionChanged) for event in floor.told)


def test_closing_frees_the_margin_and_realises_the_profit(floor: Floor) -> None:
    floor.open(Side.SELL, "10")
    floor.open(Side.BUY, "4", "90")
    position = floor.position()
    assert (position.quantity, position.entry_price, position.margin, position.realised_pnl) == (-6, 100, 60, 40)
    assert floor.balance == (1000 + 40 - D("0.5") - D("0.18"), 60)
    floor.open(Side.BUY, "10", "110")
    position = floor.position()
    assert (position.quantity, position.entry_price, position.margin) == (4, 110, 44)
    assert position.realised_pnl == 40 - 60


def test_an_order_on_margin_reserves_margin_and_fee_and_a_reduction_nothing(floor: Floor) -> None:
    order = floor.order(floor.ann, Side.BUY, "10", "90")
    assert floor.balance == (1000, 90 + D("0.45"))
    floor.exchange.cancel(floor.ann, order)
    assert floor.balance == (1000, 0)
    floor.open(Side.BUY, "10")
    floor.order(floor.ann, Side.SELL, "6", "120")
    assert floor.balance[1] == 100
    floor.order(floor.ann, Side.SELL, "6", "120")
    assert floor.balance[1] > 100, "two of what is twelve would open two of the other side"
    with pytest.raises(Refused) as refused:
        floor.order(floor.ann, Side.BUY, "200", "100")
    assert refused.value.code == "insufficient_balance"


def test_reduce_only_never_opens_and_follows_the_position(floor: Floor) -> None:
    with pytest.raises(Refused) as refused:
        floor.order(floor.ann, Side.SELL, "1", "120", reduce_only=True)
    assert refused.value.code == "reduce_only"
    floor.open(Side.BUY, "10")
    take = floor.order(floor.ann, Side.SELL, "15", "120", reduce_only=True)
    stop = floor.order(floor.ann, Side.SELL, "10", type=OrderType.STOP, trigger_price=D(90), reduce_only=True)
    assert take.quantity == 10
    floor.open(Side.SELL, "4", "101")
    assert (take.remaining, stop.remaining) == (6, 6)
    book = floor.exchange.markets[PERP].engine.book
    assert book.quantity_at(Side.SELL, D(120)) == 6
    floor.order(floor.maker, Side.BUY, "6", "120")
    assert (take.status, stop.status) == (VenueStatus.FILLED, VenueStatus.CANCELED)
    assert floor.exchange.positions(floor.ann) == []
    assert floor.balance[1] == 0


@pytest.mark.parametrize("side", list(Side))
def test_a_cross_position_is_liquidated_when_the_account_no_longer_covers_it(floor: Floor, side: Side) -> None:
    floor.open(side, "20")
    expected = floor.position().liquidation_price
    assert expected is not None
    floor.trade(str((expected + side.sign * D("0.2")).quantize(D("0.1"))))
    assert floor.position().quantity == 20 * side.sign
    fatal = str((expected - side.sign * D("0.2")).quantize(D("0.1")))
    floor.order(floor.maker, side.opposite, "0.5", fatal)
    floor.order(floor.maker, side, "30", fatal)
    assert floor.exchange.positions(floor.ann) == []
    liquidations = [order for order in floor.exchange.orders.values() if order.liquidation]
    assert [(order.account, order.side, order.status) for order in liquidations] == [
        ("ann", side.opposite, VenueStatus.FILLED)
    ]
    total, locked = floor.balance
    assert 0 <= total < 20
    assert locked == 0


def test_an_isolated_position_risks_its_own_margin_alone() -> None:
    floor = Floor()
    floor.exchange.set_leverage(floor.ann, PERP, D(10), MarginMode.ISOLATED)
    floor.open(Side.BUY, "10")
    with pytest.raises(Refused) as refused:
        floor.exchange.set_leverage(floor.ann, PERP, D(10), MarginMode.CROSS)
    assert refused.value.code == "position_open"
    assert floor.position().liquidation_price == D(900) / (10 * D("0.995"))
    floor.order(floor.maker, Side.SELL, "1", "90")
    floor.order(floor.maker, Side.BUY, "11", "90")
    assert floor.exchange.positions(floor.ann) == []
    assert 895 < floor.balance[0] < 900


def test_more_leverage_needs_less_margin_and_too_much_is_refused(floor: Floor) -> None:
    floor.open(Side.BUY, "10")
    floor.exchange.set_leverage(floor.ann, PERP, D(20))
    assert (floor.balance[1], floor.position().leverage) == (50, 20)
    with pytest.raises(Refused) as refused:
        floor.exchange.set_leverage(floor.ann, PERP, D(101))
    assert refused.value.code == "leverage"
    with pytest.raises(Refused) as refused:
        floor.exchange.set_leverage(floor.ann, PERP, D("0.5"))
    assert refused.value.code == "leverage"


def test_the_hand_outside_can_liquidate(floor: Floor) -> None:
    floor.open(Side.BUY, "10")
    floor.order(floor.maker, Side.BUY, "10", "99")
    stop = floor.order(floor.ann, Side.SELL, "10", type=OrderType.STOP, trigger_price=D(90), reduce_only=True)
    (order,) = floor.exchange.liquidate(floor.ann, PERP)
    assert (order.status, order.liquidation, stop.status) == (VenueStatus.FILLED, True, VenueStatus.CANCELED)
    told = [event.order.liquidation for event in floor.told if isinstance(event, OrderChanged)]
    assert True in told


def test_funding_is_paid_by_longs_to_shorts_on_what_their_positions_are_worth(floor: Floor) -> None:
    floor.open(Side.BUY, "10")
    total, locked = floor.balance
    paid_to = floor.maker.balance("USDT").total
    assert floor.exchange.pay_funding(PERP, D("0.001")) == 2
    assert floor.balance == (total - 1, locked)
    assert floor.maker.balance("USDT").total == paid_to + 1
    with pytest.raises(Refused):
        floor.exchange.pay_funding("NOPE", D("0.001"))


def test_spot_with_leverage_is_a_position_and_moves_no_assets() -> None:
    floor = Floor("BTCUSDT")
    floor.open(Side.BUY, "20", "100", "BTCUSDT", leverage=D(5))
    position = floor.position()
    assert (position.symbol, position.quantity, position.leverage, position.margin) == ("BTCUSDT", 20, 5, 400)
    assert floor.ann.balance("BTC").total == 0
    floor.open(Side.SELL, "20", "110", "BTCUSDT", leverage=D(5), reduce_only=True)
    assert floor.exchange.positions(floor.ann) == []
    assert floor.balance == (1000 + 200 - D(2) - D("2.2"), 0)
    with pytest.raises(Refused) as refused:
        floor.open(Side.BUY, "1", "100", "BTCUSDT", leverage=D(6))
    assert refused.value.code == "leverage"


moves = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.integers(1_000, 80_000),
        st.integers(700, 1_300),
        st.sampled_from(["limit", "market", "stop", "reduce", "pair", "amend", "price", "cancel"]),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(moves)
def test_locks_match_orders_and_margins_and_money_goes_only_where_it_is_booked(
    steps: list[tuple[Side, int, int, str]],
) -> None:
    floor = Floor()
    floor.exchange.set_leverage(floor.ann, PERP, D(10))
    for side, lots, ticks, kind in steps:
        quantity, price = str(lots * LISTED[PERP].quantity_step), str(ticks * LISTED[PERP].price_step)
        with suppress(Refused):
            match kind:
                case "limit":
                    floor.order(floor.ann, side, quantity, price)
                case "market":
                    floor.open(side, quantity, price)
                case "stop":
                    floor.order(floor.ann, side, quantity, type=OrderType.STOP, trigger_price=D(price))
                case "reduce":
                    floor.order(floor.ann, side, quantity, price, reduce_only=True)
                case "pair":
                    around = {"type": OrderType.OCO, "trigger_price": D(price) + 5 * side.sign, "reduce_only": True}
                    floor.order(floor.ann, side, quantity, price, **around)
                case "amend":
                    for order in floor.exchange.open_orders(floor.ann)[:1]:
                        floor.exchange.amend(floor.ann, order, D(quantity))
                case "price":
                    floor.order(floor.maker, side, quantity, price)
                case _:
                    floor.exchange.cancel_all(floor.ann)
        for account in (floor.ann, floor.maker):
            balance = account.balance("USDT")
            reserved = sum(order.reserved for order in floor.exchange.open_orders(account))
            margins = sum(position.margin for position in floor.exchange.positions(account))
            assert balance.locked == reserved + margins
            assert ZERO <= balance.locked <= balance.total
        _check_money(floor)
        for order in floor.exchange.open_orders(floor.ann):
            held = floor.exchange.ledger.holding("ann", PERP)
            assert not order.reduce_only or order.remaining <= reducible(held, order.side)
    for order in floor.exchange.orders.values():
        assert order.status.open or order.reserved == 0


def _check_money(floor: Floor) -> None:
    for account, initial in ((floor.ann, D(1000)), (floor.maker, D(99_999_999))):
        holding = floor.exchange.ledger.holding(account.name, PERP)
        fills = [fill for fill in floor.exchange.fills if fill.account == account.name]
        fees = sum(fill.fee for fill in fills)
        assert account.balance("USDT").total == initial + holding.realised_pnl - fees + holding.uncovered
        assert sum(fill.quantity * fill.side.sign for fill in fills) == holding.quantity
        flow = sum(fill.quantity * fill.price * -fill.side.sign for fill in fills)
        entered = holding.cost if holding.quantity > 0 else -holding.cost
        assert abs(flow + entered - holding.realised_pnl) < D("1e-12")

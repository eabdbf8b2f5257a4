from contextlib import suppress
from decimal import Decimal

import pytest
from algotrendy_common.clock import ManualClock, from_ms
from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.errors import Refused
from algotrendy_core.matching import MatchingEngine
from algotrendy_simulator.accounts import Account
from algotrendy_simulator.candles import CandleHistory, TapeCandle
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BalancesChanged, Execution, OrderChanged, TapeTrade, VenueEvent
from algotrendy_simulator.listings import PACKAGED, read_listings
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import OrderRequest, VenueStatus
from algotrendy_simulator.simulation import OrderIds
from hypothesis import given, settings
from hypothesis import strategies as st

BTC = read_listings(PACKAGED)[0].instrument


def an_exchange() -> tuple[Exchange, Account, Account, list[VenueEvent]]:
    """Two accounts with 10 BTC and 10,000 USDT each, and what the exchange tells."""
    market = Market(BTC, "BTCUSDT", MatchingEngine(), CandleHistory(TapeCandle.flat(0, Decimal(100))))
    journaled: list[Changes] = []
    clock = ManualClock(from_ms(1_700_000_000_000))
    exchange = Exchange({"BTCUSDT": market}, clock, lambda: 1, OrderIds(0), journaled.append)
    balances = {"BTC": Decimal(10), "USDT": Decimal(10_000)}
    ann = exchange.open_account("ann", "key-a", "secret", balances)
    bob = exchange.open_account("bob", "key-b", "secret", balances)
    told: list[VenueEvent] = []
    exchange.listeners.append(told.append)
    return exchange, ann, bob, told


def limit(
    client_id: str, side: Side, quantity: str, price: str, time_in_force: TimeInForce = TimeInForce.GTC
) -> OrderRequest:
    return OrderRequest(client_id, "BTCUSDT", side, OrderType.LIMIT, time_in_force, Decimal(quantity), Decimal(price))


def market(client_id: str, side: Side, quantity: str | None = None, spend: str | None = None) -> OrderRequest:
    return OrderRequest(
        client_id,
        "BTCUSDT",
        side,
        OrderType.MARKET,
        TimeInForce.GTC,
        Decimal(quantity) if quantity else None,
        quote_quantity=Decimal(spend) if spend else None,
    )


def test_a_resting_order_reserves_and_a_cancel_frees() -> None:
    exchange, ann, _, _ = an_exchange()
    order = exchange.place(ann, limit("a", Side.BUY, "2", "100"))
    assert (ann.balance("USDT").locked, ann.balance("USDT").free) == (200, 9800)
    exchange.cancel(ann, order)
    assert (ann.balance("USDT").locked, order.status, order.reserved) == (0, VenueStatus.CANCELED, 0)


def test_a_fill_moves_both_sides_takes_the_fee_from_what_is_received_and_frees_the_rest() -> None:
    exchange, ann, bob, told = an_exchange()
    exchange.place(ann, limit("a", Side.SELL, "1", "100"))
    told.clear()
    order = exchange.place(bob, limit("b", Side.BUY, "3", "110"))
    assert (order.status, order.filled, order.quote_filled) == (VenueStatus.PARTIALLY_FILLED, 1, 100)
    assert ann.balance("USDT").total == Decimal("10099.9")
    assert (ann.balance("BTC").total, ann.balance("BTC").locked) == (9, 0)
    assert bob.balance("BTC").total == Decimal("10.999")
    assert (bob.balance("USDT").total, bob.balance("USDT").locked) == (9900, 220)
    assert [(fill.account, fill.liquidity) for fill in exchange.fills] == [
        ("bob", Liquidity.TAKER),
        ("ann", Liquidity.MAKER),
    ]
    executions = [(event.order.account, event.execution) for event in told if isinstance(event, OrderChanged)]
    assert executions == [("bob", Execution.NEW), ("bob", Execution.TRADE), ("ann", Execution.TRADE)]
    assert [event.account for event in told if isinstance(event, BalancesChanged)] == ["bob", "ann"]
    assert len([event for event in told if isinstance(event, TapeTrade)]) == 1


def test_a_market_order_can_be_told_what_to_spend() -> None:
    exchange, ann, bob, _ = an_exchange()
    exchange.place(ann, limit("a1", Side.SELL, "1", "100"))
    exchange.place(ann, limit("a2", Side.SELL, "1", "120"))
    order = exchange.place(bob, market("b", Side.BUY, spend="160"))
    assert (order.filled, order.quote_filled, order.status) == (Decimal("1.5"), 160, VenueStatus.FILLED)
    assert bob.balance("USDT").locked == 0


def test_a_market_order_that_finds_too_little_expires_with_the_rest() -> None:
    exchange, ann, bob, _ = an_exchange()
    exchange.place(ann, limit("a", Side.SELL, "1", "100"))
    order = exchange.place(bob, market("b", Side.BUY, "2"))
    assert (order.filled, order.status, order.reserved) == (1, VenueStatus.EXPIRED, 0)


def test_a_client_id_is_taken_only_while_its_order_is_open() -> None:
    exchange, ann, bob, _ = an_exchange()
    first = exchange.place(ann, limit("same", Side.BUY, "1", "100"))
    with pytest.raises(Refused) as refused:
        exchange.place(ann, limit("same", Side.BUY, "1", "100"))
    assert refused.value.code == "duplicate_client_order_id"
    exchange.place(bob, limit("same", Side.BUY, "1", "90"))
    exchange.cancel(ann, first)
    second = exchange.place(ann, limit("same", Side.BUY, "1", "100"))
    assert exchange.find_order(ann, "BTCUSDT", None, "same") is second


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (limit("x", Side.BUY, "101", "100"), "insufficient_balance"),
        (limit("x", Side.SELL, "11", "100"), "insufficient_balance"),
        (limit("x", Side.BUY, "1", "100.001"), "filter"),
        (market("x", Side.SELL, "0.00001"), "filter"),
        (limit("x", Side.BUY, "1", "100", TimeInForce.POST_ONLY), "would_take"),
    ],
)
def test_a_refused_order_changes_nothing(request_: OrderRequest, code: str) -> None:
    exchange, ann, bob, told = an_exchange()
    exchange.place(bob, limit("b", Side.SELL, "1", "100"))
    told.clear()
    before = exchange.markets["BTCUSDT"].engine.book.sequence
    with pytest.raises(Refused) as refused:
        exchange.place(ann, request_)
    assert refused.value.code == code
    assert (told, exchange.markets["BTCUSDT"].engine.book.sequence) == ([], before)
    assert all(balance.locked == 0 for balance in ann.balances.values())


def test_nobody_cancels_anothers_order_or_a_closed_one() -> None:
    exchange, ann, bob, _ = an_exchange()
    order = exchange.place(ann, limit("a", Side.BUY, "1", "100"))
    assert exchange.find_order(bob, "BTCUSDT", order.order_id, None) is None
    with pytest.raises(Refused):
        exchange.cancel(bob, order)
    exchange.cancel(ann, order)
    with pytest.raises(Refused):
        exchange.cancel(ann, order)


steps = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob"]),
        st.sampled_from(Side),
        st.integers(50_000, 4_000_000),
        st.integers(9_000, 11_000),
        st.sampled_from([*TimeInForce, None, "cancel"]),
    ),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(steps)
def test_cash_and_assets_are_conserved_and_locks_match_the_open_orders(
    orders: list[tuple[str, Side, int, int, TimeInForce | str | None]],
) -> None:
    exchange, ann, bob, _ = an_exchange()
    accounts = {"ann": ann, "bob": bob}
    for number, (name, side, lots, cents, kind) in enumerate(orders):
        account, quantity = accounts[name], str(lots * BTC.quantity_step)
        if kind == "cancel":
            for order in exchange.open_orders(account)[:1]:
                exchange.cancel(account, order)
            continue
        if kind is None:
            request = market(str(number), side, quantity)
        else:
            request = limit(str(number), side, quantity, str(cents * BTC.price_step), TimeInForce(kind))
        with suppress(Refused):
            exchange.place(account, request)
        for asset, initial in (("BTC", 20), ("USDT", 20_000)):
            fees = sum(fill.fee for fill in exchange.fills if fill.fee_asset == asset)
            assert sum(account.balance(asset).total for account in accounts.values()) + fees == initial
        for account in accounts.values():
            for asset, side_of in (("USDT", Side.BUY), ("BTC", Side.SELL)):
                reserved = [order.reserved for order in exchange.open_orders(account) if order.side is side_of]
                assert account.balance(asset).locked == sum(reserved)
    for order in exchange.orders.values():
        fills = exchange.fills_of_order(order.order_id)
        assert sum(fill.quantity for fill in fills) == order.filled
        assert sum(fill.quantity * fill.price for fill in fills) == order.quote_filled
        assert order.status.open or order.reserved == 0

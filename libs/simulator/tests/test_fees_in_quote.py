"""Venues whose spot fees are paid in the quote currency on both sides (Coinbase, Kraken)."""

from decimal import Decimal
from itertools import count

from algotrendy_common.clock import ManualClock, from_ms
from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_core.fees import ChargedIn
from algotrendy_core.matching import MatchingEngine
from algotrendy_simulator.accounts import Account
from algotrendy_simulator.candles import CandleHistory, TapeCandle
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.listings import PACKAGED, read_listings
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import OrderRequest
from algotrendy_simulator.simulation import OrderIds
from hypothesis import given, settings
from hypothesis import strategies as st

BTC = read_listings(PACKAGED)[0].instrument


def an_exchange(usdt: Decimal = Decimal(10_000)) -> tuple[Exchange, Account, Account]:
    market = Market(BTC, "BTCUSDT", MatchingEngine(), CandleHistory(TapeCandle.flat(0, Decimal(100))))
    exchange = Exchange(
        {"BTCUSDT": market}, ManualClock(from_ms(1_700_000_000_000)), lambda: 1, OrderIds(0), lambda _: None
    )
    exchange.charge_spot_fees_in(ChargedIn.QUOTE)
    balances = {"BTC": Decimal(10), "USDT": usdt}
    return exchange, exchange.open_account("ann", "a", "", balances), exchange.open_account("bob", "b", "", balances)


_ids = count()


def limit(side: Side, quantity: Decimal, price: Decimal) -> OrderRequest:
    return OrderRequest(str(next(_ids)), "BTCUSDT", side, OrderType.LIMIT, TimeInForce.GTC, quantity, limit_price=price)


def test_a_buyer_pays_the_fee_on_top_and_gets_the_whole_quantity() -> None:
    exchange, ann, bob = an_exchange()
    resting = exchange.place(ann, limit(Side.BUY, Decimal(2), Decimal(100)))
    assert resting.reserved == Decimal("200.200001"), "the price, the taker's fee, and room for rounding"
    exchange.place(bob, limit(Side.SELL, Decimal(1), Decimal(100)))
    assert ann.balance("BTC").total == 11
    assert ann.balance("USDT").total == Decimal("9899.9"), "100 and the maker's tenth of a percent"
    assert bob.balance("USDT").total == Decimal("10099.9")
    assert {fill.fee_asset for fill in exchange.fills} == {"USDT"}
    exchange.cancel(ann, resting)
    assert (ann.balance("USDT").locked, resting.reserved) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 400_000), min_size=1, max_size=30), st.integers(10_001, 20_000))
def test_a_buyer_who_spends_everything_never_owes(sizes: list[int], cents: int) -> None:
    price, step = Decimal(cents) / 100, Decimal("0.000001")
    parts = [(size + 50_000) * step for size in sizes]
    whole = sum(parts, Decimal(0))
    needed = whole * price
    exchange, ann, bob = an_exchange(needed + (needed * BTC.taker_fee).quantize(Decimal("1e-8")) + Decimal("1e-6"))
    if whole > 10:
        return
    order = exchange.place(ann, limit(Side.BUY, whole, price))
    for part in parts:
        exchange.place(bob, limit(Side.SELL, part, price))
    assert order.remaining == 0
    assert ann.balance("USDT").total >= 0
    assert ann.balance("USDT").locked == 0

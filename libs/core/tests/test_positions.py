"""Positions: hand-computed cases, then the identities that must hold for any fills."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from algotrendy_common.enums import Liquidity, Side
from algotrendy_common.errors import InvariantBroken, Refused
from algotrendy_core.fills import Fill
from algotrendy_core.positions import Portfolio, Position, apply_fill
from hypothesis import given
from hypothesis import strategies as st

KEY = ("binance", "BTC-USDT")
FLAT = Position("binance", "BTC-USDT", "BTC", "USDT")


def fill(side: str, quantity: str, price: str, fee: str = "0", currency: str = "USDT", trade_id: str = "1") -> Fill:
    return Fill(
        trade_id, "v1", "binance", "BTC-USDT", Side(side), Decimal(price), Decimal(quantity), Decimal(fee), currency,
        Liquidity.TAKER, datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip


def after(*fills: Fill) -> Position:
    position = FLAT
    for one in fills:
        position = apply_fill(position, one)
    return position


def test_average_cost_over_two_buys_and_a_part_sale() -> None:
    position = after(fill("buy", "1", "100", "0.1"), fill("buy", "3", "120", "0.36"), fill("sell", "2", "130", "0.26"))
    assert position.quantity == 2
    assert position.average_price == 115
    assert position.realised_pnl == 30
    assert position.fees == Decimal("0.72")
    assert position.net_realised_pnl == Decimal("29.28")
    assert position.unrealised_pnl(Decimal(110)) == -10


def test_a_fee_in_base_makes_the_holding_smaller_and_leaves_the_price() -> None:
    position = after(fill("buy", "1", "100", "0.001", "BTC"))
    assert position.quantity == Decimal("0.999")
    assert position.average_price == 100
    assert position.fees == Decimal("0.1")


def test_through_zero_closes_and_opens() -> None:
    position = after(fill("buy", "1", "100"), fill("sell", "3", "110"))
    assert position.quantity == -2
    assert position.average_price == 110
    assert position.realised_pnl == 10
    assert position.unrealised_pnl(Decimal(100)) == 20


def test_flat_has_no_average_price() -> None:
    position = after(fill("buy", "0.3", "100"), fill("sell", "0.3", "90"))
    assert position.quantity == 0
    assert position.cost == 0
    assert position.average_price is None
    assert position.realised_pnl == -3


def test_a_fee_in_a_third_currency_is_priced_or_kept_apart() -> None:
    bought = fill("buy", "1", "100", "0.01", "BNB")
    assert apply_fill(FLAT, bought).unpriced_fees == (("BNB", Decimal("0.01")),)
    assert apply_fill(FLAT, bought).fees == 0
    assert apply_fill(FLAT, bought, fee_price=Decimal(500)).fees == 5
    assert after(bought, bought).unpriced_fees == (("BNB", Decimal("0.02")),)


def test_a_fill_of_another_instrument_is_refused() -> None:
    with pytest.raises(InvariantBroken):
        apply_fill(Position("binance", "LTC-USDT", "LTC", "USDT"), fill("buy", "1", "100"))


def test_equity_needs_every_mark() -> None:
    portfolio = Portfolio("USDT", Decimal(1000)).apply(fill("buy", "1", "100", "1"), base="BTC")
    assert portfolio.cash == 899
    assert portfolio.equity({KEY: Decimal(105)}) == 1004
    assert portfolio.exposure({KEY: Decimal(105)}) == 105
    assert portfolio.unrealised_pnl({KEY: Decimal(105)}) == 5
    with pytest.raises(Refused) as refused:
        portfolio.equity({})
    assert refused.value.code == "mark_unknown"
    assert portfolio.apply(fill("sell", "1", "100"), base="BTC").equity({}) == 999


cents = st.integers(1, 100_000).map(lambda number: Decimal(number) / 100)
steps = st.integers(1, 100_000).map(lambda number: Decimal(number) / 1000)
any_fills = st.lists(
    st.builds(
        lambda side, price, quantity, rate, currency: fill(
            side, str(quantity), str(price),
            str(quantity * rate if currency == "BTC" else price * quantity * rate), currency,
        ),
        st.sampled_from(["buy", "sell"]), cents, steps, st.sampled_from(["0", "0.001", "-0.0001"]).map(Decimal),
        st.sampled_from(["USDT", "BTC"]),
    ),
    max_size=12,
)  # fmt: skip


@given(any_fills, cents)
def test_pnl_is_the_change_of_cash_plus_the_holding(fills: list[Fill], mark: Decimal) -> None:
    portfolio = Portfolio("USDT", Decimal(10_000))
    for one in fills:
        portfolio = portfolio.apply(one, base="BTC")
    position = portfolio.positions.get(KEY, FLAT)
    profit = position.realised_pnl + position.unrealised_pnl(mark) - position.fees
    change = portfolio.equity({KEY: mark}) - 10_000
    assert abs(profit - change) < Decimal("1e-12")


@given(any_fills)
def test_quantity_is_what_was_traded_less_base_fees(fills: list[Fill]) -> None:
    position = after(*fills)
    traded = sum((one.side.sign * one.quantity for one in fills), Decimal(0))
    in_base = sum((one.fee for one in fills if one.fee_currency == "BTC"), Decimal(0))
    assert position.quantity == traded - in_base
    assert position.quantity * position.cost >= 0

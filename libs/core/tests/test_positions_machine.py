"""Positions and P&L against an independent model, which keeps every fill and works it all out anew, in fractions.

The code under test carries a running cost; the model takes what was realised from the cash flows of the stretches from
flat to flat, and of the open one what its cost leaves.
"""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from algotrendy_common.enums import Liquidity, Side
from algotrendy_core.fills import Fill
from algotrendy_core.positions import Portfolio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

CASH = Decimal(10_000)
SYMBOLS = ("BTC-USDT", "LTC-USDT")
CLOSE = Fraction(1, 10**15)
"""Average costs are quotients: the code has 28 digits for them."""
Move = tuple[Fraction, Fraction]
"""A signed change of the holding and the price it happened at."""


def average_cost(moves: list[Move]) -> tuple[Fraction, Fraction, Fraction]:
    """Holding, what it cost, and what was realised: the cash flows of closed stretches, and a share of the open one."""
    held = sum((change for change, _ in moves), Fraction(0))
    pieces: list[Move] = []
    level = Fraction(0)
    for change, price in moves:
        # A move through zero is two: it closes, then opens.
        closing = -level if level * (level + change) < 0 else Fraction(0)
        pieces += [(closing, price), (change - closing, price)] if closing else [(change, price)]
        level += change
    realised = Fraction(0)
    stretch: list[Move] = []
    level = Fraction(0)
    for change, price in pieces:
        stretch.append((change, price))
        level += change
        if not level:
            realised -= sum((one * at for one, at in stretch), Fraction(0))
            stretch = []
    cost = _open_cost(stretch)
    # Of the stretch that is open: what came in less what it cost now stands against what went out.
    return held, cost, realised + cost - sum((one * at for one, at in stretch), Fraction(0))


def _open_cost(stretch: list[Move]) -> Fraction:
    """Each reduction takes its share of the cost: the product of the shares that stayed, for each opening."""
    cost, held = Fraction(0), Fraction(0)
    for change, price in stretch:
        if held * change >= 0:
            cost += change * price
        else:
            cost *= 1 + change / held
        held += change
    return cost


class Positions(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.portfolio = Portfolio("USDT", CASH)
        self.fills: list[Fill] = []
        self.marks = {("binance", symbol): Decimal(100) for symbol in SYMBOLS}

    @rule(
        symbol=st.sampled_from(SYMBOLS), side=st.sampled_from(Side), steps=st.integers(1, 5_000),
        cents=st.integers(100, 30_000), rate=st.sampled_from(("0", "0.001", "-0.0002")),
        currency=st.sampled_from(("USDT", "base", "BNB")),
    )  # fmt: skip
    def trade(self, symbol: str, side: Side, steps: int, cents: int, rate: str, currency: str) -> None:
        self._take(symbol, side, Decimal(steps) / 1000, Decimal(cents) / 100, Decimal(rate), currency)

    @rule(symbol=st.sampled_from(SYMBOLS), cents=st.integers(100, 30_000), times=st.sampled_from((1, 2)))
    def leave_or_turn(self, symbol: str, cents: int, times: int) -> None:
        """Exactly flat, or to the same size on the other side."""
        held = self.portfolio.positions.get(("binance", symbol))
        if held is None or not held.quantity:
            return
        side = Side.SELL if held.quantity > 0 else Side.BUY
        self._take(symbol, side, abs(held.quantity) * times, Decimal(cents) / 100, Decimal("0.001"), "USDT")

    @rule(symbol=st.sampled_from(SYMBOLS), cents=st.integers(1, 50_000))
    def mark(self, symbol: str, cents: int) -> None:
        self.marks[("binance", symbol)] = Decimal(cents) / 100

    def _take(self, symbol: str, side: Side, quantity: Decimal, price: Decimal, rate: Decimal, currency: str) -> None:
        base = symbol.split("-")[0]
        paid = quantity * rate * (1 if currency == "base" else price)
        fill = Fill(
            str(len(self.fills)), "v", "binance", symbol, side, price, quantity, paid,
            base if currency == "base" else currency, Liquidity.TAKER, datetime(2026, 1, 2, tzinfo=UTC),
        )  # fmt: skip
        self.fills.append(fill)
        self.portfolio = self.portfolio.apply(fill, base=base)

    @invariant()
    def the_model_agrees(self) -> None:
        equity = cash = Fraction(CASH)
        for key, mark in self.marks.items():
            mine = [fill for fill in self.fills if fill.symbol == key[1]]
            base = key[1].split("-")[0]
            moves = [
                (
                    fill.side.sign * Fraction(fill.quantity)
                    - (Fraction(fill.fee) if fill.fee_currency == base else Fraction(0)),
                    Fraction(fill.price),
                )
                for fill in mine
            ]
            held, cost, realised = average_cost(moves)
            fees = sum((_in_quote(fill, base) for fill in mine), Fraction(0))
            position = self.portfolio.positions.get(key)
            assert (position is None) == (not mine)
            if position is None:
                continue
            assert Fraction(position.quantity) == held
            assert abs(Fraction(position.cost) - cost) < CLOSE
            assert abs(Fraction(position.realised_pnl) - realised) < CLOSE
            assert abs(Fraction(position.fees) - fees) < CLOSE
            assert abs(Fraction(position.unrealised_pnl(mark)) - (held * Fraction(mark) - cost)) < CLOSE
            other = sum((Fraction(fill.fee) for fill in mine if fill.fee_currency == "BNB"), Fraction(0))
            assert sum((Fraction(amount) for _, amount in position.unpriced_fees), Fraction(0)) == other
            flows = sum((fill.side.sign * Fraction(fill.quantity) * Fraction(fill.price) for fill in mine), Fraction(0))
            quoted = sum((Fraction(fill.fee) for fill in mine if fill.fee_currency == "USDT"), Fraction(0))
            cash -= flows + quoted
            equity -= flows + quoted - held * Fraction(mark)
        assert abs(Fraction(self.portfolio.cash) - cash) < CLOSE
        assert abs(Fraction(self.portfolio.equity(self.marks)) - equity) < CLOSE


def _in_quote(fill: Fill, base: str) -> Fraction:
    if fill.fee_currency == base:
        return Fraction(fill.fee) * Fraction(fill.price)
    return Fraction(fill.fee) if fill.fee_currency == "USDT" else Fraction(0)


TestPositions = Positions.TestCase
TestPositions.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)

"""No sequence of proposals, fills and endings breaches a limit: a state machine against plain sums of its own.

Prices stand still, so that every figure of a limit is the same whenever it is computed.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import FeedState, OrderStatus, Side
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.events.order import OrderFilled, OrderOrigin, OrderTerms, OrderUpdated
from algotrendy_common.ids import client_order_id, derived_id
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_risk.domain.assessment import Approval, assess, recent_kept
from algotrendy_risk.domain.book import AccountBook, Day
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.settings import PAPER_LIMITS
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
CASH = Decimal(70_000)
PRICES = {"BTC-USDT": Decimal(20_000), "LTC-USDT": Decimal(100)}
SYMBOLS = tuple(PRICES)
STEPS = (1, 250, 700, 1200, 1800, 2500)
LIMITS = PAPER_LIMITS.model_copy(
    update={"max_orders": 15, "max_open_orders": 6, "duplicate_window": timedelta(0)}
    | dict.fromkeys(("max_account_age", "max_data_age", "max_feed_silence"), timedelta(days=1))
)  # fmt: skip


class Orders(RuleBasedStateMachine):
    """Keeps its own list of what was approved and what traded."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(NOW)
        self.events = EventFactory("test", self.clock)
        self.market = MarketView()
        self.market.take_confirmation("paper-1", NOW)
        self.market.take_feed(
            self.events.make(
                FeedHealthChanged, venue="binance", state=FeedState.LIVE, latency_ms=None, last_message_at=None,
                stale_symbols=(), gaps=0, reconnects=0, replay=False,
            )
        )  # fmt: skip
        for symbol, price in PRICES.items():
            self.market.take_instrument(
                InstrumentInfo(
                    venue="binance", symbol=symbol, base=symbol[:3], quote="USDT", price_step="0.01",
                    quantity_step="0.001", min_quantity="0.001", max_quantity="9000", min_notional="5",
                    maker_fee="0.001", taker_fee="0.001",
                )
            )  # fmt: skip
            self.market.take_quote(
                self.events.make(
                    QuoteChanged, venue="binance", symbol=symbol, bid=price, bid_quantity=Decimal(1), ask=price,
                    ask_quantity=Decimal(1),
                )
            )  # fmt: skip
        self.book = AccountBook(
            "paper-1", "binance", "USDT", 0, NOW, limits=LIMITS, anchored=True, cash=CASH, observed_cash=CASH,
            balance_at=NOW, reconciled=True, reconciled_at=NOW, day=Day(NOW.date(), CASH, Decimal(0), Decimal(0)),
            high_water=CASH,
        )  # fmt: skip
        self.made = 0
        self.open: dict[str, tuple[OrderTerms, Decimal]] = {}
        self.held = dict.fromkeys(PRICES, Decimal(0))
        self.cash = CASH
        self.let_through: list[datetime] = []

    @rule(
        symbol=st.sampled_from(SYMBOLS), side=st.sampled_from(Side), steps=st.sampled_from(STEPS), limit=st.booleans()
    )
    def propose(self, symbol: str, side: Side, steps: int, limit: bool) -> None:
        self.judge(symbol, side, steps, limit)

    def judge(self, symbol: str, side: Side, steps: int, limit: bool) -> str:
        self.made += 1
        unit = Decimal("0.001") if symbol == "BTC-USDT" else Decimal("0.2")
        order = OrderTerms(
            order_id=derived_id("order", self.made), account="paper-1", venue="binance", symbol=symbol, side=side,
            type="limit" if limit else "market", limit_price=PRICES[symbol] if limit else None, quantity=unit * steps,
        )  # fmt: skip
        now = self.clock.now()
        decision = assess(
            order, book=self.book, market=self.market, proposed_at=now, now=now, approval_lifetime=timedelta(seconds=10)
        )
        if isinstance(decision, Approval):
            self.book = self.book.with_approval(decision.reservation, recent_kept(LIMITS))
            self.open[order.order_id] = (order, order.quantity)
            self.let_through.append(now)
            return "approved"
        return decision.code

    @rule(which=st.integers(0, 5), part=st.sampled_from((1, 1, 2)), told=st.booleans())
    def fill(self, which: int, part: int, told: bool) -> None:
        """A part of an open order trades; its position event has not come yet where ``told`` is false."""
        if not self.open:
            return
        order, left = self.open[sorted(self.open)[which % len(self.open)]]
        quantity = (left / part).quantize(Decimal("0.001")) or left
        quantity = min(quantity, left)
        self.made += 1
        event = self.events.make(
            OrderFilled, order_id=order.order_id, client_order_id=client_order_id(order.order_id), account="paper-1",
            venue="binance", symbol=order.symbol, trade_id=str(self.made), side=order.side, price=PRICES[order.symbol],
            quantity=quantity, fee=quantity * PRICES[order.symbol] * Decimal("0.001"), fee_currency="USDT",
            liquidity="taker", strategy=None,
        )  # fmt: skip
        self.book, _ = self.book.with_fill(event, self.book.reservations.get(order.order_id), self.clock.now())
        self.held[order.symbol] += order.side.sign * quantity
        self.cash -= order.side.sign * quantity * PRICES[order.symbol] + event.fee
        if told:
            self._tell()
        if quantity == left:
            del self.open[order.order_id]
            self._update(order, OrderStatus.FILLED)
        else:
            self.open[order.order_id] = (order, left - quantity)

    @rule(which=st.integers(0, 100), status=st.sampled_from([OrderStatus.CANCELLED, OrderStatus.LOST]))
    def end(self, which: int, status: OrderStatus) -> None:
        if not self.open:
            return
        order, _ = self.open[sorted(self.open)[which % len(self.open)]]
        if status.terminal:
            del self.open[order.order_id]
        self._update(order, status)

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @rule()
    def hear_of_the_account(self) -> None:
        self._tell()

    def _tell(self) -> None:
        """Position and balance events arrive: the second witness agrees with the first."""
        holdings = {
            key: replace(row, observed=replace(row.observed, quantity=row.derived.quantity))
            for key, row in self.book.holdings.items()
        }
        self.book = replace(self.book, holdings=holdings, observed_cash=self.book.cash)

    def _update(self, order: OrderTerms, status: OrderStatus) -> None:
        known = self.book.reservations.get(order.order_id)
        if known is None:
            return
        event = self.events.make(
            OrderUpdated, revision=known.revision + 1, terms=order, origin=OrderOrigin(source="trader"),
            client_order_id=client_order_id(order.order_id), venue_order_id=None, status=status,
            filled_quantity=known.filled, average_price=None, fee=Decimal(0), fee_currency=None, reason_code=None,
            reason_message=None, created_at=self.clock.now(), submitted_at=None,
        )  # fmt: skip
        self.book, _ = self.book.with_update(event, known, None, Decimal(0))

    @invariant()
    def no_limit_is_breached(self) -> None:
        gross = Decimal(0)
        spendable = self.cash
        for symbol, price in PRICES.items():
            buys = sum(
                (left for order, left in self.open.values() if order.symbol == symbol and order.side is Side.BUY),
                Decimal(0),
            )
            sells = sum(
                (left for order, left in self.open.values() if order.symbol == symbol and order.side is Side.SELL),
                Decimal(0),
            )
            most, least = self.held[symbol] + buys, self.held[symbol] - sells
            assert least >= 0
            assert most * price <= LIMITS.max_position_notional
            gross += most * price
            spendable -= buys * price * Decimal("1.001")
        assert gross <= LIMITS.max_gross_exposure
        assert spendable >= 0
        assert len(self.open) <= LIMITS.max_open_orders
        now = self.clock.now()
        assert sum(1 for at in self.let_through if now - at < LIMITS.rate_window) <= LIMITS.max_orders

    @invariant()
    def the_book_reserves_exactly_what_is_open(self) -> None:
        assert {key: row.outstanding for key, row in self.book.reservations.items()} == {
            key: left for key, (_, left) in self.open.items()
        }
        assert self.book.cash == self.cash


@pytest.mark.parametrize("seed", range(4))
def test_long_walks_that_mostly_buy(seed):
    """Hypothesis looks for the smallest breach; these walk on until the limits are reached from every side."""
    chance = Random(seed)
    codes: set[str] = set()
    for _ in range(60):
        orders = Orders()
        for _ in range(50):
            match chance.choices(("propose", "fill", "end", "wait", "hear"), (45, 35, 10, 5, 5))[0]:
                case "propose":
                    side = Side.BUY if chance.random() < 0.75 else Side.SELL
                    codes.add(orders.judge(chance.choice(SYMBOLS), side, chance.choice(STEPS), chance.random() < 0.5))
                case "fill":
                    orders.fill(chance.randrange(6), chance.choice((1, 1, 2)), chance.random() < 0.3)
                case "end":
                    orders.end(chance.randrange(6), chance.choice((OrderStatus.CANCELLED, OrderStatus.LOST)))
                case "wait":
                    orders.wait(chance.randrange(1, 40))
                case "hear":
                    orders.hear_of_the_account()
            orders.no_limit_is_breached()
            orders.the_book_reserves_exactly_what_is_open()
    assert {"approved", "max_position", "short_not_allowed", "buying_power", "max_open_orders"} <= codes


TestLimitsHold = Orders.TestCase
TestLimitsHold.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)

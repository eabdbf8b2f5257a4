"""Any sequence of proposals, fills, endings, halts and moving prices, under risk and under the model.

Invariant: what risk lets through, the model lets through; what risk refuses, the model refuses for that very reason.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random

from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import FeedState, HaltLevel, OrderSource, OrderStatus, Side
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.events.order import OrderFilled, OrderOrigin, OrderTerms, OrderUpdated
from algotrendy_common.ids import client_order_id, derived_id
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.assessment import Approval, Asked, Decision, Standing, assess, recent_kept
from algotrendy_risk.domain.book import AccountBook, Day
from algotrendy_risk.domain.day import turn
from algotrendy_risk.domain.halts import ALL, HaltBoard, engaged, released
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.settings import PAPER_LIMITS
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.faults.risk.model import Model, Placed

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
CASH = Decimal(70_000)
PERP = "BTC-USDT-PERP"
PRICES = {"BTC-USDT": Decimal(20_000), "LTC-USDT": Decimal(100), PERP: Decimal(20_000)}
SYMBOLS = tuple(PRICES)
UNITS = {"BTC-USDT": Decimal("0.001"), "LTC-USDT": Decimal("0.2"), PERP: Decimal("0.001")}
STEPS = (50, 250, 700, 1200, 1800, 2500)
STRATEGIES = ("a", "b", None)
LEVERAGES = (None, 2, 3, 5)
SELDOM = st.sampled_from((False, False, False, True))
LEVELS = {"global": (HaltLevel.GLOBAL, ALL), "account": (HaltLevel.ACCOUNT, "paper-1"), "a": (HaltLevel.STRATEGY, "a")}
FEE = Decimal("0.001")
DAY = timedelta(hours=11)
LIMITS = AccountLimits.model_validate(
    PAPER_LIMITS.model_dump()
    | {
        "instruments": [{"venue": "binance", "symbol": symbol} for symbol in SYMBOLS],
        "max_order_notional": "45000", "max_position_notional": "50000", "max_gross_exposure": "80000",
        "max_net_exposure": "70000", "max_concentration": "0.7", "max_leverage": "3", "allow_short": True,
        "max_orders": 6, "max_strategy_orders": 4, "max_instrument_orders": 5, "max_open_orders": 4,
        "max_repeats": 2, "repeat_window": timedelta(seconds=200), "duplicate_window": timedelta(0),
        "drift_window": timedelta(seconds=30), "max_drift": "0.03", "max_daily_loss": "5500", "max_drawdown": "0.06",
        "approval_notional": "30000", "approval_daily_notional": "60000", "reductions_while_halted": True,
    }
    | dict.fromkeys(("max_account_age", "max_data_age", "max_feed_silence"), timedelta(days=1))
)  # fmt: skip


def exact(value: object) -> object:
    if isinstance(value, Decimal):
        return Fraction(value)
    return value.total_seconds() if isinstance(value, timedelta) else value


class Accounts(RuleBasedStateMachine):
    """One account under risk's own code and under the model, side by side."""

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
            perpetual = symbol == PERP
            self.market.take_instrument(
                InstrumentInfo(
                    venue="binance", symbol=symbol, base=symbol[:3], quote="USDT", price_step="0.01",
                    quantity_step="0.00001", min_quantity="0.00001", max_quantity="9000", min_notional="5",
                    maker_fee=FEE, taker_fee=FEE, kind="perpetual" if perpetual else "spot",
                    max_leverage=Decimal(20 if perpetual else 1),
                )
            )  # fmt: skip
            self._quote(symbol, price)
        self.book = AccountBook(
            "paper-1", "binance", "USDT", 0, NOW, limits=LIMITS, anchored=True, cash=CASH, observed_cash=CASH,
            balance_at=NOW, reconciled=True, reconciled_at=NOW, day=Day(NOW.date(), CASH, Decimal(0), Decimal(0)),
            high_water=CASH,
        )  # fmt: skip
        limits = {name: exact(value) for name, value in LIMITS}
        self.model = Model(limits, Fraction(CASH), {symbol: Fraction(price) for symbol, price in PRICES.items()})
        self.board = HaltBoard()
        self.off: dict[str, str] = {}
        self.enabled: dict[str, datetime] = {}
        self.made = 0
        self.codes: dict[str, int] = {}
        """How often risk gave each answer."""
        self.steps = 0

    # -- proposals ---------------------------------------------------------------------------------------------

    @rule(
        symbol=st.sampled_from(SYMBOLS), side=st.sampled_from(Side), steps=st.sampled_from(STEPS),
        kind=st.sampled_from(("market", "limit", "stop")), strategy=st.sampled_from(STRATEGIES),
        away=st.integers(-6, 6), reduce_only=SELDOM, amend=SELDOM, leverage=st.sampled_from(LEVERAGES),
        person=st.booleans(),
    )  # fmt: skip
    def propose(
        self, symbol: str, side: Side, steps: int, kind: str, strategy: str | None, away: int, reduce_only: bool,
        amend: bool, leverage: int | None, person: bool,
    ) -> None:  # fmt: skip
        terms = self._terms(symbol, side, steps, kind, away, reduce_only, amend, leverage)
        placed = self._placed(terms, kind, strategy)
        decision = self._judge(terms, strategy)
        expected = self.model.violations(placed)
        if isinstance(decision, Asked):
            assert decision.needed.code in expected, (decision, expected)
            assert expected <= {"approval_notional", "approval_daily_notional"}
            self._count(decision.needed.code)
            if not person:
                return
            decision = self._judge(terms, strategy, agreed=True)
            expected = self.model.violations(placed, agreed=True)
        if isinstance(decision, Approval):
            assert not expected, ("let through", expected, terms)
            self._count("approved")
            assert Fraction(decision.notional) == placed.quantity * placed.valued
            placed.unattended = Fraction(decision.unattended)
            assert placed.unattended in (0, placed.quantity * placed.valued)
            self.book = self.book.with_approval(decision.reservation, recent_kept(LIMITS), decision.unattended)
            self.model.orders.append(placed)
            return
        assert not isinstance(decision, Asked)
        assert decision.code in expected, (decision, expected, terms)
        self._count(decision.code)
        if decision.code == "execution_throttle":
            assert strategy is not None
            self.off[strategy] = decision.message
            self.model.off.add(strategy)

    def _terms(
        self, symbol: str, side: Side, steps: int, kind: str, away: int, reduce_only: bool, amend: bool,
        leverage: int | None,
    ) -> OrderTerms:  # fmt: skip
        self.made += 1
        price = self._price(symbol)
        limit = trigger = None
        if kind == "limit":
            limit = (price * (100 + away) / 100).quantize(Decimal("0.01"))
        if kind == "stop":
            trigger = (price * (100 + side.sign * (abs(away) + 1)) / 100).quantize(Decimal("0.01"))
        replaced = None
        if amend:
            mine = [one for one in self.model.orders if one.alive and not one.guard and one.symbol == symbol]
            # Only a first amendment: two under way at once are counted as more than they can do.
            named = {one.replaces for one in mine}
            free = [one for one in mine if one.buy is (side is Side.BUY) and one.replaces is None]
            free = [one for one in free if one.name not in named and one.name in self.book.reservations]
            replaced = free[self.made % len(free)].name if free else None
        return OrderTerms(
            order_id=derived_id("order", self.made), account="paper-1", venue="binance", symbol=symbol, side=side,
            type=kind, limit_price=limit, trigger_price=trigger, quantity=UNITS[symbol] * steps, replaces=replaced,
            reduce_only=reduce_only, leverage=leverage if symbol == PERP else None,
        )  # fmt: skip

    def _placed(self, terms: OrderTerms, kind: str, strategy: str | None, guard: bool = False) -> Placed:
        named = [terms.limit_price, terms.trigger_price, self._price(terms.symbol)]
        return Placed(
            terms.order_id, terms.symbol, terms.side is Side.BUY, kind, Fraction(terms.quantity),
            None if terms.limit_price is None else Fraction(terms.limit_price),
            None if terms.trigger_price is None else Fraction(terms.trigger_price),
            Fraction(max(price for price in named if price is not None)), Fraction(terms.leverage or 1),
            terms.reduce_only, strategy, self.model.now, guard, terms.replaces,
        )  # fmt: skip

    def _judge(self, terms: OrderTerms, strategy: str | None, *, agreed: bool = False) -> Decision:
        now = self.clock.now()
        source = OrderSource.STRATEGY if strategy else OrderSource.TRADER
        standing = Standing(
            self.board.over("paper-1", strategy), self.off.get(strategy or ""), self.enabled.get(strategy or "")
        )
        return assess(
            terms, OrderOrigin(source=source, strategy=strategy), book=self.book, market=self.market, standing=standing,
            proposed_at=now, now=now, approval_lifetime=timedelta(seconds=10), person_agreed=agreed,
        )  # fmt: skip

    def _count(self, code: str) -> None:
        self.codes[code] = self.codes.get(code, 0) + 1

    # -- what becomes of them ----------------------------------------------------------------------------------

    @rule(which=st.integers(0, 5), part=st.sampled_from((1, 1, 2)), told=st.booleans())
    def fill(self, which: int, part: int, told: bool) -> None:
        """A part of an open order trades; its position event has not come yet where ``told`` is false."""
        alive = [one for one in self.model.orders if one.alive]
        if not alive:
            return
        order = alive[which % len(alive)]
        known = self.book.reservations[order.name]
        terms, left = known.terms, known.outstanding
        quantity = min((left / part).quantize(Decimal("0.00001")) or left, left)
        price = terms.limit_price or terms.trigger_price or self._price(terms.symbol)
        self.made += 1
        event = self.events.make(
            OrderFilled, order_id=order.name, client_order_id=client_order_id(order.name), account="paper-1",
            venue="binance", symbol=order.symbol, trade_id=str(self.made), side=terms.side, price=price,
            quantity=quantity, fee=quantity * price * FEE, fee_currency="USDT", liquidity="taker", strategy=None,
        )  # fmt: skip
        self.book, _ = self.book.with_fill(event, known, self.clock.now())
        self.model.fills.append((order.symbol, order.buy, Fraction(quantity), Fraction(price)))
        order.filled += Fraction(quantity)
        for other in alive:
            # What an amended order fills is not traded again by the one that takes its place.
            if other.replaces == order.name and other.left > order.left:
                self._end(other, OrderStatus.CANCELLED)
        if told:
            self.hear_of_the_account()
        if not order.left:
            self._end(order, OrderStatus.FILLED)

    @rule(which=st.integers(0, 100), status=st.sampled_from([OrderStatus.CANCELLED, OrderStatus.LOST]))
    def end(self, which: int, status: OrderStatus) -> None:
        alive = [one for one in self.model.orders if one.alive]
        if alive:
            self._end(alive[which % len(alive)], status)

    def _end(self, order: Placed, status: OrderStatus) -> None:
        """``LOST`` is no end: it may trade still."""
        known = self.book.reservations.get(order.name)
        order.alive = not status.terminal
        if known is None:
            return
        self.book, _ = self.book.with_update(
            self._update(known.terms, status, known.revision + 1, known.filled, OrderSource.TRADER), known, None, FEE
        )

    @rule(symbol=st.sampled_from(SYMBOLS))
    def guard(self, symbol: str) -> None:
        """The gateway places a stop for all that is held."""
        held = self.book.holding("binance", symbol).derived.quantity
        if not held or any(one.guard and one.alive and one.symbol == symbol for one in self.model.orders):
            return
        self.made += 1
        side = Side.SELL if held > 0 else Side.BUY
        price = (self._price(symbol) * (100 - 5 * (1 if held > 0 else -1)) / 100).quantize(Decimal("0.01"))
        terms = OrderTerms(
            order_id=derived_id("order", self.made), account="paper-1", venue="binance", symbol=symbol, side=side,
            type="stop", trigger_price=price, quantity=abs(held), reduce_only=True,
        )  # fmt: skip
        event = self._update(terms, OrderStatus.OPEN, 1, Decimal(0), OrderSource.PROTECTION)
        self.book, _ = self.book.with_update(event, None, self._price(symbol), FEE)
        self.model.orders.append(self._placed(terms, "stop", None, guard=True))

    def _update(
        self, terms: OrderTerms, status: OrderStatus, revision: int, filled: Decimal, source: OrderSource
    ) -> OrderUpdated:
        return self.events.make(
            OrderUpdated, revision=revision, terms=terms, origin=OrderOrigin(source=source),
            client_order_id=client_order_id(terms.order_id), venue_order_id=None, status=status,
            filled_quantity=filled, average_price=None, fee=Decimal(0), fee_currency=None, reason_code=None,
            reason_message=None, created_at=self.clock.now(), submitted_at=None,
        )  # fmt: skip

    # -- the world ---------------------------------------------------------------------------------------------

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        if self.clock.now() - NOW > DAY:
            return
        self.clock.advance(timedelta(seconds=seconds))
        self.model.now += seconds

    @rule(symbol=st.sampled_from(SYMBOLS), percent=st.integers(-4, 4))
    def move(self, symbol: str, percent: int) -> None:
        price = (self._price(symbol) * (100 + percent) / 100).quantize(Decimal("0.01"))
        self._quote(symbol, price)
        self.model.move(symbol, Fraction(price))

    @rule()
    def hear_of_the_account(self) -> None:
        """Position and balance events arrive: the second witness agrees with the first."""
        holdings = {
            key: replace(row, observed=replace(row.observed, quantity=row.derived.quantity))
            for key, row in self.book.holdings.items()
        }
        self.book = replace(self.book, holdings=holdings, observed_cash=self.book.cash)
        self.model.told_fills = len(self.model.fills)

    @rule()
    def look(self) -> None:
        self.book = turn(self.book, self.market, self.clock.now())
        self.model.high = max(self.model.high, self.model.equity())

    @rule(at=st.sampled_from(sorted(LEVELS)), now=SELDOM)
    def halt(self, at: str, now: bool) -> None:
        if not now:
            return
        key = LEVELS[at]
        self.board.take(engaged(self.board.halts.get(key), key, "tom", "drill", False, self.clock.now()))
        self.model.halts.add((key[0].value, key[1]))

    @rule()
    def release_everything(self) -> None:
        for halt in self.board.engaged():
            now = self.clock.now()
            asked = released(halt, "ada", now, timedelta(hours=1))
            self.board.take(released(asked, "bob", now, timedelta(hours=1)))
        self.model.halts.clear()
        for strategy in tuple(self.off):
            del self.off[strategy]
            self.enabled[strategy] = self.clock.now()
            self.model.enabled[strategy] = self.model.now
        self.model.off.clear()

    def _price(self, symbol: str) -> Decimal:
        return self.market.quotes[("binance", symbol)].ask

    def _quote(self, symbol: str, price: Decimal) -> None:
        one = Decimal(1)
        self.market.take_quote(
            self.events.make(
                QuoteChanged, venue="binance", symbol=symbol, bid=price, bid_quantity=one, ask=price, ask_quantity=one
            )
        )

    # -- what always holds -------------------------------------------------------------------------------------

    @invariant()
    def the_book_says_what_happened(self) -> None:
        open_rows = {one.name: one.left for one in self.model.orders if one.alive}
        assert {key: Fraction(row.outstanding) for key, row in self.book.reservations.items()} == open_rows
        assert self.book.cash is not None
        assert abs(Fraction(self.book.cash) - self.model.wallet()) < Fraction(1, 10**12)
        for symbol in SYMBOLS:
            assert Fraction(self.book.holding("binance", symbol).derived.quantity) == self.model.held(symbol)

    @invariant()
    def nothing_halted_trades_and_no_count_is_over(self) -> None:
        self.steps += 1
        assert len(self.model.working()) <= LIMITS.max_open_orders
        lately = [
            one
            for one in self.model.orders
            if not one.guard and self.model.now - one.at < LIMITS.rate_window.total_seconds()
        ]
        assert len(lately) <= LIMITS.max_orders


def walk(chance: Random, steps: int) -> Accounts:
    """Hypothesis looks for the smallest contradiction; this one walks on until limits are reached from every side."""
    accounts = Accounts()
    actions = ("propose", "fill", "end", "wait", "move", "hear", "look", "guard", "halt", "release")
    lean = chance.choice((0.3, 0.5, 0.8))
    for _ in range(steps):
        match chance.choices(actions, (50, 30, 4, 12, 8, 6, 6, 2, 1, 5))[0]:
            case "propose":
                accounts.propose(
                    chance.choice(SYMBOLS), Side.BUY if chance.random() < lean else Side.SELL, chance.choice(STEPS),
                    chance.choice(("market", "limit", "stop")), chance.choice(STRATEGIES), chance.randrange(-6, 7),
                    chance.random() < 0.1, chance.random() < 0.2, chance.choice(LEVERAGES), chance.random() < 0.7,
                )  # fmt: skip
            case "fill":
                accounts.fill(chance.randrange(6), chance.choice((1, 1, 2)), chance.random() < 0.5)
            case "end":
                accounts.end(chance.randrange(6), chance.choice((OrderStatus.CANCELLED, OrderStatus.LOST)))
            case "wait":
                accounts.wait(chance.randrange(1, 40))
            case "move":
                accounts.move(chance.choice(SYMBOLS), chance.randrange(-4, 5))
            case "hear":
                accounts.hear_of_the_account()
            case "look":
                accounts.look()
            case "guard":
                accounts.guard(chance.choice(SYMBOLS))
            case "halt":
                accounts.halt(chance.choice(sorted(LEVELS)), True)
            case "release":
                accounts.release_everything()
        accounts.the_book_says_what_happened()
        accounts.nothing_halted_trades_and_no_count_is_over()
    return accounts

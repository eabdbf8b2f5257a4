"""Books, reservations, valuation, days and the assessment, without a server."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.enums import FeedState, HaltLevel, OrderSource, OrderStatus
from algotrendy_common.errors import Refused
from algotrendy_common.events.account import (
    AccountReconciled,
    AssetBalance,
    BalanceChanged,
    PositionChanged,
    ReconciliationDifference,
)
from algotrendy_common.events.order import OrderFilled, OrderOrigin, OrderTerms, OrderUpdated
from algotrendy_common.events.risk import TradingState
from algotrendy_common.ids import client_order_id, new_id
from algotrendy_core.limits import Violated
from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.assessment import Approval, Asked, Standing, assess
from algotrendy_risk.domain.day import alarms, anchor, resumed, turn
from algotrendy_risk.domain.halts import ALL, Halt, HaltBoard, engaged, halt_key, released
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.reservations import Reservation
from algotrendy_risk.domain.valuation import limit_uses, value
from algotrendy_risk.settings import PAPER_LIMITS

ZERO = Decimal(0)
SINCE = datetime(2026, 3, 4, 12, tzinfo=UTC)


def terms(**changes) -> OrderTerms:
    values = {
        "order_id": new_id(), "account": "paper-1", "venue": "binance", "symbol": "BTC-USDT", "side": "buy",
        "type": "market", "quantity": Decimal("0.5"),
    }  # fmt: skip
    return OrderTerms(**(values | changes))


def judged(order, book, market, now, source="strategy", strategy="s", **changes):
    values = {
        "book": book, "market": market, "standing": Standing(), "proposed_at": now, "now": now,
        "approval_lifetime": timedelta(seconds=10),
    }  # fmt: skip
    return assess(order, OrderOrigin(source=source, strategy=strategy), **(values | changes))


def halt(at=(HaltLevel.ACCOUNT, "paper-1"), **changes) -> Halt:
    values = {"revision": 1, "engaged": True, "by": "tom", "reason": "x", "flatten": False, "since": SINCE}
    return Halt(*at, **(values | changes))


def limited(book, **changes):
    return replace(book, limits=AccountLimits.model_validate(PAPER_LIMITS.model_dump() | changes))


def code(verdict) -> str:
    assert isinstance(verdict, Violated), verdict
    return verdict.code


def update(events, order, status, revision, filled="0", source="trader") -> OrderUpdated:
    now = events.make(AccountReconciled, **RECONCILED).received_time
    return events.make(
        OrderUpdated, revision=revision, terms=order, origin=OrderOrigin(source=source),
        client_order_id=client_order_id(order.order_id), venue_order_id="1", status=status,
        filled_quantity=Decimal(filled), average_price=None, fee=ZERO, fee_currency=None, reason_code=None,
        reason_message=None, created_at=now, submitted_at=now,
    )  # fmt: skip


def fill(events, order, quantity, price="20000", fee="0", fee_currency="USDT") -> OrderFilled:
    return events.make(
        OrderFilled, order_id=order.order_id, client_order_id=client_order_id(order.order_id), account=order.account,
        venue=order.venue, symbol=order.symbol, trade_id=new_id(), side=order.side, price=Decimal(price),
        quantity=Decimal(quantity), fee=Decimal(fee), fee_currency=fee_currency, liquidity="taker", strategy=None,
    )  # fmt: skip


def position(events, quantity, revision=1, price="20000") -> PositionChanged:
    return events.make(
        PositionChanged, account="paper-1", venue="binance", symbol="BTC-USDT", revision=revision,
        quantity=Decimal(quantity), average_price=Decimal(price), realised_pnl=ZERO, fees=ZERO, strategies=(),
    )  # fmt: skip


def balance(events, total) -> BalanceChanged:
    row = AssetBalance(asset="USDT", total=Decimal(total), available=Decimal(total), reserved=ZERO)
    return events.make(BalanceChanged, account="paper-1", venue="binance", balances=(row,))


RECONCILED = {
    "account": "paper-1", "venue": "binance", "ok": True, "cause": "start", "orders_checked": 0, "fills_adopted": 0,
    "differences": (), "duration_ms": 1.0, "checked_at": "2026-01-01T00:00:00Z",
}  # fmt: skip


# ── reservations ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "reported", "seen", "outstanding"),
    [
        (OrderStatus.APPROVED, "0", "0", "0.5"),
        (OrderStatus.OUTCOME_UNKNOWN, "0", "0", "0.5"),
        (OrderStatus.LOST, "0", "0.2", "0.3"),
        (OrderStatus.PARTIALLY_FILLED, "0.2", "0", "0.5"),
        (OrderStatus.PARTIALLY_FILLED, "0.2", "0.2", "0.3"),
        (OrderStatus.FILLED, "0.5", "0.2", "0.3"),
        (OrderStatus.FILLED, "0.5", "0.5", "0"),
        (OrderStatus.CANCELLED, "0.2", "0", "0.2"),
        (OrderStatus.CANCELLED, "0.2", "0.2", "0"),
        (OrderStatus.REJECTED, "0", "0", "0"),
    ],
)
def test_a_quantity_is_reserved_until_it_is_in_the_ledger_or_cannot_trade(status, reported, seen, outstanding, making):
    row = Reservation(
        terms(), Decimal(20_000), Decimal("0.001"), making.NOW, None, status, 1, Decimal(seen), Decimal(reported)
    )
    assert row.outstanding == Decimal(outstanding)
    assert row.open is (not status.terminal or row.outstanding > 0)


def test_an_older_update_changes_nothing(book, events, making):
    order = terms()
    known = Reservation(
        order, Decimal(20_000), ZERO, making.NOW, None, OrderStatus.FILLED, 7, Decimal("0.5"), Decimal("0.5")
    )
    after, row = book.with_update(update(events, order, OrderStatus.OPEN, 3), known, None, ZERO)
    assert after is book
    assert row is known


def test_an_order_from_outside_is_adopted_and_one_nobody_can_value_hides_the_exposure(book, market, events):
    limit_order = terms(type="limit", limit_price=Decimal(19_000))
    adopted, _ = book.with_update(update(events, limit_order, OrderStatus.OPEN, 2), None, None, ZERO)
    assert value(adopted, market).gross == Decimal("0.5") * 20_000
    market_order = terms(symbol="XRP-USDT")
    unknown, _ = book.with_update(update(events, market_order, OrderStatus.OPEN, 2), None, None, ZERO)
    worth = value(unknown, market)
    assert (worth.gross, worth.available_cash) == (None, None)


# ── two witnesses ───────────────────────────────────────────────────────────────────────────────────────────────


def test_between_a_fill_and_its_position_event_the_worse_of_the_two_counts(book, market, events, making):
    order = terms(quantity=Decimal(1))
    filled, _ = book.with_fill(fill(events, order, "1"), None, making.NOW)
    assert value(filled, market).equity == Decimal(100_000)
    assert value(filled, market).available_cash == Decimal(80_000)
    assert value(filled, market).held == Decimal(20_000)
    seller = terms(side="sell", quantity=Decimal(1))
    assert code(judged(seller, filled, market, making.NOW)) == "short_not_allowed"
    told = filled.with_position(position(events, "1"), making.NOW)
    assert isinstance(judged(seller, told, market, making.NOW), Approval)


def test_a_fee_in_the_base_asset_leaves_less_to_sell(book, market, events, making):
    order = terms(quantity=Decimal(1))
    filled, _ = book.with_fill(fill(events, order, "1", fee="0.001", fee_currency="BTC"), None, making.NOW)
    assert filled.holding("binance", "BTC-USDT").derived.quantity == Decimal("0.999")
    assert value(filled, market).day_pnl == Decimal(-20)
    assert value(filled, market).day_fees == Decimal(20)


def test_what_was_traded_outside_is_taken_over_once_it_is_quiet_and_is_no_profit(book, market, events, making):
    outside = book.with_position(position(events, "1"), making.NOW).with_balance(balance(events, "90000"), making.NOW)
    outside = replace(outside, balance_at=making.NOW, observed_cash=Decimal(90_000))
    assert anchor(outside, market, making.NOW + timedelta(seconds=3), timedelta(seconds=2)) is outside
    market.looked["paper-1"] = making.NOW
    assert anchor(outside, market, making.NOW + timedelta(seconds=3), timedelta(seconds=2)) is outside
    market.looked["paper-1"] = making.NOW + timedelta(milliseconds=1)
    early = anchor(outside, market, making.NOW + timedelta(seconds=1), timedelta(seconds=2))
    assert early is outside
    late = anchor(outside, market, making.NOW + timedelta(seconds=3), timedelta(seconds=2))
    worth = value(late, market)
    assert worth.equity == Decimal(110_000)
    assert worth.day_pnl == 0
    assert late.high_water == Decimal(110_000)


def test_equity_is_unknown_before_the_books_were_anchored_or_without_a_mark(book, market, events, making):
    assert value(replace(book, anchored=False), market).equity is None
    held, _ = book.with_fill(fill(events, terms(symbol="XRP-USDT"), "5"), None, making.NOW)
    assert value(held, market).equity is None
    assert code(judged(terms(), held, market, making.NOW)) == "exposure_unknown"


def test_older_news_of_the_account_changes_nothing(book, events, clock, making):
    known = book.with_position(position(events, "1", revision=5), making.NOW)
    assert known.with_position(position(events, "9", revision=4), making.NOW) is known
    assert book.with_balance(balance(events, "5"), making.NOW) is book
    failed = events.make(AccountReconciled, **(RECONCILED | {"ok": False}))
    assert book.with_reconciliation(failed, making.NOW) is book
    clock.advance(timedelta(seconds=1))
    later = events.make(AccountReconciled, **(RECONCILED | {"ok": False}))
    assert not book.with_reconciliation(later, making.NOW).reconciled


# ── days and alarms ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_day_opens_at_the_present_equity_and_the_highest_is_kept(book, market, events, making):
    market.take_quote(making.quote(events, "22000"))
    held, _ = book.with_fill(fill(events, terms(quantity=Decimal(1)), "1"), None, making.NOW)
    today = turn(held, market, making.NOW)
    assert today.high_water == Decimal(102_000)
    assert today.day == book.day
    tomorrow = turn(today, market, making.NOW + timedelta(days=1))
    assert tomorrow.day.opening_equity == Decimal(102_000)
    assert value(tomorrow, market).day_pnl == 0
    assert turn(tomorrow, market, making.NOW + timedelta(days=1)) is tomorrow


def test_a_daily_loss_is_told_once_and_a_drawdown_halts_until_it_is_resumed(book, market, events, making):
    held, _ = book.with_fill(fill(events, terms(quantity=Decimal(2)), "2"), None, making.NOW)
    market.take_quote(making.quote(events, "10000"))
    after, breaches = alarms(held, market, halted=False)
    assert {breach.code for breach in breaches} == {"max_daily_loss", "max_drawdown"}
    again, none = alarms(after, market, halted=True)
    assert again is after
    assert none == ()
    started_anew = resumed(after, market)
    assert started_anew.high_water == Decimal(80_000)
    assert alarms(started_anew, market, halted=False) == (started_anew, ())
    assert resumed(started_anew, market) is started_anew


def test_the_use_of_limits_is_told(book, market):
    uses = {row.name: (row.used, row.limit, row.unit) for row in limit_uses(book, value(book, market))}
    assert uses["gross_exposure"] == (0, 90_000, "USDT")
    assert uses["open_orders"] == (0, 20, "orders")
    assert set(uses) == {"daily_loss", "drawdown", "gross_exposure", "net_exposure", "open_orders"}


# ── the assessment ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_approval_reserves_at_the_price_an_order_would_meet(book, market, making):
    decision = judged(terms(), book, market, making.NOW)
    assert isinstance(decision, Approval)
    assert decision.notional == Decimal(10_000)
    assert decision.reservation.cash == Decimal("10060.05")
    assert decision.reservation.expires_at == making.NOW + timedelta(seconds=10)
    assert decision.seen["available_cash"] == "100000"


def without(market: MarketView, **changes) -> MarketView:
    return replace(market, **changes)


@pytest.mark.parametrize(
    ("change_book", "change_market", "expected"),
    [
        (lambda book: None, dict, "account_unknown"),
        (lambda book: replace(book, limits=None), dict, "limits_missing"),
        (lambda book: replace(book, venue="kraken"), dict, "venue_not_of_account"),
        (lambda book: replace(book, reconciled=False), dict, "account_reconciling"),
        (lambda book: book, lambda: {"confirmed": {}}, "account_reconciling"),
        (lambda book: book, lambda: {"feeds": {}}, "feed_unknown"),
        (lambda book: book, lambda: {"quotes": {}}, "reference_price_unknown"),
        (lambda book: book, lambda: {"instruments": {}}, "instrument_unknown"),
        (lambda book: replace(book, observed_cash=None), dict, "balance_unknown"),
        (lambda book: replace(book, anchored=False), dict, "equity_unknown"),
        (lambda book: replace(book, day=None), dict, "day_pnl_unknown"),
        (lambda book: replace(book, high_water=None), dict, "drawdown_unknown"),
    ],
)
def test_what_is_not_known_is_refused(book, market, making, change_book, change_market, expected):
    verdict = judged(terms(), change_book(book), without(market, **change_market()), making.NOW)
    assert code(verdict) == expected


@pytest.mark.parametrize(
    ("later", "fresh_feed", "expected"), [(11, True, "market_data_stale"), (16, False, "feed_silent")]
)
def test_what_is_old_is_refused(book, market, events, clock, making, later, fresh_feed, expected):
    clock.advance(timedelta(seconds=later))
    if fresh_feed:
        market.take_feed(making.feed(events))
    assert code(judged(terms(), book, market, clock.now())) == expected


@pytest.mark.parametrize("state", [FeedState.CONNECTING, FeedState.STALE, FeedState.DOWN])
def test_a_feed_that_is_not_well_is_refused(book, market, events, making, state):
    market.take_feed(making.feed(events, state))
    assert code(judged(terms(), book, market, making.NOW)) == f"feed_{state.value}"


def test_a_proposal_that_waited_too_long_is_refused(book, market, making):
    old = making.NOW - PAPER_LIMITS.max_proposal_age - timedelta(seconds=1)
    assert code(judged(terms(), book, market, making.NOW, proposed_at=old)) == "proposal_stale"


def test_books_confirmed_too_long_ago_are_reconciling(book, making):
    late = making.NOW + PAPER_LIMITS.max_account_age + timedelta(seconds=1)
    assert book.trading_state(making.NOW, making.NOW) is TradingState.ACTIVE
    assert book.trading_state(making.NOW, late) is TradingState.RECONCILING


def test_a_reduction_passes_the_day_s_loss_but_not_a_halt(book, market, events, making):
    held, _ = book.with_fill(fill(events, terms(quantity=Decimal(2)), "2"), None, making.NOW)
    held = limited(held.with_position(position(events, "2"), making.NOW), max_drift="1")
    market.take_quote(making.quote(events, "17000"))
    reduction = terms(side="sell", quantity=Decimal(2), reduce_only=True)
    assert code(judged(terms(quantity=Decimal("0.1")), held, market, making.NOW)) == "max_daily_loss"
    assert isinstance(judged(reduction, held, market, making.NOW), Approval)
    standing = Standing(halt())
    assert code(judged(reduction, held, market, making.NOW, standing=standing)) == "account_halted"
    allowing = limited(held, reductions_while_halted=True)
    assert isinstance(judged(reduction, allowing, market, making.NOW, standing=standing), Approval)
    unmarked = reduction.model_copy(update={"reduce_only": False})
    assert code(judged(unmarked, allowing, market, making.NOW, standing=standing)) == "account_halted"


# ── halts ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ((HaltLevel.GLOBAL, ALL), "global_halted"),
        ((HaltLevel.ACCOUNT, "paper-1"), "account_halted"),
        ((HaltLevel.STRATEGY, "s"), "strategy_halted"),
        ((HaltLevel.ACCOUNT, "other"), None),
        ((HaltLevel.STRATEGY, "t"), None),
    ],
)
def test_a_halt_stops_what_is_under_it_and_nothing_else(book, market, making, at, expected):
    board = HaltBoard()
    assert board.take(halt(at))
    decision = judged(terms(), book, market, making.NOW, standing=Standing(board.over("paper-1", "s")))
    assert (decision.code if isinstance(decision, Violated) else None) == expected


def test_a_halt_is_engaged_once_and_released_by_two_people(making):
    now, hour = making.NOW, timedelta(hours=1)
    at = halt_key("paper-1", None)
    first = engaged(None, at, "tom", "odd fills", False, now)
    assert engaged(first, at, "ann", "me too", False, now) is first
    flattening = engaged(first, at, "ann", "and close it", True, now)
    assert (flattening.flatten, flattening.by, flattening.revision) == (True, "tom", first.revision + 1)
    asked = released(first, "tom", now, hour)
    assert asked.engaged
    assert released(asked, "tom", now, hour) is asked
    assert not released(asked, "ann", now, hour).engaged
    late = released(asked, "ann", now + hour + timedelta(seconds=1), hour)
    assert late.engaged
    assert late.release_asked_by == "ann"
    anew = engaged(asked, at, "bob", "still odd", False, now)
    assert anew.release_asked_by is None
    gone = released(asked, "ann", now, hour)
    with pytest.raises(Refused):
        released(gone, "tom", now, hour)
    again = engaged(gone, at, "bob", "once more", False, now)
    assert again.revision > gone.revision


def test_a_strategy_that_was_switched_off_sends_nothing(book, market, making):
    off = Standing(switched_off="it repeated itself")
    assert code(judged(terms(), book, market, making.NOW, standing=off)) == "strategy_switched_off"


# ── orders that change others, guard others, or need a person ───────────────────────────────────────────────────


def test_nobody_may_call_an_order_of_his_own_protection(book, market, making):
    for source in (OrderSource.PROTECTION, OrderSource.EXTERNAL):
        verdict = judged(terms(), book, market, making.NOW, source=source, strategy=None)
        assert code(verdict) == "source_not_allowed"


def test_an_amendment_is_judged_without_what_it_replaces_and_the_two_count_once(book, market, making):
    first = terms(type="limit", limit_price=Decimal(20_000), quantity=Decimal(2))
    working = book.with_approval(judged(first, book, market, making.NOW).reservation, timedelta(0))
    larger = terms(type="limit", limit_price=Decimal(19_900), quantity=Decimal("2.2"))
    assert code(judged(larger, working, market, making.NOW)) == "max_position"
    amended = larger.model_copy(update={"replaces": first.order_id})
    decision = judged(amended, working, market, making.NOW)
    assert isinstance(decision, Approval)
    both = working.with_approval(decision.reservation, timedelta(0))
    assert value(both, market).gross == Decimal("2.2") * 20_000
    assert len(value(both, market).working) == 1
    wrong = amended.model_copy(update={"side": "sell"})
    assert code(judged(wrong, working, market, making.NOW)) == "replaced_differs"
    assert code(judged(amended, book, market, making.NOW)) == "replaced_not_working"


def test_what_guards_a_position_does_not_stand_in_the_way_of_leaving_it(book, market, events, making):
    held, _ = book.with_fill(fill(events, terms(quantity=Decimal(1)), "1"), None, making.NOW)
    held = held.with_position(position(events, "1"), making.NOW)
    stop = terms(side="sell", type="stop", trigger_price=Decimal(18_000), quantity=Decimal(1), reduce_only=True)
    guarded, row = held.with_update(
        update(events, stop, OrderStatus.OPEN, 1, source="protection"), None, Decimal(20_000), ZERO
    )
    assert row.protective
    worth = value(guarded, market)
    assert (worth.working, worth.reserved) == ((), ZERO)
    leaving = terms(side="sell", quantity=Decimal(1), reduce_only=True)
    assert isinstance(judged(leaving, guarded, market, making.NOW), Approval)
    by_hand, _ = held.with_update(update(events, stop, OrderStatus.OPEN, 1), None, Decimal(20_000), ZERO)
    assert code(judged(leaving, by_hand, market, making.NOW)) == "not_a_reduction"


def test_a_person_is_asked_and_what_he_agreed_to_does_not_count_for_the_day(book, market, making):
    daily = limited(book, approval_daily_notional="15000")
    first = judged(terms(), daily, market, making.NOW)
    assert isinstance(first, Approval)
    after = daily.with_approval(first.reservation, timedelta(0), first.unattended)
    second = terms(quantity=Decimal("0.4"))
    asked = judged(second, after, market, making.NOW)
    assert isinstance(asked, Asked)
    assert (asked.needed.code, asked.notional, asked.reference_price) == ("approval_daily_notional", 8_000, 20_000)
    assert isinstance(judged(second, after, market, making.NOW, strategy="other"), Approval)
    agreed = judged(second, after, market, making.NOW, person_agreed=True)
    assert isinstance(agreed, Approval)
    assert agreed.unattended == 0
    tomorrow = replace(after, unattended=replace(after.unattended, day=making.NOW.date() - timedelta(days=1)))
    assert isinstance(judged(second, tomorrow, market, making.NOW), Approval)


def test_a_price_that_ran_away_within_the_window_refuses_increases(book, market, events, clock, making):
    clock.advance(timedelta(seconds=5))
    market.take_quote(making.quote(events, "22300"))
    assert code(judged(terms(), book, market, clock.now())) == "price_drift"
    clock.advance(timedelta(seconds=60))
    market.take_quote(making.quote(events, "22300"))
    market.take_feed(making.feed(events))
    market.take_confirmation("paper-1", clock.now())
    assert isinstance(judged(terms(), book, market, clock.now()), Approval)


# ── margin ──────────────────────────────────────────────────────────────────────────────────────────────────────


PERP = "BTC-USDT-PERP"


@pytest.fixture
def margin_book(book, market, events, making):
    market.take_instrument(making.instrument(PERP, kind="perpetual", max_leverage=Decimal(20)))
    market.take_quote(making.quote(events, "20000", PERP))
    listed = (*PAPER_LIMITS.model_dump()["instruments"], {"venue": "binance", "symbol": PERP})
    return limited(book, instruments=listed, max_leverage=Decimal(5), allow_short=True)


def test_a_perpetual_takes_margin_moves_cash_by_what_is_realised_and_may_be_short(margin_book, market, events, making):
    short = terms(symbol=PERP, side="sell", quantity=Decimal(2), leverage=Decimal(4))
    decision = judged(short, margin_book, market, making.NOW)
    assert isinstance(decision, Approval)
    assert decision.reservation.cash == Decimal(40_000) * Decimal("1.005") * (Decimal("0.25") + Decimal("0.001"))
    held, _ = margin_book.with_fill(fill(events, short, "2"), None, making.NOW)
    assert held.cash == Decimal(100_000)
    market.take_quote(making.quote(events, "21000", PERP))
    worth = value(held, market)
    assert (worth.equity, worth.held) == (Decimal(98_000), Decimal(42_000))
    # The position's own leverage is not known yet: all of it is behind the position, and what it has lost.
    assert worth.available_cash == Decimal(100_000) - 42_000 - 2_000
    cover = terms(symbol=PERP, quantity=Decimal(2), reduce_only=True)
    flat, _ = held.with_fill(fill(events, cover, "2", price="21000"), None, making.NOW)
    assert flat.cash == Decimal(98_000)
    assert value(flat, market).equity == Decimal(98_000)


def test_more_leverage_than_allowed_is_refused(margin_book, market, making):
    order = terms(symbol=PERP, leverage=Decimal(6))
    assert code(judged(order, margin_book, market, making.NOW)) == "max_leverage"


@pytest.mark.parametrize(
    ("changes", "limits", "expected"),
    [
        (
            {"leverage": Decimal(5), "quantity": Decimal(6)},
            {"max_gross_exposure": Decimal(100_000)},
            "max_gross_exposure",
        ),
        ({"side": "sell", "quantity": Decimal(6)}, {"max_net_exposure": Decimal(10**5)}, "max_net_exposure"),
        ({"leverage": Decimal(1), "quantity": Decimal(6)}, {"max_leverage": Decimal(1)}, "max_account_leverage"),
        ({"leverage": Decimal(1), "quantity": Decimal("5.2")}, {"max_leverage": Decimal(2)}, "buying_power"),
        ({"side": "sell", "leverage": Decimal(2)}, {"allow_short": False}, "short_not_allowed"),
        ({"side": "sell", "reduce_only": True}, {}, "not_a_reduction"),
        ({"symbol": "BTC-USDT", "margin_mode": "cross", "leverage": Decimal(2)}, {}, "margin_not_offered"),
        ({"symbol": "BTC-USDT", "leverage": Decimal(2)}, {}, "leverage_unexpected"),
    ],
)
def test_what_is_borrowed_counts_in_full_and_is_paid_in_part(margin_book, market, making, changes, limits, expected):
    """At 20,000 a piece; the account has 100,000."""
    ample = {name: Decimal(1_000_000) for name in (
        "max_order_notional", "max_position_notional", "max_gross_exposure", "max_net_exposure", "max_concentration",
    )}  # fmt: skip
    listed = margin_book.limits.model_dump()["instruments"]
    short = {"instruments": listed, "allow_short": True, "max_leverage": Decimal(5)}
    order = terms(**({"symbol": PERP} | changes))
    assert code(judged(order, limited(margin_book, **(short | ample | limits)), market, making.NOW)) == expected


def test_the_margin_of_what_is_held_is_no_buying_power(margin_book, market, events, making):
    bought = terms(symbol=PERP, quantity=Decimal(2), leverage=Decimal(4))
    held, _ = margin_book.with_fill(fill(events, bought, "2"), None, making.NOW)
    told = events.make(
        PositionChanged, account="paper-1", venue="binance", symbol=PERP, revision=1, quantity=Decimal(2),
        average_price=Decimal(20_000), realised_pnl=ZERO, fees=ZERO, strategies=(), margin_mode="cross",
        leverage=Decimal(4), liquidation_price=None,
    )  # fmt: skip
    held = held.with_position(told, making.NOW)
    assert value(held, market).available_cash == Decimal(100_000) - 10_000
    assert value(held, market).gross == Decimal(40_000)
    closing = terms(symbol=PERP, side="sell", quantity=Decimal(2), reduce_only=True)
    decision = judged(closing, held, market, making.NOW)
    assert isinstance(decision, Approval)
    assert decision.reservation.cash == ZERO


def test_funding_is_a_loss_and_no_money_that_left(margin_book, market, events, making):
    row = ReconciliationDifference(what="funding", key="USDT", ours="100000", venues="99960", adopted=True)
    told = events.make(AccountReconciled, **(RECONCILED | {"differences": (row,)}))
    later = told.model_copy(update={"received_time": told.received_time + timedelta(seconds=1)})
    after = margin_book.with_reconciliation(later, making.NOW)
    worth = value(after, market)
    assert (worth.equity, worth.day_pnl, after.flows) == (Decimal(99_960), Decimal(-40), ZERO)
    assert after.with_reconciliation(later, making.NOW) is after

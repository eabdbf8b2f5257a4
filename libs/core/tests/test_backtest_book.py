"""Orders on a recorded book: the queue, the walk, the latencies, by hand; then compiled against plain."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from algotrendy_common.errors import Refused
from algotrendy_core.backtest.book_events import CLEAR, LEVEL, QUOTE, TRADE, BookEvents
from algotrendy_core.backtest.book_run import BookResult, run_book_backtest
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.execution import LIQUIDATION
from algotrendy_core.fees import ChargedIn
from algotrendy_core.instruments import Instrument
from algotrendy_core.strategies.interface import LIMIT, BookView, Decision, Holding, Parameters, Strategy
from hypothesis import given, settings
from hypothesis import strategies as st

BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.5"),
    quantity_step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal(0), taker_fee=Decimal("0.001"),
)  # fmt: skip
CONFIG = BacktestConfig(
    Decimal(10_000), reserve=Decimal(0), fees_charged_in=ChargedIn.QUOTE, queue_cancels_ahead=Decimal(0)
)


class Wish(Parameters):
    side: int = 1
    price: float = 100.0
    quantity: float = 1.0
    target: float = 0.0


@dataclass(slots=True)
class Looks:
    count: int = 0


def want(p: Wish, state: Looks, view: BookView, holding: Holding, ladder: Any) -> Decision:
    state.count += 1
    ladder[0].kind = LIMIT if p.price > 0.0 else 0
    ladder[0].side = p.side
    ladder[0].price = p.price
    ladder[0].quantity = p.quantity
    ladder[0].generation = 1
    return Decision(p.target if p.price <= 0.0 else np.nan, 1)


WISHING = Strategy(
    "wishing", "One order", Wish, lambda _: Looks(), want, lambda _: 1, ("", "told"), rungs=lambda _: 1, reads="book"
)
BOOK = [
    (1, LEVEL, 1, 100.0, 5.0), (1, LEVEL, 1, 99.5, 9.0), (1, LEVEL, -1, 100.5, 2.0), (1, LEVEL, -1, 101.0, 3.0),
]  # fmt: skip


def events_of(*rows: tuple[int, int, int, float, float]) -> BookEvents:
    time, kind, side, price, quantity = zip(*rows, (100_000, TRADE, 1, 300.0, 0.0), strict=True)
    return BookEvents(
        np.array(time), np.array(kind), np.array(side), np.array(price, dtype=float), np.array(quantity, dtype=float)
    )


def run(rows: list[tuple[int, int, int, float, float]], wish: Wish, **changes: Any) -> BookResult:
    """Compiled; that plain Python gives the same is asserted on the way."""
    config = replace(CONFIG, **changes)
    fast = run_book_backtest(WISHING, wish, events_of(*rows), BTC, config)
    plain = run_book_backtest(WISHING, wish, events_of(*rows), BTC, config, compiled=False)
    assert fast.compiled, fast.not_compiled_because
    assert fast.result_hash == plain.result_hash
    return fast


def fills(result: BookResult) -> list[tuple[int, int, float, float, int]]:
    return [
        (int(f["time"]), int(f["side"]), float(f["price"]), round(float(f["quantity"]), 9), int(f["maker"]))
        for f in result.fills
    ]


def test_trades_serve_the_queue_from_the_front() -> None:
    rows = [*BOOK, (150, TRADE, -1, 100.0, 4.0), (160, TRADE, -1, 100.0, 1.0), (170, TRADE, -1, 100.0, 0.4),
            (180, TRADE, -1, 100.0, 5.0)]  # fmt: skip
    # Joined at 100 ms behind 5; the first two trades serve those, then ours is served in part and whole.
    assert fills(run(rows, Wish())) == [(170, 1, 100.0, 0.4, 1), (180, 1, 100.0, 0.6, 1)]


def test_cancellations_move_the_queue_by_the_stated_share() -> None:
    rows = [*BOOK, (150, LEVEL, 1, 100.0, 3.0), (160, TRADE, -1, 100.0, 2.5)]
    # Three are left, so at most three are ahead; all of the cancelled ahead leaves one and a half less.
    assert fills(run(rows, Wish())) == []
    assert fills(run(rows, Wish(), queue_cancels_ahead=Decimal(1))) == []
    more = [*BOOK, (120, LEVEL, 1, 100.0, 9.0), (150, LEVEL, 1, 100.0, 7.0), (160, TRADE, -1, 100.0, 3.5)]
    assert fills(run(more, Wish())) == []
    assert fills(run(more, Wish(), queue_cancels_ahead=Decimal(1))) == [(160, 1, 100.0, 0.5, 1)]
    # What trades have taken is not counted as cancelled when the level is told anew.
    told = [*BOOK, (150, TRADE, -1, 100.0, 2.0), (150, LEVEL, 1, 100.0, 3.0), (160, TRADE, -1, 100.0, 3.5)]
    assert fills(run(told, Wish(), queue_cancels_ahead=Decimal(1))) == [(160, 1, 100.0, 0.5, 1)]


def test_the_market_going_through_fills() -> None:
    assert fills(run([*BOOK, (150, TRADE, -1, 99.5, 0.1)], Wish())) == [(150, 1, 100.0, 1.0, 1)]
    assert fills(run([*BOOK, (150, LEVEL, -1, 100.0, 0.1)], Wish())) == [(150, 1, 100.0, 1.0, 1)]
    quote = [*BOOK, (150, QUOTE, -1, 99.5, 4.0)]
    assert fills(run(quote, Wish())) == [(150, 1, 100.0, 1.0, 1)]


def test_what_crosses_walks_the_book() -> None:
    result = run([*BOOK, (300, LEVEL, 1, 99.0, 1.0)], Wish(price=101, quantity=4))
    assert fills(result) == [(100, 1, 100.5, 2.0, 0), (100, 1, 101.0, 2.0, 0)]
    assert result.fills["fee"].tolist() == pytest.approx([0.201, 0.202])
    rest = run([*BOOK, (300, TRADE, -1, 100.5, 9.0)], Wish(price=100.5, quantity=4))
    assert fills(rest) == [(100, 1, 100.5, 2.0, 0), (300, 1, 100.5, 2.0, 1)]


def test_a_target_takes_what_is_there_and_asks_again() -> None:
    rows = [*BOOK, (150, LEVEL, -1, 102.0, 40.0)]
    result = run(rows, Wish(price=0, target=0.1))
    # A tenth of 10,000 at the middle, 100.25, is 9.9; five are there at first.
    assert fills(result)[:2] == [(100, 1, 100.5, 2.0, 0), (100, 1, 101.0, 3.0, 0)]
    assert fills(result)[2][0] == 200


def test_latency_of_feed_and_order_count_both() -> None:
    rows = [*BOOK, (250, LEVEL, -1, 100.0, 1.0), (252, LEVEL, -1, 100.0, 0.0)]
    assert fills(run(rows, Wish(price=100.5), latency_ms=30, feed_latency_ms=20))[0][0] == 150
    early = run([*BOOK, (140, LEVEL, -1, 100.5, 0.0)], Wish(price=100.5), latency_ms=30, feed_latency_ms=20)
    assert fills(early) == []


def test_a_new_snapshot_clears_a_side() -> None:
    rows = [*BOOK, (50, CLEAR, -1, 0.0, 0.0), (50, LEVEL, -1, 103.0, 1.0)]
    assert fills(run(rows, Wish(price=103))) == [(100, 1, 103.0, 1.0, 0)]


def test_a_position_on_margin_is_liquidated_when_the_middle_asks_for_it() -> None:
    deep = [(1, LEVEL, 1, 100.0, 900.0), (1, LEVEL, -1, 100.5, 900.0)]
    fall = [(300, CLEAR, 1, 0.0, 0.0), (300, LEVEL, 1, 79.5, 10.0)]  # the middle is 90, and the position stands
    wish = Wish(price=0, target=5.0)
    held = run([*deep, *fall], wish, leverage=Decimal(10))
    assert held.book.liquidations == 0
    result = run([*deep, *fall, (310, LEVEL, -1, 80.5, 10.0)], wish, leverage=Decimal(10))
    bought = result.fills[0]
    # Cash is 10,000 less what was bought and its fee; it is gone where the position is worth that and half a percent.
    owed = bought["quantity"] * 100.5 * 1.001 - 10_000
    assert 80.0 < owed / (bought["quantity"] * 0.995) < 90.0
    assert fills(result)[1] == (310, -1, 79.5, round(float(bought["quantity"]), 9), 0)
    assert (result.fills[1]["order"], result.book.liquidations) == (LIQUIDATION, 1)
    without = run([*deep, *fall, (310, LEVEL, -1, 80.5, 10.0)], Wish(price=0, target=0.9))
    assert without.book.liquidations == 0


def test_margin_bounds_what_is_bought_on_a_book() -> None:
    deep = [(1, LEVEL, 1, 100.0, 9000.0), (1, LEVEL, -1, 100.5, 9000.0)]
    assert run(deep, Wish(price=0, target=5.0), leverage=Decimal(2)).book.short_of_cash > 0
    assert len(run(deep, Wish(price=0, target=5.0), leverage=Decimal(6)).fills) == 1


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [((0, LEVEL, 1, 100.0, 1.0), "back"), ((5, LEVEL, 1, 100.3, 1.0), "grid"), ((5, LEVEL, 1, 100.0, -1.0), "zero"),
     ((5, 9, 1, 100.0, 1.0), "unknown")],
)  # fmt: skip
def test_impossible_events_are_refused(wrong: tuple[int, int, int, float, float], fault: str) -> None:
    with pytest.raises(Refused, match=fault):
        run([*BOOK, wrong], Wish())


# ── a maker at work on any book ─────────────────────────────────────────────────────────────────────────────────


class Spread(Parameters):
    ticks: int = 1


def quote_both(p: Spread, state: Looks, view: BookView, holding: Holding, ladder: Any) -> Decision:
    state.count += 1
    for index in range(2):
        side = 1 if index == 0 else -1
        rung = ladder[index]
        price = view.bid - p.ticks * 0.5 if side == 1 else view.ask + p.ticks * 0.5
        if rung.price != price or rung.filled > 0.0:
            rung.generation += 1
        rung.kind, rung.side, rung.price, rung.quantity = LIMIT, side, price, 0.5
    return Decision(np.nan, 1)


MAKER = Strategy(
    "maker", "Quotes both sides", Spread, lambda _: Looks(), quote_both, lambda _: 1, ("", "quoting"),
    rungs=lambda _: 2, reads="book",
)  # fmt: skip


def book_walk(count: int, seed: int) -> BookEvents:
    rng = np.random.default_rng(seed)
    middle, rows, time = 200, [], 0
    for _ in range(count):
        time += int(rng.integers(1, 40))
        middle += int(rng.integers(-1, 2)) if rng.random() < 0.2 else 0
        side = 1 if rng.random() < 0.5 else -1
        if rng.random() < 0.3:
            rows.append((time, TRADE, side, (middle + side) * 0.5, round(float(rng.uniform(0.1, 3)), 1)))
        else:
            away = int(rng.integers(1, 6))
            rows.append((time, LEVEL, side, (middle - side * away) * 0.5, round(float(rng.uniform(0, 5)), 1)))
    return BookEvents(*(np.array(column) for column in zip(*rows, strict=True)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9999), st.integers(20, 300), st.integers(0, 2), st.sampled_from([0, 70, 250]), st.booleans())
def test_compiled_and_plain_are_the_same_and_cash_adds_up(
    seed: int, count: int, ticks: int, latency: int, shorts: bool
) -> None:
    config = replace(CONFIG, latency_ms=latency, allow_short=shorts, queue_cancels_ahead=Decimal("0.5"))
    events = book_walk(count, seed)
    fast = run_book_backtest(MAKER, Spread(ticks=ticks), events, BTC, config)
    plain = run_book_backtest(MAKER, Spread(ticks=ticks), events, BTC, config, compiled=False)
    assert fast.compiled, fast.not_compiled_because
    assert fast.equity.tobytes() == plain.equity.tobytes()
    assert (fast.fills.tobytes(), fast.trades.tobytes()) == (plain.fills.tobytes(), plain.trades.tobytes())
    flows = (fast.fills["side"] * fast.fills["price"] * fast.fills["quantity"] + fast.fills["fee"]).sum()
    assert fast.book.cash == pytest.approx(10_000 - flows)
    assert fast.book.position == pytest.approx((fast.fills["side"] * fast.fills["quantity"]).sum(), abs=1e-9)
    if len(fast.fills):
        assert fast.fills["time"].min() >= fast.times[0] + latency

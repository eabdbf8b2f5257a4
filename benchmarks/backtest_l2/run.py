"""Book replay: a maker that looks every 100 ms, latency of feed and order, queue positions; hftbacktest beside it.

Both play the same events with the same strategy (buy one lot at the best bid, wait; sell it at the best ask, wait), the
cautious queue (cancellations are behind us until they cannot be). Positions at every look are compared; an order is one
lot, which is never filled in part, because that is where the two differ by design; shorts are allowed, because an order
and the one that replaces it may both be filled.
"""

import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from algotrendy_core.backtest.book_events import BookEvents
from algotrendy_core.backtest.book_run import BookResult, run_book_backtest
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.fees import ChargedIn
from algotrendy_core.instruments import Instrument
from algotrendy_core.strategies.interface import LIMIT, BookView, Decision, Holding, Parameters, Strategy

from benchmarks.backtest_l2.book import synthetic
from benchmarks.environments import Missing, answer_of, python_of
from benchmarks.result import close

EVENTS = 1_000_000
SHARED = 20_000
"""Events of the scenario that both must play alike, fill by fill."""
PATIENCE = 20
"""Looks after which an order that was not filled is placed anew at the best price."""
HERE = Path(__file__).parent
INSTRUMENT = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.5"),
    quantity_step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(9000), min_notional=Decimal(0),
    maker_fee=Decimal(0), taker_fee=Decimal("0.0005"),
)  # fmt: skip
CONFIG = BacktestConfig(
    Decimal(1_000_000), fees_charged_in=ChargedIn.QUOTE, latency_ms=20, feed_latency_ms=10,
    queue_cancels_ahead=Decimal(0), allow_short=True,
)  # fmt: skip


class OneLot(Parameters):
    quantity: float = 0.1


@dataclass(slots=True)
class Turn:
    side: int = 0
    waited: int = 0


def in_turn(p: OneLot, state: Turn, view: BookView, holding: Holding, ladder: Any) -> Decision:
    order = ladder[0]
    wanted = state.side
    if state.side == 0 or (state.side == -1 and holding.quantity < 0.05):
        wanted = 1
    elif state.side == 1 and holding.quantity > 0.05:
        wanted = -1
    state.waited += 1
    if wanted != state.side or state.waited == PATIENCE:
        state.side = wanted
        state.waited = 0
        order.kind = LIMIT
        order.side = wanted
        order.price = view.bid if wanted == 1 else view.ask
        order.quantity = p.quantity
        order.generation += 1
    return Decision(np.nan, 1)


STRATEGY = Strategy(
    "in_turn", "Buys one, sells one, as a maker", OneLot, lambda _: Turn(), in_turn, lambda _: 1, ("", "waiting"),
    rungs=lambda _: 1, reads="book",
)  # fmt: skip


def positions(result: BookResult) -> list[float]:
    """At each look."""
    held = np.concatenate(([0.0], np.cumsum(result.fills["side"] * result.fills["quantity"])))
    return [round(float(value), 1) for value in held[np.searchsorted(result.fills["time"], result.times, "right")]]


def timed(events: BookEvents, times: int) -> tuple[BookResult, float]:
    """Processor seconds of the best of several runs, the first, which may compile, left out.

    Both engines work on one core, so processor time is what they take by the clock on a machine that is left alone.
    """
    taken, result = [], None
    for _ in range(times + 1):
        began = process_time()
        result = run_book_backtest(STRATEGY, OneLot(), events, INSTRUMENT, CONFIG)
        taken.append(process_time() - began)
    assert result is not None
    assert result.compiled, result.not_compiled_because
    return result, min(taken[1:])


def of_peer(events: BookEvents, result: BookResult) -> tuple[float, float]:
    """Its processor seconds, and the share of looks at which its position is ours. Raises Missing."""
    python = python_of("hftbacktest", "hftbacktest==2.4.4")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.npz"
        np.savez(
            path, time=events.time, kind=events.kind, side=events.side, price=events.price,
            quantity=events.quantity, looks=len(result.times), first=int(result.times[0]),
            order_ms=CONFIG.latency_ms, feed_ms=CONFIG.feed_latency_ms,
        )  # fmt: skip
        answer = answer_of("hftbacktest", python, HERE / "peers" / "run_hftbacktest.py", str(path))
    theirs = np.array(answer["positions"])
    return answer["cpu_seconds"], float(np.mean(theirs == np.array(positions(result))[: len(theirs)]))


def main() -> None:
    small, large = synthetic(SHARED), synthetic(EVENTS)
    (few, _), (many, seconds) = timed(small, 1), timed(large, 4)
    ours = len(large) / seconds
    print(f"ours: {ours:,.0f} events/s, {len(many.fills)} fills, {len(many.trades)} round trips")
    figures: dict[str, float | int | str] = {
        "events_per_second": round(ours), "fills": len(many.fills), "fills_shared": len(few.fills),
    }  # fmt: skip
    targets: dict[str, tuple[str, float]] = {"fills_shared": (">=", 100)}
    try:
        _, shared = of_peer(small, few)
        peer_seconds, same = of_peer(large, many)
    except Missing as missing:
        print(f"hftbacktest left out: {missing}")
    else:
        theirs = len(large) / peer_seconds
        print(f"hftbacktest: {theirs:,.0f} events/s; ours {ours / theirs:.2f} times it")
        print(f"equal positions: {shared:.3%} of the looks over {SHARED:,} events, {same:.3%} over {EVENTS:,}")
        figures |= {
            "hftbacktest_events_per_second": round(theirs), "times_hftbacktest": round(ours / theirs, 2),
            "shared_looks_equal": shared, "all_looks_equal": round(same, 6),
        }  # fmt: skip
        targets |= {"times_hftbacktest": (">=", 0.5), "shared_looks_equal": (">=", 1.0)}
    close("backtest_l2", figures, targets)


if __name__ == "__main__":
    main()

"""A ladder's day: the orders that the step wants again, beside those that live had at rest."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import nan
from typing import Any

from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.money import ZERO
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.bars import Bar
from algotrendy_core.instruments import Instrument
from algotrendy_core.parity.comparison import Kind
from algotrendy_core.parity.ladders import LadderDay, LadderReport, compare_ladder, wanted_orders
from algotrendy_core.parity.records import LiveFill
from algotrendy_core.parity.resting import RestingOrder
from algotrendy_core.parity.split import Split
from algotrendy_core.strategies.interface import LIMIT, STOP, Decision, Parameters, Strategy
from algotrendy_core.strategies.registry import STRATEGIES

NOON = datetime(2022, 12, 13, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal(0), taker_fee=Decimal(0),
)  # fmt: skip
CONFIG = BacktestConfig(Decimal(10_000))
PRICES = [(100, 101, 99, 100), (100, 100, 97, 98), (98, 99, 95, 96), (96, 104, 96, 103), (103, 104, 101, 102)]
BARS = tuple(
    Bar(
        Timeframe.M1, NOON + number * MINUTE, *map(Decimal, each), volume=Decimal(5), quote_volume=ZERO, trade_count=1,
        complete=True,
    )
    for number, each in enumerate(PRICES)
)  # fmt: skip


@dataclass(slots=True)
class Turns:
    bought: int = 0


def step(parameters: Any, state: Turns, candle: Any, holding: Any, ladder: Any) -> Decision:
    """Two at 96; what was bought is offered at 103.5."""
    buy, sell = ladder
    if buy.generation == 0:
        buy.kind, buy.side, buy.price, buy.quantity, buy.generation = LIMIT, 1, 96.0, 2.0, 1
    if buy.filled > state.bought and holding.quantity > 0.0:
        state.bought = buy.filled
        sell.kind, sell.side, sell.price, sell.quantity = LIMIT, -1, 103.5, holding.quantity
        sell.generation += 1
    return Decision(nan, 0)


TWO = Strategy(
    "two", "Buys low, sells high", Parameters, lambda _: Turns(), step, lambda _: 1, ("",), rungs=lambda _: 2
)


def at(minutes: float) -> datetime:
    return NOON + minutes * MINUTE


BUY = RestingOrder(
    "buy", Side.BUY, LIMIT, Decimal("96.00"), Decimal(2), at(1), at(2.5),
    (LiveFill(at(2.5), Decimal(96), Decimal(2)),), rung=0,
)  # fmt: skip
SELL = RestingOrder(
    "sell", Side.SELL, LIMIT, Decimal("103.50"), Decimal(2), at(3.01), at(3.7),
    (LiveFill(at(3.7), Decimal("103.5"), Decimal(2)),), rung=1,
)  # fmt: skip


def report(*orders: RestingOrder) -> LadderReport:
    return compare_ladder(LadderDay("two", TWO, Parameters(), BTC, BARS, Decimal(1000), orders), CONFIG)


def test_what_live_filled_decides_what_is_wanted_next() -> None:
    day = LadderDay("two", TWO, Parameters(), BTC, BARS, Decimal(1000), (BUY, SELL))
    wanted = wanted_orders(day, CONFIG)
    assert [(one.rung, one.side, one.price, one.quantity, one.stood_from, one.stood_until) for one in wanted] == [
        (0, Side.BUY, 96, 2, at(1), at(3)),
        (1, Side.SELL, Decimal("103.5"), 2, at(3), at(4)),
    ]
    unfilled = replace(BUY, fills=())
    assert [one.rung for one in wanted_orders(replace(day, orders=(unfilled,)), CONFIG)] == [0]
    half = replace(BUY, fills=(replace(BUY.fills[0], quantity=Decimal(1)),))
    assert [(one.rung, one.quantity) for one in wanted_orders(replace(day, orders=(half,)), CONFIG)] == [(0, 2), (1, 1)]


def test_a_perfect_day_differs_in_nothing() -> None:
    found = report(BUY, SELL)
    assert found.same
    assert [row.kind for row in found.rungs] == [Kind.SAME, Kind.SAME]
    assert all(row.traded.filled_alike for row in found.rungs)
    assert (found.split, found.difference) == (Split(), ZERO)
    assert sum(row.traded.live_pnl for row in found.rungs) == 2 * Decimal("7.5")


def test_an_order_that_live_did_not_place_is_named() -> None:
    found = report(BUY)
    assert [row.kind for row in found.rungs] == [Kind.SAME, Kind.NOT_ORDERED]
    assert found.split == Split(missed=Decimal(-3))  # 2 × (103.5 − 102)
    assert not found.same


def test_an_order_at_another_price_is_one_not_placed_and_one_of_lives_own() -> None:
    found = report(BUY, replace(SELL, price=Decimal(104), fills=()))
    assert sorted(row.kind for row in found.rungs) == [Kind.LIVE_ONLY, Kind.NOT_ORDERED, Kind.SAME]
    other = report(BUY, replace(SELL, quantity=Decimal(1)))
    assert [row.kind for row in other.rungs] == [Kind.SAME, Kind.QUANTITY]
    late = report(replace(BUY, stood_from=at(2.2)), SELL)
    assert [row.kind for row in late.rungs] == [Kind.LATER, Kind.SAME]


def test_an_exit_is_compared_with_the_candles_and_is_no_rung() -> None:
    stop = RestingOrder(
        "stop", Side.SELL, STOP, Decimal(101), Decimal(1), at(3), at(5),
        (LiveFill(at(4.5), Decimal("100.8"), Decimal(1)),),
    )  # fmt: skip
    found = report(BUY, SELL, stop)
    assert found.same
    [row] = found.exits
    assert row.split.total == row.difference == found.difference


def test_the_grid_wants_again_what_it_wanted() -> None:
    grid = STRATEGIES["grid"]
    day = LadderDay("grid", grid, grid.parameters(), BTC, BARS, Decimal(100_000), ())
    wanted = wanted_orders(day, CONFIG)
    placed = tuple(
        replace(one, order_id=str(number), stood_from=one.stood_from + MINUTE / 60) for number, one in enumerate(wanted)
    )
    found = compare_ladder(replace(day, orders=placed), CONFIG)
    assert wanted
    assert found.same
    assert found.split.total == found.difference

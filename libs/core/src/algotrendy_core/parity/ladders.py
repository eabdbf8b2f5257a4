"""A ladder's live day beside the backtest: which orders the step wants at rest, and which live had.

The step runs again over the recorded candles and is told, before each, what live's own orders had filled by then; so a
fill that the candles do not explain changes no later decision. Invariant: every live order of a rung that was placed
before the last close is in exactly one row, and a row's split adds up to its difference.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO, from_float

from algotrendy_core.backtest.config import BacktestConfig, rules_of
from algotrendy_core.backtest.execution import Rules
from algotrendy_core.backtest.working import order_price, whole_steps
from algotrendy_core.bars import Bar
from algotrendy_core.instruments import Instrument
from algotrendy_core.parity.comparison import Kind
from algotrendy_core.parity.resting import RestingOrder, RestingRow, compare_resting, played, row_of
from algotrendy_core.parity.split import Filled, Split
from algotrendy_core.strategies.interface import TRAILING_STOP, AnyStrategy, Holding, Parameters
from algotrendy_core.strategies.running import StrategyRun


@dataclass(frozen=True, slots=True)
class LadderDay:
    """From the first bar of the present state on; ``orders`` are all of its own since then, exits among them."""

    strategy_id: str
    strategy: AnyStrategy
    parameters: Parameters
    instrument: Instrument
    bars: tuple[Bar, ...]
    capital: Decimal
    """That the step was told of."""
    orders: tuple[RestingOrder, ...]


@dataclass(frozen=True, slots=True)
class RungRow:
    kind: Kind
    wanted: RestingOrder | None
    """What the step wanted at rest, and from when until when; None where only live had an order."""
    live: tuple[RestingOrder, ...]
    traded: RestingRow


@dataclass(frozen=True, slots=True)
class LadderReport:
    day: LadderDay
    mark: Decimal
    rungs: tuple[RungRow, ...]
    exits: tuple[RestingRow, ...]

    @property
    def same(self) -> bool:
        """Live had at rest what the step wants, when it wants it; what was filled of it may differ."""
        return all(row.kind is Kind.SAME for row in self.rungs)

    @property
    def split(self) -> Split:
        return sum((row.split for row in self._traded), Split())

    @property
    def difference(self) -> Decimal:
        return sum((row.difference for row in self._traded), ZERO)

    @property
    def _traded(self) -> list[RestingRow]:
        return [*(row.traded for row in self.rungs), *self.exits]


def compare_ladder(day: LadderDay, config: BacktestConfig) -> LadderReport:
    mark = day.bars[-1].close
    exits = [order for order in day.orders if order.rung < 0]
    return LadderReport(
        day, mark, tuple(_rows(day, config, mark)), compare_resting(exits, day.bars, day.instrument, config, mark)
    )


# ── what the step wants ─────────────────────────────────────────────────────────────────────────────────────────


def wanted_orders(day: LadderDay, config: BacktestConfig) -> list[RestingOrder]:
    """Each order that the step wants at rest, from the close that first wanted it to the one that no longer did.

    What the last close of the day asks for has no candle to be compared on, and is left out.
    """
    run, told = StrategyRun(day.strategy, day.parameters), _Told(day)
    rules = rules_of(day.instrument, config)
    step = timedelta(seconds=day.bars[0].timeframe.seconds)
    standing: dict[int, tuple[Any, RestingOrder]] = {}
    over: list[RestingOrder] = []
    for bar in day.bars:
        closed = bar.open_time + step
        told.tell(run, closed)
        run.on_bar(bar)
        told.placed(run, closed, closed + step)
        for number, rung in enumerate(run.ladder):
            asked = _on_grid(number, rung, rules, day.instrument, closed)
            what = None if asked is None else (rung.generation, asked.side, asked.kind, asked.price, rung.quantity)
            was = standing.get(number)
            if was is not None and was[0] != what:
                over.append(replace(was[1], stood_until=closed))
                del standing[number]
            if asked is not None and number not in standing:
                standing[number] = (what, asked)
    end = day.bars[-1].open_time + step
    return over + [replace(order, stood_until=end) for _, order in standing.values() if order.stood_from < end]


def _on_grid(number: int, rung: Any, rules: Rules, instrument: Instrument, closed: datetime) -> RestingOrder | None:
    """What of a rung is still wanted, as the venue can have it; None for nothing."""
    rest = whole_steps(min(rung.quantity, rules.max_quantity) - rung.filled, rules)
    if rung.kind == 0 or rung.price <= 0.0 or rest < rules.min_quantity:
        return None
    price = order_price(rung.kind, rung.side, rung.price, rules)
    if rung.kind != TRAILING_STOP and rest * price < rules.min_notional:
        return None
    exact = Decimal(repr(price)) if rung.kind == TRAILING_STOP else from_float(price, instrument.price_step)
    side = Side.BUY if rung.side > 0 else Side.SELL
    quantity = from_float(rest, instrument.quantity_step)
    return RestingOrder("", side, rung.kind, exact, quantity, closed, closed, rung=number)


class _Told:
    """Live's fills, each told once: to its rung while that has the generation that the order was placed for."""

    def __init__(self, day: LadderDay) -> None:
        self._day = day
        self._waiting = sorted(
            ((fill.time, order, fill) for order in day.orders for fill in order.fills), key=lambda each: each[0]
        )
        self._generations: dict[str, int] = {}
        self._held, self._cost = ZERO, ZERO

    def tell(self, run: StrategyRun, until: datetime) -> None:
        while self._waiting and self._waiting[0][0] < until:
            _, order, fill = self._waiting.pop(0)
            moved = order.side.sign * fill.quantity - fill.fee_base
            if moved < 0 and self._held > 0:
                self._cost += self._cost * moved / self._held
            else:
                self._cost += moved * fill.price
            self._held += moved
            rung = run.ladder[order.rung] if order.rung >= 0 else None
            if rung is not None and self._generations.get(order.order_id) == rung.generation:
                rung.filled += float(fill.quantity)
        average = float(self._cost / self._held) if self._held else 0.0
        run.holding = Holding(float(self._held), average, float(self._day.capital))

    def placed(self, run: StrategyRun, start: datetime, end: datetime) -> None:
        for order in self._day.orders:
            if order.rung >= 0 and start <= order.stood_from < end:
                self._generations[order.order_id] = run.ladder[order.rung].generation


# ── beside what live had ────────────────────────────────────────────────────────────────────────────────────────


def _rows(day: LadderDay, config: BacktestConfig, mark: Decimal) -> Iterator[RungRow]:
    step = timedelta(seconds=day.bars[0].timeframe.seconds)
    end = day.bars[-1].open_time + step
    left = [order for order in day.orders if order.rung >= 0 and order.stood_from < end]
    for wanted in sorted(wanted_orders(day, config), key=lambda each: (each.stood_from, each.rung)):
        live = [order for order in left if _answers(order, wanted)]
        left = [order for order in left if order not in live]
        yield _row(day, wanted, live, config, mark, step)
    for order in left:
        traded = row_of(order, Filled(ZERO, order.price, order.price), mark)
        alone = replace(traded, split=Split(signal=traded.live_pnl))
        yield RungRow(Kind.LIVE_ONLY, None, (order,), alone)


def _answers(order: RestingOrder, wanted: RestingOrder) -> bool:
    alike = (order.rung, order.side, order.kind, order.price) == (wanted.rung, wanted.side, wanted.kind, wanted.price)
    return alike and wanted.stood_from <= order.stood_from < wanted.stood_until


def _row(
    day: LadderDay, wanted: RestingOrder, live: Sequence[RestingOrder], config: BacktestConfig, mark: Decimal,
    step: timedelta,
) -> RungRow:  # fmt: skip
    kind = Kind.NOT_ORDERED
    if live:
        kind = Kind.SAME if live[0].stood_from < wanted.stood_from + step else Kind.LATER
        if live[0].quantity != wanted.quantity:
            kind = Kind.QUANTITY
    together = replace(wanted, fills=tuple(fill for order in live for fill in order.fills))
    return RungRow(kind, wanted, tuple(live), row_of(together, played(wanted, day.bars, day.instrument, config), mark))

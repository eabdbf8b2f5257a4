"""The whole examination of one strategy with one set of parameters on one history.

Each part asks one question and answers with numbers; ``findings`` says which lines were crossed. Nothing here chooses
parameters: the yardstick of a good result is reported, never tuned for.
Invariant: the same arguments give the same report; every draw comes from ``seed``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
from algotrendy_common.errors import Refused

from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.engine import BacktestResult, run_backtest
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from algotrendy_core.kernels import Floats
from algotrendy_core.performance import YEAR_S, max_drawdown, returns_of, sharpe
from algotrendy_core.robustness.deflated import deflated_sharpe, minimum_track_record, moments
from algotrendy_core.robustness.detectors import Make, look_ahead, start_dependence
from algotrendy_core.robustness.evidence import Examined, Histories, Part, Stress
from algotrendy_core.robustness.findings import Lines, of_trades
from algotrendy_core.robustness.neighbours import around, varying
from algotrendy_core.robustness.overfitting import Overfitting, cross_validated
from algotrendy_core.robustness.resampling import TradeDraws, resampled, spread, trade_draws
from algotrendy_core.robustness.significance import against_random_entries
from algotrendy_core.robustness.verdict import findings_of
from algotrendy_core.strategies.interface import Parameters

_PERIODS = 4000
"""Returns are gathered to at most so many periods where sets are compared: the choice among them needs no more."""


@dataclass(frozen=True, slots=True)
class Examination:
    """How much is tried. ``unseen`` is the share of the history, its end, that is looked at on its own."""

    seed: int = 0
    draws: int = 1000
    histories: int = 100
    mean_block: int = 50
    unseen: float = 0.3
    groups: int = 10
    tested: int = 2
    lines: Lines = field(default_factory=Lines)


Progress = Callable[[str, int, int], None]
"""Told of the part, how much of it is done, and how much there is."""


def examined(
    make: Make,
    parameters: Parameters,
    bars: BarSeries,
    instrument: Instrument,
    config: BacktestConfig,
    *,
    examination: Examination | None = None,
    tried: Sequence[Parameters] = (),
    progress: Progress = lambda part, done, total: None,
) -> Examined:
    """``make`` gives the strategy as freshly loaded; ``tried`` are the sets that were looked at before this one was
    chosen: the more there were, the less a good result says. Without them the neighbours stand for them.

    Raises Refused where there are too few bars to examine anything.
    """
    how = examination or Examination()
    if len(bars) < 200:
        raise Refused("too_few_bars", "an examination needs 200 bars or more", bars=len(bars))
    strategy = make()
    per_year = YEAR_S / bars.timeframe.seconds

    def run(of: Parameters, on: BarSeries = bars, under: BacktestConfig = config) -> BacktestResult:
        return run_backtest(strategy, of, on, instrument, under)

    progress("run", 0, 1)
    result = run(parameters)
    initial = float(config.initial_cash)
    cut = int(len(bars) * (1.0 - how.unseen))
    sets, surface = around(strategy, parameters)
    others = list(tried) or list(sets.values())
    columns: dict[str, Floats] = {}
    for number, one in enumerate([*sets.values(), *others]):
        progress("parameters", number, len(sets) + len(others))
        key = one.model_dump_json()
        if key not in columns:
            columns[key] = run(one).equity
    if surface is not None:
        values = surface.values.copy()
        for place, one in sets.items():
            ratio = sharpe(returns_of(columns[one.model_dump_json()], initial), per_year)
            values[place] = 0.0 if ratio is None else ratio
        surface = replace(surface, values=values)
    returns, step = gathered([columns[key] for key in dict.fromkeys(one.model_dump_json() for one in others)], initial)
    own, _ = gathered([result.equity], initial)
    ratios = np.array([_ratio(column) for column in returns.T])
    chosen = own[:, 0]
    track = minimum_track_record(chosen)
    progress("line by line", 0, 1)
    found = Examined(
        result=result,
        whole=result.statistics,
        seen=part_of(result.equity[:cut], initial, per_year),
        unseen=part_of(result.equity[cut:], float(result.equity[cut - 1]), per_year),
        trade_draws=_trades_drawn(result, how),
        histories=_histories(run, parameters, bars, how, initial, per_year, progress),
        surface=surface,
        significance=against_random_entries(result.trades, bars.open, draws=how.draws, seed=how.seed),
        overfitting=_overfitting(returns, result, step, how),
        deflated=deflated_sharpe(chosen, np.append(ratios, _ratio(chosen))),
        needed_years=None if track is None else track * step / per_year,
        stresses=_stressed(run, parameters, bars, instrument, config, per_year, progress),
        look_ahead=look_ahead(make, parameters, bars, seed=how.seed),
        start_dependence=start_dependence(strategy, parameters, bars),
        findings=(),
    )
    of_the_trades = of_trades(result.fills, result.trades, result.equity, bars, len(varying(strategy)), how.lines)
    return replace(found, findings=(*of_the_trades, *findings_of(found, how.lines)))


def gathered(curves: Sequence[Floats], initial: float) -> tuple[Floats, int]:
    """Returns of equity curves, shape (periods, curves), over steps of so many bars that periods stay few."""
    count = len(curves[0])
    step = -(-count // _PERIODS)
    ends = np.arange(step - 1, count, step)
    return np.stack([returns_of(curve[ends], initial) for curve in curves], axis=1), step


def part_of(equity: Floats, initial: float, per_year: float) -> Part:
    worst = max_drawdown(np.concatenate(([initial], equity)))
    return Part(
        bars=len(equity),
        total_return=float(equity[-1]) / initial - 1.0,
        sharpe=sharpe(returns_of(equity, initial), per_year),
        max_drawdown=worst.ratio if worst else 0.0,
    )


Run = Callable[..., BacktestResult]


def _ratio(returns: Floats) -> float:
    found = moments(returns)
    return found.sharpe if found else 0.0


def _trades_drawn(result: BacktestResult, how: Examination) -> TradeDraws | None:
    trades = result.trades
    if not len(trades):
        return None
    before = result.equity[np.maximum(trades["entry_bar"] - 1, 0)]
    return trade_draws(
        trades["profit"] / before, draws=how.draws, seed=how.seed, drawdown_limit=how.lines.yardstick_drawdown
    )


def _histories(
    run: Run, parameters: Parameters, bars: BarSeries, how: Examination, initial: float, per_year: float,
    progress: Progress,
) -> Histories | None:  # fmt: skip
    if how.histories < 2:
        return None
    rows = np.empty((how.histories, 3))
    for draw in range(how.histories):
        progress("other histories", draw, how.histories)
        other = run(parameters, resampled(bars, mean_block=how.mean_block, seed=how.seed * 1_000_003 + draw))
        part = part_of(other.equity, initial, per_year)
        rows[draw] = (part.total_return, part.sharpe or 0.0, part.max_drawdown)
    return Histories(
        spread(rows[:, 0]), spread(rows[:, 1]), spread(rows[:, 2]), float((rows[:, 0] < 0).mean()), how.histories
    )


def _overfitting(returns: Floats, result: BacktestResult, step: int, how: Examination) -> Overfitting | None:
    """None where there is no choice to judge or too little history to cut."""
    trades = result.trades
    held = int(np.ceil(np.median(trades["exit_bar"] - trades["entry_bar"]) / step)) if len(trades) else 1
    purged = min(held, len(returns) // (how.groups * 8))
    if returns.shape[1] < 2 or len(returns) < how.groups * (2 * purged + 2):
        return None
    return cross_validated(returns, groups=how.groups, tested=how.tested, purged=purged, embargo=purged)


def _stressed(
    run: Run, parameters: Parameters, bars: BarSeries, instrument: Instrument, config: BacktestConfig,
    per_year: float, progress: Progress,
) -> tuple[Stress, ...]:  # fmt: skip
    bar_ms = bars.timeframe.seconds * 1000
    maker = instrument.maker_fee if config.maker_fee is None else config.maker_fee
    taker = instrument.taker_fee if config.taker_fee is None else config.taker_fee
    rows = {
        **{
            f"fees × {times}": replace(config, maker_fee=maker * times, taker_fee=taker * times)
            for times in (Decimal("1.5"), Decimal(2), Decimal(3))
        },
        **{f"{bps} bps more slippage": replace(config, slippage_bps=config.slippage_bps + bps) for bps in (2, 5, 10)},
        **{
            f"{late} bar{'s' if late > 1 else ''} late": replace(config, latency_ms=config.latency_ms + late * bar_ms)
            for late in (1, 3)
        },
    }
    found = []
    for number, (name, under) in enumerate(rows.items()):
        progress("costs and latency", number, len(rows))
        part = part_of(run(parameters, bars, under).equity, float(config.initial_cash), per_year)
        found.append(Stress(name, part.total_return, part.sharpe, part.max_drawdown))
    return tuple(found)

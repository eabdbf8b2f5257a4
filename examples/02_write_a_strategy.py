"""Write a strategy of your own: one file with its parameters, its state and one step function. Copy this one.

    python examples/02_write_a_strategy.py                                        try it on the recorded day
    algotrendy backtest run --strategy examples/02_write_a_strategy.py --data …   backtest it on your own data
    ALGOTRENDY_AGENT_USER_STRATEGIES=folder                                       run every file of a folder live

The strategy buys when the close breaks above the highest high of the last bars and leaves when it falls a few average
true ranges below the highest close since.

A file may import math, dataclasses, typing, enum, numpy, pydantic and algotrendy_core. It opens no files and no
connections, and keeps what it remembers in its state. Before it is used it is tried in a process of its own with limits
on time and memory; what is wrong is told with its line. What stands below ``if __name__ == "__main__"`` is for you:
nobody else runs it.
"""

from dataclasses import dataclass, field

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.atr import AtrState, atr, atr_state
from algotrendy_core.kernels import ring
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy
from pydantic import Field

# 1. Parameters: each with a default, bounds, a meaning and a unit. The page and the checks come from this model.


class ChannelBreakoutParameters(Parameters):
    lookback: int = Field(60, ge=2, le=1000, description="Bars of the channel", json_schema_extra={"unit": "bars"})
    atr_period: int = Field(14, ge=2, le=200, description="Bars of the true range", json_schema_extra={"unit": "bars"})
    stop: float = Field(3.0, gt=0, le=20, description="Distance of the stop", json_schema_extra={"unit": "true ranges"})


# 2. State: a dataclass of floats, ints, bools, lists of floats and other such dataclasses. That is all numba needs to
#    compile the step, and all the live service needs to save it.


@dataclass(slots=True)
class ChannelBreakoutState:
    atr: AtrState
    index: int = 0
    count: int = 0
    highs: list[float] = field(default_factory=list)
    long: bool = False
    highest_close: float = 0.0


def initial_state(parameters: ChannelBreakoutParameters) -> ChannelBreakoutState:
    return ChannelBreakoutState(atr_state(parameters.atr_period), highs=ring(parameters.lookback))


# 3. The step: the next closed bar in, the exposure you want from now on and a reason out. It may call functions of
#    yours; keep to arithmetic, `if`, `for` and the fields of the state, and it runs compiled. It sees no later bar.

BROKE_OUT, HELD, STOPPED, WAITING = 1, 2, 3, 4


def highest(values: list[float], count: int) -> float:
    top = values[0]
    for k in range(1, count):
        top = max(top, values[k])
    return top


def step(parameters: ChannelBreakoutParameters, state: ChannelBreakoutState, candle: Candle) -> Decision:
    true_range = atr(state.atr, candle.high, candle.low, candle.close)
    warm = state.count >= parameters.lookback and true_range == true_range  # NaN differs from itself
    channel = highest(state.highs, parameters.lookback)
    state.highs[state.index] = candle.high
    state.index = (state.index + 1) % parameters.lookback
    state.count += 1
    if not warm:
        return UNDECIDED
    if state.long:
        state.highest_close = max(state.highest_close, candle.close)
        if candle.close < state.highest_close - parameters.stop * true_range:
            state.long = False
            return Decision(0.0, STOPPED)
        return Decision(1.0, HELD)
    if candle.close > channel:
        state.long = True
        state.highest_close = candle.close
        return Decision(1.0, BROKE_OUT)
    return Decision(0.0, WAITING)


# 4. The strategy itself: one in a file, with a name that no strategy of the platform has.

CHANNEL_BREAKOUT = Strategy(
    name="channel_breakout",
    description="Buys a close above the channel, leaves at a trailing stop",
    parameters=ChannelBreakoutParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: max(parameters.lookback, parameters.atr_period) + 1,
    reasons=("warming_up", "broke_out", "held", "stopped", "waiting"),
)


# 5. A strategy that wants orders at rest instead (a grid, say) names the number of its `rungs`, and its step takes two
#    more arguments: `step(parameters, state, candle, holding, ladder)`. It writes what it wants to have at rest into
#    `ladder[i]` and reads there what was filled; algotrendy_core/strategies/grid.py is one.


# Below: the strategy is backtested over the recorded day that the demo plays, and then run bar by bar, as the live
# service runs it, with a save and a restore in the middle. The decisions are the same.

if __name__ == "__main__":
    import csv
    import json
    from decimal import Decimal
    from pathlib import Path

    from algotrendy_common.clock import from_ms
    from algotrendy_common.enums import Timeframe
    from algotrendy_core.backtest.engine import BacktestConfig, run_backtest
    from algotrendy_core.backtest.series import series_of_bars
    from algotrendy_core.bars import Bar
    from algotrendy_core.strategies.running import Signal, StrategyRun
    from algotrendy_core.strategies.user_file import Limits, checked_user_strategy, load_user_strategy
    from algotrendy_simulator.listings import PACKAGED, read_listings

    path = Path(__file__)
    checked_user_strategy(path, Limits())
    strategy = load_user_strategy(path)
    print(f"loaded:   {strategy.name}: {strategy.description}")

    listing = read_listings(PACKAGED)[0]
    bars = []
    with (PACKAGED / listing.file).open(newline="") as file:
        for row in csv.DictReader(file):
            open_, high, low, close, volume = (Decimal(row[name]) for name in Candle._fields[1:])
            time = from_ms(int(row["timestamp_ms"]))
            bars.append(Bar(Timeframe.M1, time, open_, high, low, close, volume, Decimal(0), 0, complete=True))

    parameters = strategy.parameters(lookback=30)
    series = series_of_bars(Timeframe.M1, bars)
    result = run_backtest(strategy, parameters, series, listing.instrument, BacktestConfig(Decimal(100_000)))
    figures = result.statistics
    print(f"backtest: {figures.trades} trades, {figures.total_return:+.2%}, compiled: {result.compiled}")

    live = StrategyRun(strategy, parameters)
    changes: list[Signal] = []
    for number, bar in enumerate(bars):
        if number == len(bars) // 2:  # a restart: the state goes through JSON and comes back bit for bit
            saved = json.dumps(live.save())
            live = StrategyRun(strategy, parameters)
            live.restore(json.loads(saved))
        signal = live.on_bar(bar)
        if signal is not None and signal.target != (changes[-1].target if changes else 0.0):
            changes.append(signal)
    print(f"live:     {len(changes)} changes of mind; the first three:")
    for signal in changes[:3]:
        print(f"  {from_ms(signal.time):%H:%M} wants {signal.target:.0%}: {signal.reason}")
    wanted = [(int(fill["time"]) - 60_000, float(fill["target"])) for fill in result.fills]
    print("the same as in the backtest:", wanted == [(signal.time, signal.target) for signal in changes[: len(wanted)]])

"""What else could have happened: the same trades in another order, and other histories made of the same pieces.

Invariant: a seed gives the same draws on every machine (NumPy's PCG64), and a resampled series keeps every rule that a
real one obeys: prices above zero, highs and lows around open and close, times in order.
"""

from dataclasses import dataclass

import numpy as np

from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.kernels import Floats

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Spread:
    """Quantiles of something over the draws, at ``QUANTILES``."""

    values: tuple[float, ...]

    @property
    def low(self) -> float:
        return self.values[0]

    @property
    def median(self) -> float:
        return self.values[2]

    @property
    def high(self) -> float:
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class TradeDraws:
    """Returns as fractions of the equity at the time."""

    total_return: Spread
    """With replacement: other trades of the same kind."""
    max_drawdown: Spread
    """With replacement."""
    max_drawdown_reordered: Spread
    """The very same trades in other orders."""
    probability_of_loss: float
    probability_of_drawdown: float
    """Of a drawdown deeper than the limit that was asked about, with replacement."""


def spread(values: Floats) -> Spread:
    return Spread(tuple(float(value) for value in np.quantile(values, QUANTILES)))


def trade_draws(trade_returns: Floats, *, draws: int, seed: int, drawdown_limit: float) -> TradeDraws:
    """``trade_returns``: each trade's profit over the equity before it. Raises ValueError without trades."""
    if not len(trade_returns):
        raise ValueError("there are no trades to draw from")
    random = np.random.Generator(np.random.PCG64(seed))
    picked = trade_returns[random.integers(0, len(trade_returns), (draws, len(trade_returns)))]
    curves = np.cumprod(1.0 + np.maximum(picked, -1.0), axis=1)
    order = random.permuted(np.broadcast_to(trade_returns, (draws, len(trade_returns))), axis=1)
    drawdowns = _deepest(curves)
    return TradeDraws(
        total_return=spread(curves[:, -1] - 1.0),
        max_drawdown=spread(drawdowns),
        max_drawdown_reordered=spread(_deepest(np.cumprod(1.0 + np.maximum(order, -1.0), axis=1))),
        probability_of_loss=float((curves[:, -1] < 1.0).mean()),
        probability_of_drawdown=float((drawdowns > drawdown_limit).mean()),
    )


def _deepest(curves: Floats) -> Floats:
    highest = np.maximum(np.maximum.accumulate(curves, axis=1), 1.0)
    return np.asarray((1.0 - curves / highest).max(axis=1), dtype=np.float64)


def resampled(bars: BarSeries, *, mean_block: int, seed: int) -> BarSeries:
    """Another history of the same length, made of blocks of this one's moves (stationary bootstrap).

    Blocks have random lengths around ``mean_block`` bars, so that volatility and short trends stay as they are while
    the long course is another. Source: Politis and Romano, "The Stationary Bootstrap" (1994).
    """
    count = len(bars)
    if mean_block < 1:
        raise ValueError("a block has one bar or more")
    if count < 2:
        return bars
    random = np.random.Generator(np.random.PCG64(seed))
    begins = random.random(count) < 1.0 / mean_block
    begins[0] = True
    starts = random.integers(1, count, count)
    # Inside a block each bar follows the one before it in the real history; past its end the history begins anew.
    since = np.arange(count) - np.maximum.accumulate(np.where(begins, np.arange(count), 0))
    first = starts[np.maximum.accumulate(np.where(begins, np.arange(count), 0))]
    source = 1 + (first - 1 + since) % (count - 1)
    before = bars.close[source - 1]
    growth = np.cumprod(bars.close[source] / before)
    base = float(bars.close[0])
    closes = base * growth
    previous = np.concatenate(([base], closes[:-1]))
    open_, high, low = (previous * (column[source] / before) for column in (bars.open, bars.high, bars.low))
    return BarSeries(
        bars.timeframe,
        bars.time,
        open_,
        np.maximum.reduce([high, open_, closes]),
        np.minimum.reduce([low, open_, closes]),
        closes,
        bars.volume[source],
    )

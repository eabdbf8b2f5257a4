"""Indicators: each one a step function over a small state, the same live, in a backtest and over an array.

``sma(state, value)`` takes the next value into ``state`` (made by ``sma_state(period)``) and returns the indicator,
NaN until warm. ``registry.over_bars(INDICATORS["sma"], bars, period)`` is the same step over arrays, compiled.

Conventions (seeds, what is divided by what, order of operations) are TA-Lib's wherever it has the indicator. Charting
sites and spreadsheets often seed a smoothed indicator (RSI, Stochastic RSI, MACD, ATR) with its first value or before
its window is full; the difference fades by the smoothing's factor with each bar, to nothing within some ten periods.
"""

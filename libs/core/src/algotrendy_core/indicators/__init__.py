"""Indicators: each one a step function over a small state, the same live, in a backtest and over an array.

``sma(state, value)`` takes the next value into ``state`` (made by ``sma_state(period)``) and returns the indicator,
NaN until warm. ``sma_array(values, period)`` is the same step over an array, compiled. Conventions (seeds, what is
divided by what, order of operations) are TA-Lib's.
"""

"""Backtests: the live strategy step over history, filled and accounted bar by bar by the rules of the live side."""

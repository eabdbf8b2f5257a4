"""Strategies: a pydantic model of parameters and one step function, run live and in backtests alike."""

"""Attempts to prove a good backtest wrong: pure statistics, each with the question that it answers."""

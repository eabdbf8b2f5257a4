"""How fast a compiled backtest runs, beside a bare loop that does the same arithmetic."""

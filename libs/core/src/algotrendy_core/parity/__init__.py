"""Live against backtest: the same candles through the same step, decision by decision, order by order, cent by cent."""

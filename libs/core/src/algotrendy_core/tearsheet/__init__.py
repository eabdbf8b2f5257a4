"""What a person reads of a backtest, as numbers: nothing here draws or formats."""

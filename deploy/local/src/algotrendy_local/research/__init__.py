"""Research at the terminal: indicators over candles in a file, and candles out of recorded trades."""

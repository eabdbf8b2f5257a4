"""The outside: candles from ingest, and the process that computes."""

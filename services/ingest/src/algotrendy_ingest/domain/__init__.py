"""Pure decisions about market data: no clock, no I/O."""

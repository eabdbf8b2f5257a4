"""Bybit's v5 wire format: spot and USDT linear perpetuals of one unified account."""

"""Binance spot: REST, public streams and the user data stream of its WebSocket API."""

"""Kraken's wire format: spot with margin, Earn, and the second version of its WebSocket."""

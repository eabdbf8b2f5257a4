"""Coinbase Advanced Trade's wire format: spot, one socket for everything, JWTs instead of signatures."""

"""Crypto.com Exchange's v1 wire format: spot."""

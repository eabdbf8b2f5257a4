"""Requests that want an answer now, one module an answering service. ``catalogue`` lists them all."""

"""Venues by the wire they speak, each over the one simulation."""

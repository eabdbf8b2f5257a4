"""Venues on localhost that speak the real wire formats over one matching engine, fed from recorded data."""

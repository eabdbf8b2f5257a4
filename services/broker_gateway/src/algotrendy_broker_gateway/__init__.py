"""Venues and brokers: orders, fills, positions and balances of the accounts, and their reconciliation.

What risk approved is placed here, once, and what the venue says about it is counted here, once.
"""

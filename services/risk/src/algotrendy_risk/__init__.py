"""Decides whether an order may be sent: limits, halts and the account as a whole, with everything reserved counted.

It alone can sign an approval; whatever it does not know is a reason to refuse.
"""

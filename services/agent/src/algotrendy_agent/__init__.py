"""Runs strategies live: a closed bar goes in, a signal and perhaps a proposed order come out.

It proposes and never sends; whether an order may go is risk's affair, how it goes the broker gateway's.
"""

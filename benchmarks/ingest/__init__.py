"""Feeds: recorded messages read into ticks and books, and from there onto the bus."""

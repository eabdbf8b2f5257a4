"""Drills: what may go wrong with orders, made to happen on a private stack, with a verdict at the end."""

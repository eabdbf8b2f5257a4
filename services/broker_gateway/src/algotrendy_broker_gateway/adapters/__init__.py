"""Venues as they really are, one file each."""

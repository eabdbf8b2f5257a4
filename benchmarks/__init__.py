"""Measurements, one folder a claim, each beside the floor or peer it is measured against."""

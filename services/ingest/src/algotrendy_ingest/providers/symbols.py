"""Spellings of a symbol. Ours has a point before the class of a share: ``BRK.B``."""

_CLASSES = ("A", "B", "C", "K")


def dashed(symbol: str) -> str:
    """``BRK-B``. Longer endings are places of exchange (``TOT.TO``) and stay."""
    name, _, ending = symbol.rpartition(".")
    return f"{name}-{ending}" if name and ending in _CLASSES else symbol

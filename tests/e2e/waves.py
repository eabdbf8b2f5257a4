"""A market that swings evenly for ever: what a ladder needs to trade, wherever in it a test happens to begin.

Invariant: the last minute ends where the first begins, so the recording can be played over and over without a jump.
"""

import itertools
import json
import shutil
from decimal import Decimal
from pathlib import Path

from algotrendy_simulator.listings import PACKAGED
from algotrendy_simulator.ticks import MINUTE_MS

_START_MS = 1_670_889_600_000
_CENT = Decimal("0.01")


def waves(directory: Path, middle: Decimal, swing: Decimal, minutes: int) -> Path:
    """A data directory of the simulator in which BTC-USDT goes ``swing`` (a ratio) up and down around ``middle``.

    ``minutes`` are those of one wave; the other instruments are as the simulator brings them.
    """
    shutil.copytree(PACKAGED, directory, ignore=shutil.ignore_patterns("__pycache__"))
    prices = [_price(minute, middle, swing, minutes) for minute in range(minutes + 1)]
    rows = [
        f"{_START_MS + minute * MINUTE_MS},{begun},{max(begun, ended)},{min(begun, ended)},{ended},5"
        for minute, (begun, ended) in enumerate(itertools.pairwise(prices))
    ]
    (directory / "waves.csv").write_text("\n".join(["timestamp_ms,open,high,low,close,volume", *rows, ""]))
    listings = json.loads((directory / "listings.json").read_text())
    for listing in listings:
        if listing["instrument"]["symbol"] == "BTC-USDT":
            listing["file"] = "waves.csv"
    (directory / "listings.json").write_text(json.dumps(listings))
    return directory


def _price(minute: int, middle: Decimal, swing: Decimal, minutes: int) -> Decimal:
    """A triangle: from the middle up, down through it, and back."""
    quarters = Decimal(4 * minute) / minutes
    height = quarters if quarters <= 1 else 2 - quarters if quarters <= 3 else quarters - 4
    return (middle * (1 + swing * height)).quantize(_CENT)

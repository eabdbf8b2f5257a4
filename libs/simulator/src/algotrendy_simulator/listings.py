"""What the venue lists: ``listings.json`` of the data directory names each recording, its instrument and its book.

Invariant: the first listing's recorded time is the venue's time; the others are shifted to begin with it.
"""

import json
from pathlib import Path
from typing import Literal

from algotrendy_core.instruments import Instrument, InstrumentKind
from pydantic import BaseModel, ConfigDict, TypeAdapter

from algotrendy_simulator.crowd import BookShape
from algotrendy_simulator.recordings import Recording, read_candles, read_trades

PACKAGED = Path(__file__).parent / "data"
SPOT_ONLY = frozenset({"binance", "coinbase", "kraken"})
"""Venues whose perpetuals, where they have any, are behind another interface than the one that is spoken here."""


class Listing(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    kind: Literal["candles", "trades"]
    instrument: Instrument
    shape: BookShape

    @property
    def wire_symbol(self) -> str:
        """The exchange's own name of it: ``BTCUSDT``, or ``BTCUSDT-PERP``."""
        perpetual = self.instrument.kind is InstrumentKind.PERPETUAL
        return f"{self.instrument.base}{self.instrument.quote}{'-PERP' if perpetual else ''}"

    def read(self, directory: Path, trades_per_minute: int) -> Recording:
        path = directory / self.file
        if self.kind == "trades":
            return read_trades(path)
        steps = self.instrument.price_step, self.instrument.quantity_step
        perpetual = self.instrument.kind is InstrumentKind.PERPETUAL
        return read_candles(path, *steps, trades_per_minute, to_grid=perpetual)


_LISTINGS = TypeAdapter(list[Listing])


def read_listings(directory: Path, venue: str = "binance") -> list[Listing]:
    """What the venue lists of the directory.

    Raises pydantic's ValidationError where the file does not say what it must.
    """
    listings = _LISTINGS.validate_python(json.loads((directory / "listings.json").read_text()))
    return [listing for listing in listings if listing.instrument.kind is InstrumentKind.SPOT or venue not in SPOT_ONLY]

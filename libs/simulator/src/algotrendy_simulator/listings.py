"""What the venue lists: ``listings.json`` of the data directory names each recording, its instrument and its book.

Invariant: the first listing's recorded time is the venue's time; the others are shifted to begin with it.
"""

import json
from pathlib import Path
from typing import Literal

from algotrendy_core.instruments import Instrument
from pydantic import BaseModel, ConfigDict, TypeAdapter

from algotrendy_simulator.crowd import BookShape
from algotrendy_simulator.recordings import Recording, read_candles, read_trades

PACKAGED = Path(__file__).parent / "data"


class Listing(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    kind: Literal["candles", "trades"]
    instrument: Instrument
    shape: BookShape

    @property
    def wire_symbol(self) -> str:
        return f"{self.instrument.base}{self.instrument.quote}"

    def read(self, directory: Path, trades_per_minute: int) -> Recording:
        path = directory / self.file
        if self.kind == "trades":
            return read_trades(path)
        steps = self.instrument.price_step, self.instrument.quantity_step
        return read_candles(path, *steps, trades_per_minute)


_LISTINGS = TypeAdapter(list[Listing])


def read_listings(directory: Path) -> list[Listing]:
    """Raises pydantic's ValidationError where the file does not say what it must."""
    return _LISTINGS.validate_python(json.loads((directory / "listings.json").read_text()))

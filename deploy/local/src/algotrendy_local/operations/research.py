"""``algotrendy backtest``: what the command needs to know of this installation and of the stack that runs in it.

Invariant: what speaks to a stack is imported where one is asked; it costs a second, and a file needs none of it.
"""

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from algotrendy_backtest.cli.app import carry_out
from algotrendy_backtest.cli.surroundings import Dataset, HistoryAsked, Surroundings

from algotrendy_local.settings import LocalSettings

if TYPE_CHECKING:
    from algotrendy_core.backtest.series import BarSeries
    from algotrendy_core.instruments import Instrument


def backtest(arguments: list[str], settings: LocalSettings) -> None:
    """The command with what follows its name; ends the process with its status."""

    def history(asked: HistoryAsked) -> "tuple[Instrument, BarSeries]":
        from algotrendy_local.operations.stored_candles import fetch

        return fetch(settings, asked)

    carry_out(arguments, Surroundings(settings.home, _datasets, history))


def _datasets() -> list[Dataset]:
    """The simulator's recordings of candles, each under the name of what was recorded."""
    folder = Path(str(resources.files("algotrendy_simulator") / "data"))
    listings = json.loads((folder / "listings.json").read_text(encoding="utf-8"))
    found = [
        Dataset(listing["instrument"]["symbol"], folder / listing["file"], listing["instrument"])
        for listing in listings
        if listing["kind"] == "candles"
    ]
    return list({dataset.name: dataset for dataset in reversed(found)}.values())

"""What the command is told of the place it runs in; whoever mounts it says so.

Invariant: nothing here is needed for plain candles from a file.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from algotrendy_common.enums import Timeframe

if TYPE_CHECKING:
    from algotrendy_core.backtest.series import BarSeries
    from algotrendy_core.instruments import Instrument


@dataclass(frozen=True, slots=True)
class HistoryAsked:
    """Candles that a running stack has stored."""

    venue: str
    symbol: str
    timeframe: Timeframe
    start: datetime | None
    end: datetime | None
    home: Path
    """Of the stack, where one runs there; else of the one that runs here."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Candles that come with the platform, and the rules of their instrument as its fields."""

    name: str
    path: Path
    instrument: dict[str, str]


def _no_stack(asked: HistoryAsked) -> "tuple[Instrument, BarSeries]":
    from algotrendy_backtest.errors import NothingToRunOn

    raise NothingToRunOn("no stack is known here: give a file with --data")


@dataclass(frozen=True, slots=True)
class Surroundings:
    home: Path = Path(".algotrendy")
    datasets: Callable[[], list[Dataset]] = list
    history: "Callable[[HistoryAsked], tuple[Instrument, BarSeries]]" = field(default=_no_stack)
    """Raises Refused or Retryable where there is no stack or it has no such candles."""

    @property
    def research(self) -> Path:
        return self.home / "research"

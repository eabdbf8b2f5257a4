"""What can be wrong with recorded prices, and a finding of it."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    UNREADABLE = "unreadable"
    """A cell that is not a number."""
    NOT_POSITIVE = "not_positive"
    """A price of zero or below, or a volume below zero."""
    VOLUME = "volume"
    """A volume that is no number, beside prices that are."""
    RANGE = "range"
    """High and low do not contain open and close."""
    TIME_BACK = "time_back"
    DUPLICATE = "duplicate"
    """A time that was there before with the same row."""
    CONTRADICTION = "contradiction"
    """A time that was there before with other prices."""
    GAP = "gap"
    UNIT = "unit"
    """Prices a hundredfold or a hundredth of those around them: pence for pounds."""
    SPLIT = "split"
    """Prices that a split of the list was not applied to, or twice."""
    JUMP = "jump"
    """A move from row to row that no market makes, and that neither unit nor split explains."""
    SPIKE = "spike"
    """A lone price far from those before and after it."""
    DIVIDEND_UNIT = "dividend_unit"
    DIVIDEND_REPEATED = "dividend_repeated"
    DIVIDEND_ADJUSTMENT = "dividend_adjustment"
    """The adjusted close does not follow from close and dividend."""


class Remedy(StrEnum):
    MENDED = "mended"
    SET_ASIDE = "set_aside"
    TOLD = "told"
    """Nothing is changed: a person decides."""


REMEDIES = {
    Fault.UNREADABLE: Remedy.SET_ASIDE,
    Fault.NOT_POSITIVE: Remedy.SET_ASIDE,
    Fault.VOLUME: Remedy.MENDED,
    Fault.RANGE: Remedy.TOLD,
    Fault.TIME_BACK: Remedy.MENDED,
    Fault.DUPLICATE: Remedy.SET_ASIDE,
    Fault.CONTRADICTION: Remedy.SET_ASIDE,
    Fault.GAP: Remedy.TOLD,
    Fault.UNIT: Remedy.MENDED,
    Fault.SPLIT: Remedy.MENDED,
    Fault.JUMP: Remedy.TOLD,
    Fault.SPIKE: Remedy.SET_ASIDE,
    Fault.DIVIDEND_UNIT: Remedy.MENDED,
    Fault.DIVIDEND_REPEATED: Remedy.MENDED,
    Fault.DIVIDEND_ADJUSTMENT: Remedy.MENDED,
}


@dataclass(frozen=True, slots=True)
class Finding:
    fault: Fault
    row: int
    """In the file, the header being row 1; of several the first."""
    time_ms: int | None
    detail: str
    """In words, with the figures."""
    count: int = 1
    """Rows concerned; of a gap, candles missing."""

    @property
    def remedy(self) -> Remedy:
        return REMEDIES[self.fault]

"""Our count of positions against the venue's, where the venue keeps positions of its own.

Invariant: ours follow from fills alone and are never overwritten by the venue's; a difference is said, not adopted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.events.account import ReconciliationDifference
from algotrendy_common.money import ZERO, plain


@dataclass(frozen=True, slots=True)
class PositionDifference:
    symbol: str
    ours: Decimal
    venues: Decimal

    def described(self, threshold: Decimal) -> ReconciliationDifference:
        """``adopted`` where it is no more than ``threshold`` of the larger of the two: told, and lived with."""
        larger = max(abs(self.ours), abs(self.venues))
        return ReconciliationDifference(
            what="position",
            key=self.symbol,
            ours=plain(self.ours),
            venues=plain(self.venues),
            adopted=abs(self.ours - self.venues) <= larger * threshold,
        )


def position_differences(ours: Mapping[str, Decimal], venues: Mapping[str, Decimal]) -> tuple[PositionDifference, ...]:
    """Symbols whose signed quantities differ, in alphabetical order; ``ours`` without what is paid in full."""
    symbols = sorted(ours.keys() | venues.keys())
    pairs = ((symbol, ours.get(symbol, ZERO), venues.get(symbol, ZERO)) for symbol in symbols)
    return tuple(PositionDifference(*pair) for pair in pairs if pair[1] != pair[2])

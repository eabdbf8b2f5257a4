"""Our count of an account's assets against the venue's.

Invariant: what we expect follows from recorded openings, transfers and fills alone; a difference is adopted at most
once, as an entry of its own, and money that is missing is never adopted silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.events.account import ReconciliationDifference
from algotrendy_common.money import ZERO, plain
from algotrendy_core.fills import Fill
from algotrendy_core.positions import Position


@dataclass(frozen=True, slots=True)
class BalanceDifference:
    asset: str
    expected: Decimal
    found: Decimal
    what: str = "balance"
    """``funding`` where it is what holding a derivative or a loan costs or brings."""

    @property
    def amount(self) -> Decimal:
        """Positive: the venue has more than we can explain."""
        return self.found - self.expected

    def described(self, adopted: bool) -> ReconciliationDifference:
        return ReconciliationDifference(
            what=self.what, key=self.asset, ours=plain(self.expected), venues=plain(self.found), adopted=adopted
        )


def movements(fill: Fill, base: str, quote: str) -> dict[str, Decimal]:
    """What a spot fill adds to each asset."""
    moved = {base: fill.side.sign * fill.quantity, quote: -fill.side.sign * fill.notional}
    if fill.fee:
        moved[fill.fee_currency] = moved.get(fill.fee_currency, ZERO) - fill.fee
    return moved


def derivative_movements(before: Position, after: Position, fill: Fill) -> dict[str, Decimal]:
    """What a fill of a derivative adds to each asset: only what was realised, and the fee."""
    moved = {after.quote: after.realised_pnl - before.realised_pnl}
    if fill.fee:
        moved[fill.fee_currency] = moved.get(fill.fee_currency, ZERO) - fill.fee
    return moved


def small(differing: tuple[BalanceDifference, ...], threshold: Decimal) -> tuple[BalanceDifference, ...]:
    """Those that are told of and close nothing: at most ``threshold`` of what should be there."""
    return tuple(one for one in differing if abs(one.amount) <= abs(one.expected) * threshold)


def differences(
    expected: Mapping[str, Decimal], found: Mapping[str, Decimal], tolerance: Decimal
) -> tuple[BalanceDifference, ...]:
    """Assets in which the two differ by more than ``tolerance``, in alphabetical order."""
    pairs = ((asset, expected.get(asset, ZERO), found.get(asset, ZERO)) for asset in sorted({*expected, *found}))
    return tuple(BalanceDifference(*pair) for pair in pairs if abs(pair[2] - pair[1]) > tolerance)


def adoptable(differing: tuple[BalanceDifference, ...], losses_too: bool) -> tuple[BalanceDifference, ...]:
    """A surplus alone is a deposit. A surplus beside a deficit looks like a fill we were not told of, and a deficit is
    money gone: only a person may call those transfers."""
    if losses_too or all(difference.amount > ZERO for difference in differing):
        return differing
    return ()

"""Whether providers say the same. Pure.

Invariant: providers agree only where they spoke of the same thing: of prices adjusted alike, and of at least one day
in common. Days that only one of them has are no disagreement; values of a common day that differ are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from algotrendy_common.rpc.providers import DailyBars, LatestPrice, Observations

from algotrendy_ingest.providers.port import Answer


@dataclass(frozen=True, slots=True)
class Difference:
    one: str
    other: str
    what: str


def values(answer: Answer) -> Mapping[str, Decimal]:
    """What is compared: the closes of daily bars, observed values, a price."""
    match answer:
        case DailyBars():
            return {f"{answer.adjusted} {bar.day}": bar.close for bar in answer.bars}
        case Observations():
            return {str(one.day): one.value for one in answer.observations if one.value is not None}
        case LatestPrice():
            return {"price": answer.price}
        case _:
            return {series.series: Decimal(1) for series in answer.series}


def difference(one: Answer, other: Answer, tolerance: Decimal) -> str | None:
    """How they differ, in words; None where they agree. ``tolerance`` is a ratio of the greater value."""
    first, second = values(one), values(other)
    common = sorted(first.keys() & second.keys())
    if not common:
        return "nothing in common to compare"
    for name in common:
        a, b = first[name], second[name]
        if abs(a - b) > tolerance * max(abs(a), abs(b)):
            return f"{name}: {a:f} and {b:f}"
    return None


def agreeing(
    answers: Sequence[tuple[str, Answer]], need: int, tolerance: Decimal
) -> tuple[tuple[str, ...], list[Difference]]:
    """The greatest group of at least ``need`` that all agree with each other, first asked first; empty without one.

    The differences are those between all that were asked.
    """
    differences = {
        frozenset((one, other)): Difference(one, other, found)
        for (one, a), (other, b) in combinations(answers, 2)
        if (found := difference(a, b, tolerance)) is not None
    }
    names = [name for name, _ in answers]
    for size in range(len(names), need - 1, -1):
        for group in combinations(names, size):
            if not any(frozenset(pair) in differences for pair in combinations(group, 2)):
                return group, list(differences.values())
    return (), list(differences.values())

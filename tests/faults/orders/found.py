"""What the blows have found so far, and the figures that end a run.

Invariant: counts of books are those of every stack that stood, none of them forgotten with its stack.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from algotrendy_common.money import plain
from algotrendy_local.drills.books import Differences

from benchmarks.result import percentile
from tests.faults.orders.plan import MOMENTS, TARGETS


@dataclass
class Found:
    runs: int = 0
    judged: set[int] = field(default_factory=set)
    settled: int = 0
    trading_before_reconciliation: int = 0
    resent: int = 0
    recovery_s: list[float] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    """Moments that did not come: the program was killed anyway."""
    statuses: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    """Programs that ended by themselves, not by a blow; the supervisor starts them again."""
    books: Differences = field(default_factory=Differences)
    """Of the present stack."""
    earlier: list[Differences] = field(default_factory=list)
    """Of stacks before it."""
    broken: list[str] = field(default_factory=list)

    def next_stack(self) -> None:
        self.earlier.append(self.books)
        self.books = Differences()

    def total(self, count: Callable[[Differences], int | Decimal]) -> int | Decimal:
        return sum(count(books) for books in (*self.earlier, self.books))


def figures(found: Found) -> dict[str, Any]:
    return {
        "runs": found.runs,
        "settled": found.settled,
        "duplicates": found.total(lambda books: books.duplicates),
        "resent": found.resent,
        "lost_fills": found.total(lambda books: books.lost_fills),
        "invented_fills": found.total(lambda books: books.invented_fills),
        "orphan_orders": found.total(lambda books: books.orphan_orders),
        "position_difference": plain(Decimal(found.total(lambda books: books.position_difference))),
        "trading_before_reconciliation": found.trading_before_reconciliation,
        "recovery_p50_s": round(percentile(found.recovery_s, 0.5), 2) if found.recovery_s else None,
        "recovery_p95_s": round(percentile(found.recovery_s, 0.95), 2) if found.recovery_s else None,
        "recovery_worst_s": round(max(found.recovery_s), 2) if found.recovery_s else None,
        "pairs_struck": len([pair for pair, times in found.struck.items() if times]),
        "pairs": len(TARGETS) * len(MOMENTS),
        "moments_missed": found.missed,
        "ended_by_themselves": dict(sorted(found.ended.items())),
        "stacks": len(found.earlier),
        "broken": len(found.broken),
        "orders": dict(sorted(found.statuses.items())),
        "refusals": dict(sorted(found.refusals.items())),
    }


def passed(found: Found) -> bool:
    return not found.broken and not found.resent and 0 < found.runs == found.settled

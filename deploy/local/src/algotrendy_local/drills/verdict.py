"""What a drill found.

Invariant: passed only where every promise was looked at and held; each that did not is a line in plain words.
"""

from dataclasses import dataclass, field

from algotrendy_common.money import plain

from algotrendy_local.drills.books import Differences

Figure = float | int | str


@dataclass
class Verdict:
    figures: dict[str, Figure] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.broken

    def promise(self, held: bool, otherwise: str) -> None:
        """``otherwise`` says what was found instead."""
        if not held:
            self.broken.append(otherwise)

    def books(self, found: Differences) -> None:
        """Our books against the venue's, after everything."""
        self.figures |= {
            "duplicates": found.duplicates,
            "lost_fills": found.lost_fills,
            "orphan_orders": found.orphan_orders,
            "position_difference": plain(found.position_difference),
        }
        self.broken += found.detail

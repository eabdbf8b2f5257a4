"""Fills of a venue that gives them by time, newest first and a range at a time.

A fill may be told a moment later than one that came after it, so each question reaches back over an overlap, and the
cursor remembers what it has seen of that. Invariant: going from cursor to cursor no fill is skipped, and none of those
before the first cursor comes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from algotrendy_common.clock import to_ms
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.ports import FillPage

OVERLAP_MS = 5_000


@dataclass(frozen=True, slots=True)
class FillCursor:
    reached_ms: int
    seen: frozenset[str]
    """Trade ids not older than the overlap."""

    @classmethod
    def begun(cls, now_ms: int, lately: Iterable[Fill]) -> "FillCursor":
        """After everything until now; ``lately`` is at least what was traded since ``since(now_ms)``."""
        recent = (fill.trade_id for fill in lately if to_ms(fill.event_time) >= cls.since(now_ms))
        return cls(now_ms, frozenset(recent))

    @staticmethod
    def since(now_ms: int) -> int:
        return now_ms - OVERLAP_MS

    @classmethod
    def of_text(cls, text: str) -> "FillCursor":
        reached, _, ids = text.partition("|")
        return cls(int(reached), frozenset(filter(None, ids.split(","))))

    def text(self) -> str:
        return f"{self.reached_ms}|{','.join(sorted(self.seen))}"

    @property
    def since_ms(self) -> int:
        """From when the next page has to be asked for."""
        return max(0, self.reached_ms - OVERLAP_MS)

    def page(self, found: Iterable[Fill], now_ms: int) -> FillPage:
        """What is new among ``found`` (everything from ``since_ms`` until ``now_ms``), and the cursor after it."""
        everything = tuple(found)
        fresh = tuple(fill for fill in everything if fill.trade_id not in self.seen)
        reached_ms = max(self.reached_ms, now_ms)
        recent = {fill.trade_id for fill in everything if to_ms(fill.event_time) >= reached_ms - OVERLAP_MS}
        return FillPage(fresh, FillCursor(reached_ms, frozenset(recent)).text())


def windows(since_ms: int, until_ms: int, longest_ms: int) -> Iterator[tuple[int, int]]:
    """Ranges that cover [since, until] and a moment more, oldest first, none longer than the venue takes."""
    begin_ms = since_ms
    while True:
        end_ms = max(begin_ms + 1, min(begin_ms + longest_ms, until_ms + OVERLAP_MS))
        yield begin_ms, end_ms
        if end_ms > until_ms:
            return
        begin_ms = end_ms

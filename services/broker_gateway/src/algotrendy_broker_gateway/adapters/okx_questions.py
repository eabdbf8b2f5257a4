"""Pages of OKX's lists, and the cursor behind an account's fills.

A list comes newest first, a hundred rows at a time, and ``before`` alone gives the newest rows and not the next ones:
who reads on from a cursor must page backwards until it is reached. Invariant: a page is the whole of what is newer.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from algotrendy_common.clock import from_ms, to_ms

PAGE = 100
_RECENT = timedelta(days=2)
"""What ``/trade/fills`` surely still has (it keeps three days); ``/trade/fills-history`` keeps three months."""

type Ask = Callable[[dict[str, str]], Awaitable[list[Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class FillCursor:
    bill_id: int
    """Rises with each fill of an account; 0 before the first."""
    read_at: datetime

    @classmethod
    def of(cls, text: str) -> Self:
        bill_id, _, read_ms = text.partition("@")
        return cls(int(bill_id), from_ms(int(read_ms)))

    def __str__(self) -> str:
        return f"{self.bill_id}@{to_ms(self.read_at)}"

    def is_recent(self, now: datetime) -> bool:
        return now - self.read_at < _RECENT


async def pages(ask: Ask, request: dict[str, str], key: str) -> list[Mapping[str, Any]]:
    """All rows, newest first; ``key`` is the field that pages are counted by."""
    rows: list[Mapping[str, Any]] = []
    while True:
        older = {"after": str(rows[-1][key])} if rows else {}
        page = await ask(request | {"limit": str(PAGE)} | older)
        rows += page
        if len(page) < PAGE:
            return rows

"""Recorded HTTP exchanges, and which of them answers a request.

Invariant: a body is played as it was recorded. Only where stand-ins are asked for is one played for another symbol,
with the symbol in it replaced and nothing else.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGED = Path(__file__).parent.parent / "data" / "providers"

_TELLING = frozenset(
    ("function", "symbol", "series_id", "search_text", "from_symbol", "to_symbol", "from_currency", "to_currency")
)
"""Parameters that say what was asked for. Ranges, keys and forms are not compared: a recording holds its own range."""
_DAY = re.compile(r"/\d{4}-\d{2}-\d{2}(?=/|$)")


@dataclass(frozen=True, slots=True)
class Exchange:
    path: str
    params: Mapping[str, str]
    status: int
    headers: Mapping[str, str]
    body: str
    stands_for: str | None
    """The symbol in it, where it may be played for any other."""

    def answers(self, path: str, params: Mapping[str, str]) -> bool:
        return _DAY.sub("/*", self.path) == _DAY.sub("/*", path) and _told(self.params) == _told(params)

    def for_symbol(self, path: str, params: Mapping[str, str]) -> str | None:
        """The body for whatever symbol is asked for in its place; None where another question is asked."""
        if self.stands_for is None:
            return None
        asked = params.get("symbol")
        if asked is None:
            form = re.escape(_DAY.sub("/*", self.path)).replace(re.escape(self.stands_for), "([^/]+)", 1)
            found = re.fullmatch(form, _DAY.sub("/*", path))
            if found is None or not found.groups():
                return None
            asked = found.group(1)
        elif self.path != path or _told(self.params) | {"symbol": asked} != _told(params):
            return None
        return self.body.replace(f'"{self.stands_for}"', f'"{asked}"')


def _told(params: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if name in _TELLING}


def recorded(provider: str, folder: Path = PACKAGED) -> tuple[Exchange, ...]:
    """Raises FileNotFoundError where nothing of such a provider is recorded."""
    found = []
    for line in (folder / f"{provider}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.append(
            Exchange(row["path"], row["params"], row["status"], row["headers"], row["body"], row.get("stands_for"))
        )
    return tuple(found)

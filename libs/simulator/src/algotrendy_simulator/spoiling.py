"""What can happen to messages of public sockets on their way: lost, twice, out of order, or with a wrong checksum.

Invariant: only what is sent is touched, never a book; each disturbance strikes as often as it was told and is gone.
"""

import re
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

_CHECKSUM = re.compile(r'("(?:checksum|c)":\s*"?)(-?\d+)')


class SpoilKind(StrEnum):
    LOSE = "lose"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    """Kept until the next one of its kind has left."""
    CORRUPT = "corrupt"
    """The checksum in it is another."""


class Spoil(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: SpoilKind
    contains: tuple[str, ...] = Field(min_length=1)
    """Texts that all stand in the messages it strikes."""
    times: int = Field(1, gt=0)

    def strikes(self, text: str) -> bool:
        return all(part in text for part in self.contains)


class Spoiling:
    def __init__(self) -> None:
        self.armed: list[Spoil] = []
        self.struck = 0

    def clear(self) -> None:
        self.armed.clear()

    def take(self, text: str) -> Spoil | None:
        """What strikes this message, used up by it."""
        for spoil in self.armed:
            if spoil.strikes(text):
                spoil.times -= 1
                self.struck += 1
                if not spoil.times:
                    self.armed.remove(spoil)
                return spoil
        return None


class Spoiled:
    """One socket's messages as they leave it."""

    def __init__(self, spoiling: Spoiling) -> None:
        self._spoiling = spoiling
        self._kept: list[tuple[Spoil, str]] = []

    def told(self, text: str) -> list[str]:
        """What is sent in place of a message."""
        texts = self._struck(text) if self._spoiling.armed else [text]
        if self._kept and texts:
            late = [kept for spoil, kept in self._kept if spoil.strikes(text)]
            self._kept = [(spoil, kept) for spoil, kept in self._kept if not spoil.strikes(text)]
            texts += late
        return texts

    def _struck(self, text: str) -> list[str]:
        spoil = self._spoiling.take(text)
        match spoil.kind if spoil is not None else None:
            case SpoilKind.LOSE:
                return []
            case SpoilKind.DUPLICATE:
                return [text, text]
            case SpoilKind.REORDER if spoil is not None:
                self._kept.append((spoil, text))
                return []
            case SpoilKind.CORRUPT:
                return [_CHECKSUM.sub(lambda found: f"{found[1]}{int(found[2]) ^ 1}", text)]
        return [text]

"""Daily bars of many symbols, overnight: one file a symbol, and whatever is killed goes on where it was.

Invariant: a file that is there is whole and was fetched for the range that is asked for; it is put in its place by one
rename. So the folder is the journal: what is in it is not asked for again.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from algotrendy_common.clock import Clock
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.event import Record
from algotrendy_common.rpc.providers import Adjusted, DailyBars, DailyBarsAsked
from pydantic import ValidationError

from algotrendy_ingest.providers.desk import Desk
from algotrendy_ingest.providers.member import Sleep


class Fetched(Record):
    """What a symbol's file holds."""

    asked: DailyBarsAsked
    answer: DailyBars


@dataclass(frozen=True, slots=True)
class Rules:
    at_once: int = 4
    """Symbols under way at a time."""
    pause: timedelta = timedelta(seconds=30)
    """Between two rounds over what could not be had: a circuit closes, a bucket fills."""
    idle_rounds: int = 3
    """In a row without one symbol more: it gives up, and the next run goes on from there."""


@dataclass(slots=True)
class Outcome:
    there_before: int = 0
    fetched: int = 0
    cached: int = 0
    """Of those fetched: out of the cache, without a call."""
    refused: dict[str, str] = field(default_factory=dict)
    """By symbol, for good: no provider lists it, or none may give it."""
    left: dict[str, str] = field(default_factory=dict)
    """By symbol, for now: why the last try failed."""

    @property
    def whole(self) -> bool:
        return not self.left and not self.refused


class Batch:
    def __init__(
        self,
        desk: Desk,
        folder: Path,
        clock: Clock,
        rules: Rules | None = None,
        *,
        sleep: Sleep = asyncio.sleep,
        told: Callable[[str, Outcome], None] = lambda symbol, outcome: None,
    ) -> None:
        self._desk, self._folder, self._clock = desk, folder, clock
        self._rules = rules or Rules()
        self._sleep, self._told = sleep, told

    async def run(
        self, symbols: Sequence[str], start: date, end: date | None = None, adjusted: Adjusted | None = None
    ) -> Outcome:
        """Fetch what is not in the folder. Raises OSError where it cannot be written to, before any call."""
        outcome = Outcome()
        self._folder.mkdir(parents=True, exist_ok=True)
        _clear(self._folder)
        # Without an end it is up to the day of the run: tomorrow's run asks anew.
        until = end or self._clock.now().date()
        asked = [DailyBarsAsked(symbol=symbol, start=start, end=until, adjusted=adjusted) for symbol in symbols]
        todo = [one for one in asked if not self._is_there(one)]
        outcome.there_before = len(asked) - len(todo)
        idle = 0
        while todo and idle < self._rules.idle_rounds:
            if outcome.left:
                await self._sleep(self._rules.pause.total_seconds())
            outcome.left = {}
            await self._round(todo, outcome)
            left = [one for one in todo if one.symbol in outcome.left]
            idle = idle + 1 if len(left) == len(todo) else 0
            todo = left
        return outcome

    async def _round(self, todo: Iterable[DailyBarsAsked], outcome: Outcome) -> None:
        waiting = deque(todo)

        async def work() -> None:
            while waiting:
                await self._one(waiting.popleft(), outcome)

        async with asyncio.TaskGroup() as workers:
            for _ in range(self._rules.at_once):
                workers.create_task(work())

    async def _one(self, asked: DailyBarsAsked, outcome: Outcome) -> None:
        try:
            answer = await self._desk.ask(asked)
        except Refused as error:
            outcome.refused[asked.symbol] = str(error)
        except Retryable as error:
            outcome.left[asked.symbol] = str(error)
        else:
            assert isinstance(answer, DailyBars)
            await asyncio.to_thread(_write, self._file(asked.symbol), Fetched(asked=asked, answer=answer))
            outcome.fetched += 1
            outcome.cached += answer.source.cached
        self._told(asked.symbol, outcome)

    def _file(self, symbol: str) -> Path:
        return self._folder / f"{symbol.replace('/', '_').replace('^', '@')}.json"

    def _is_there(self, asked: DailyBarsAsked) -> bool:
        try:
            return Fetched.model_validate_json(self._file(asked.symbol).read_bytes()).asked == asked
        except (FileNotFoundError, ValidationError):
            return False


def _write(file: Path, fetched: Fetched) -> None:
    half = file.with_suffix(f".{os.getpid()}.half")
    with half.open("wb") as target:
        target.write(fetched.model_dump_json().encode())
        target.flush()
        os.fsync(target.fileno())
    half.replace(file)


def _clear(folder: Path) -> None:
    """What a killed run had half written."""
    for half in folder.glob("*.half"):
        with suppress(FileNotFoundError):
            half.unlink()

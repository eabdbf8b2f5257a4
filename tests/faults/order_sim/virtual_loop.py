"""An event loop whose time is a number: it jumps to the next timer and never waits.

Invariant: what runs, and in which order, follows from what was scheduled alone; no thread, no socket, no signal.
"""

import asyncio
import types
from datetime import UTC, datetime, timedelta
from typing import Any

from algotrendy_common import clock, ids

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)


class Stuck(Exception):
    """Everybody waits and no timer is set: a deadlock."""


class _Selector:
    """Waits by moving the time."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck("nothing is left to happen")
        self._loop.now_s += timeout
        return []

    def close(self) -> None:
        pass


class VirtualLoop(asyncio.BaseEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._selector = _Selector(self)

    def time(self) -> float:
        return self.now_s

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class VirtualClock:
    """The loop's time as an instant."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return EPOCH + timedelta(microseconds=round(self._loop.now_s * 1_000_000))


class Determined:
    """For a block: the platform's own monotonic clock is the loop's, and its random ids count up.

    The two are reached where the platform itself reaches them, in ``clock.py`` and ``ids.py``.
    """

    def __init__(self, loop: VirtualLoop, seed: str) -> None:
        self._loop = loop
        self._seed = seed
        self._made = 0
        self._saved: tuple[Any, Any] | None = None

    def __enter__(self) -> None:
        self._saved = (clock.time, ids.uuid)
        clock.time = types.SimpleNamespace(  # type: ignore[assignment]
            monotonic=self._loop.time, time_ns=lambda: int(self._loop.now_s * 1_000_000_000)
        )
        ids.uuid = types.SimpleNamespace(uuid4=self._next)  # type: ignore[assignment]

    def __exit__(self, *reason: object) -> None:
        assert self._saved is not None
        clock.time, ids.uuid = self._saved

    def _next(self) -> types.SimpleNamespace:
        self._made += 1
        return types.SimpleNamespace(hex=ids.derived_id("simulated", self._seed, self._made))

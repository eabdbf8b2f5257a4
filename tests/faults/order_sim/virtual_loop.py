"""An event loop whose time is a number: it jumps to the next timer and never waits.

Invariant: what runs, and in which order, follows from what was scheduled alone; no thread, no socket, no signal. It
keeps asyncio's own order: what became ready, first come first served, then the timers that are due, earliest first.
"""

import asyncio
import heapq
import itertools
import types
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

from algotrendy_common import clock, ids

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)


class Stuck(Exception):
    """Everybody waits and no timer is set: a deadlock."""


class _Handle:
    """A call that is to be made; asyncio's own remembers more than is needed here, and half of a seed is handles."""

    __slots__ = ("_when", "arguments", "callback", "context")

    def __init__(
        self, callback: Callable[..., object], arguments: tuple[Any, ...], context: Context | None, when: float
    ) -> None:
        self.callback: Callable[..., object] | None = callback
        self.arguments = arguments
        self.context = context if context is not None else copy_context()
        self._when = when

    def cancel(self) -> None:
        self.callback = None
        self.arguments = ()

    def cancelled(self) -> bool:
        return self.callback is None

    def when(self) -> float:
        return self._when


class VirtualLoop(asyncio.BaseEventLoop):
    """``run_forever`` and what else tasks and futures ask of a loop is asyncio's; the queue and the timers are ours."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._ready: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self.now_s

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle(callback, arguments, context, self.now_s)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle(callback, arguments, context, when)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *arguments: Any, context: Context | None = None
    ) -> _Handle:
        return self.call_at(self.now_s + delay, callback, *arguments, context=context)

    def _run_once(self) -> None:
        """One round of ``run_forever``."""
        ready, timers = self._ready, self._timers
        if not ready and not self._stopping:
            while timers and timers[0][2].callback is None:
                heapq.heappop(timers)
            if not timers:
                raise Stuck("nothing is left to happen")
            self.now_s = max(self.now_s, timers[0][0])
        while timers and timers[0][0] <= self.now_s:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle.callback is None:
                continue
            try:
                handle.context.run(handle.callback, *handle.arguments)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self.call_exception_handler({"message": f"exception in {handle.callback}", "exception": error})

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""


class VirtualClock:
    """The loop's time as an instant."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._at_s = -1.0
        self._now = EPOCH

    def now(self) -> datetime:
        if self._at_s != self._loop.now_s:
            self._at_s = self._loop.now_s
            self._now = EPOCH + timedelta(microseconds=round(self._at_s * 1_000_000))
        return self._now


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

"""One listener: what it wants, what waits for it, and how it is sent.

Invariant: numbers have no hole; orders and fills are sent all and in order, quotes and bars only as they are now;
what waits is bounded, and a client that lets it grow beyond the bound is cut off.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from algotrendy_common.enums import Timeframe

from algotrendy_gateway.store.sessions import SessionOwner
from algotrendy_gateway.stream.messages import Delta, Kind, head

MAX_QUEUED = 10_000
MAX_TRADES = 200
"""Trades of the tape beyond this are dropped, oldest first: the tape is for looking at."""
TRY_AGAIN_LATER = 1013
GOING_AWAY = 1001
SESSION_ENDED = 4401

Send = Callable[[str], Awaitable[None]]


class Client:
    def __init__(self, owner: SessionOwner, account: str, send: Send) -> None:
        self.owner = owner
        self.account = account
        self._send = send
        self._symbols: frozenset[str] = frozenset()
        self._timeframe: Timeframe | None = None
        self._seq = 0
        self._queue: deque[str] = deque()
        self._trades: deque[str] = deque(maxlen=MAX_TRADES)
        self._latest: dict[tuple[str, ...], str] = {}
        self._wake = asyncio.Event()
        self._ended: tuple[int, str] | None = None

    def subscribe(self, symbols: tuple[str, ...], timeframe: Timeframe) -> None:
        self._symbols, self._timeframe = frozenset(symbols), timeframe

    def wants(self, delta: Delta) -> bool:
        if delta.account is not None and delta.account != self.account:
            return False
        if delta.symbol is not None and delta.symbol not in self._symbols:
            return False
        return delta.timeframe is None or delta.timeframe == self._timeframe

    def put(self, delta: Delta, tail: str) -> None:
        """Have ``tail`` sent soon; never waits."""
        if delta.kind is Kind.TRADE:
            self._trades.append(tail)
        elif delta.key is not None:
            self._latest[(delta.kind, *delta.key)] = tail
        else:
            self.put_first(tail)
        self._wake.set()

    def put_first(self, tail: str) -> None:
        """Have ``tail`` sent before everything that may be left out or overwritten."""
        self._queue.append(tail)
        if len(self._queue) > MAX_QUEUED:
            self.end(TRY_AGAIN_LATER, "too slow")
        self._wake.set()

    def end(self, code: int, reason: str) -> None:
        """Send nothing more; ``send_forever`` returns the first ending given."""
        self._ended = self._ended or (code, reason)
        self._wake.set()

    async def send_forever(self) -> tuple[int, str]:
        """Send what waits until the client is ended; returns the close code and reason."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._ended is None and (tail := self._next()) is not None:
                self._seq += 1
                await self._send(head(self._seq) + tail)
            if self._ended is not None:
                return self._ended

    def _next(self) -> str | None:
        if self._queue:
            return self._queue.popleft()
        if self._trades:
            return self._trades.popleft()
        if self._latest:
            return self._latest.pop(next(iter(self._latest)))
        return None

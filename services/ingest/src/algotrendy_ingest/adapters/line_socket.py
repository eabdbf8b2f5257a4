"""One socket of a venue held open: connected, subscribed, listened to, and connected anew when it is lost or mute.

Invariant: what is read is handed over at once and in order; every connection begins with a new ``Line``, so nothing
of an old one is left. What the client has to say leaves paced, an answer that the venue asked for before all else.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Protocol

import aiohttp
from algotrendy_common.clock import monotonic_s
from algotrendy_common.telemetry import log
from tenacity import AsyncRetrying, retry_if_exception_type, stop_never, wait_exponential_jitter

from algotrendy_ingest.adapters.pace import Pace
from algotrendy_ingest.domain.ticks import (
    BarTick,
    BookLost,
    FundingTick,
    MarkTick,
    Message,
    QuoteTick,
    Stamp,
    Stream,
    StreamLost,
    TradeTick,
)
from algotrendy_ingest.errors import VenueAway
from algotrendy_ingest.metrics import BOOKS_LOST, MALFORMED, REFUSED
from algotrendy_ingest.wire.protocol import BookMoved, Heard, Line, Plan, Refusal, Reply, SnapshotWanted, WireMarket

LOOK_S = 0.25
FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 10.0
_PING_FRAMES_S = 15.0
_FAREWELL = aiohttp.ClientWSTimeout(ws_close=1.0)
_HEAL_AGAIN_S, _HEAL_AGAIN_EACH_S = 1.5, 0.1
"""A book that has not come by then, and so much later for each market of its socket, is asked for once more; then
after twice as long. After three times the socket is given up."""
_HEALS = 3
_SNAPSHOTS_PER_S = 2.0
"""Over REST they weigh most of all calls."""
MALFORMATIONS = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, IndexError)
_STREAM_OF = {
    TradeTick: Stream.TRADES,
    QuoteTick: Stream.QUOTES,
    BookMoved: Stream.BOOKS,
    MarkTick: Stream.MARKS,
    FundingTick: Stream.MARKS,
    BarTick: Stream.CANDLES,
}


type Tap = Callable[[str, str | bytes], None]
"""What happens on a socket (``open``, ``sent`` or ``recv``) and its text."""


class Owner(Protocol):
    """Whoever has the sockets of one venue."""

    def deliver(self, message: Message) -> None: ...

    def moved(self, socket: "LineSocket", symbol: str) -> None:
        """A book is another now."""
        ...

    def now(self) -> Stamp: ...

    async def rest(self, path: str) -> bytes:
        """Raises ``VenueAway``."""
        ...


@dataclass(slots=True)
class _Ailing:
    """A book that is not right, or has not come yet."""

    since_s: float
    asked: int = 0


class LineSocket:
    def __init__(
        self,
        owner: Owner,
        make: Callable[[Plan], Line],
        plan: Plan,
        address: str,
        connects: Pace,
        patience_s: dict[Stream, float],
        *,
        tap: Tap | None = None,
    ) -> None:
        """``patience_s``: how long each kind of stream may be silent; one that is not named may be for ever.

        ``tap`` is told everything that goes over the socket before it is read.
        """
        self.plan = plan
        self._owner = owner
        self._make = make
        self._address = address
        self._connects = connects
        self._tap = tap
        self._patience_s = {stream: seconds for stream, seconds in patience_s.items() if stream in plan.streams}
        self._heard_s: dict[Stream, float] = {}
        self._ailing: dict[str, _Ailing] = {}
        self._outgoing: asyncio.PriorityQueue[tuple[int, int, str]] = asyncio.PriorityQueue()
        self._numbers = count()
        self._snapshots: set[asyncio.Task[None]] = set()
        self._snapshot_pace = Pace(_SNAPSHOTS_PER_S)
        self._worked = False
        self.line: Line | None = None
        """None while there is no connection."""
        self._log = log("socket")

    async def hold(self) -> None:
        """For ever: anew at once after a connection that worked, else ever later."""
        while True:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(VenueAway),
                wait=wait_exponential_jitter(multiplier=FIRST_RETRY_S, max=LONGEST_RETRY_S, jitter=FIRST_RETRY_S),
                stop=stop_never,
            ):
                with attempt:
                    await self._connection()
            await asyncio.sleep(FIRST_RETRY_S)

    # -- what is subscribed to ------------------------------------------------------------------------------------

    def add(self, markets: tuple[WireMarket, ...]) -> None:
        """Markets that fit on this socket, from here on."""
        self.plan = _with(self.plan, self.plan.markets + markets)
        if self.line is not None:
            for names in markets:
                self.line.add(names)
            self._say(*self.line.subscribe(_with(self.plan, markets)))
            self._expect_books(markets)

    def remove(self, symbol: str) -> bool:
        """True where nothing is left to listen to."""
        gone = tuple(names for names in self.plan.markets if names.symbol == symbol)
        self.plan = _with(self.plan, tuple(names for names in self.plan.markets if names.symbol != symbol))
        self._ailing.pop(symbol, None)
        if self.line is not None and gone:
            self._say(*self.line.unsubscribe(_with(self.plan, gone)))
            for names in gone:
                self.line.remove(names)
        return not self.plan.markets

    # -- one connection -------------------------------------------------------------------------------------------

    async def _connection(self) -> None:
        """Until it is lost; raises ``VenueAway`` where it never worked."""
        await self._connects.turn()
        self._worked = False
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(
                    self._address + self.plan.url, heartbeat=_PING_FRAMES_S, max_msg_size=0, timeout=_FAREWELL
                ) as websocket,
            ):
                await self._listen(websocket)
        except (VenueAway, aiohttp.ClientError, OSError, TimeoutError) as error:
            symbols = frozenset(names.symbol for names in self.plan.markets)
            for stream in sorted(self.plan.streams):
                self._owner.deliver(StreamLost(stream, repr(error)[:300], symbols))
            if not self._worked:
                raise VenueAway(f"{self._address}{self.plan.url} cannot be listened to: {error!r}"[:300]) from error
        finally:
            self.line = None
            for task in self._snapshots:
                task.cancel()

    async def _listen(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        line = self.line = self._make(self.plan)
        if self._tap is not None:
            self._tap("open", "")
        now = monotonic_s()
        self._heard_s = dict.fromkeys(self._patience_s, now)
        self._outgoing = asyncio.PriorityQueue()
        self._ailing = {}
        self._expect_books(self.plan.markets)
        self._say(*line.subscribe(self.plan))
        tasks = [
            asyncio.create_task(work)
            for work in (self._read(websocket, line), self._speak(websocket, line), self._watch(), self._ping(line))
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse, line: Line) -> None:
        async for message in websocket:
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                if self._tap is not None:
                    self._tap("recv", message.data)
                received = self._owner.now()
                try:
                    heard = line.read(message.data, received)
                except MALFORMATIONS as error:
                    self._malformed(message.data, error)
                    continue
                self._take(line, heard)
        raise VenueAway(f"the socket was closed: {websocket.close_code} {websocket.exception() or ''}".strip())

    async def _speak(self, websocket: aiohttp.ClientWebSocketResponse, line: Line) -> None:
        pace = Pace(line.sends_per_s)
        while True:
            _, _, text = await self._outgoing.get()
            await pace.turn()
            await websocket.send_str(text)
            if self._tap is not None:
                self._tap("sent", text)

    async def _ping(self, line: Line) -> None:
        if line.ping_every_s is None:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(line.ping_every_s or 0.0)
            if (text := line.ping()) is not None:
                self._answer(text)

    async def _watch(self) -> None:
        """End the connection when it is mute, or a book of it cannot be had."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = monotonic_s()
            again_s = _HEAL_AGAIN_S + _HEAL_AGAIN_EACH_S * len(self.plan.markets)
            for stream, patience_s in self._patience_s.items():
                silence_s = now - self._heard_s[stream]
                if silence_s > patience_s:
                    raise VenueAway(f"connected but silent for {silence_s:.1f} s on {stream}")
            for symbol, ailing in tuple(self._ailing.items()):
                if now - ailing.since_s > again_s * 2**ailing.asked:
                    if ailing.asked >= _HEALS:
                        raise VenueAway(f"no book of {symbol} can be had")
                    ailing.since_s, ailing.asked = now, ailing.asked + 1
                    self._heal(symbol)

    # -- what is heard --------------------------------------------------------------------------------------------

    def _take(self, line: Line, heard: list[Heard]) -> None:
        for one in heard:
            stream = _STREAM_OF.get(type(one))
            if stream is not None:
                self._worked = True
                if stream in self._heard_s:
                    self._heard_s[stream] = monotonic_s()
            match one:
                case BookMoved(symbol):
                    self._ailing.pop(symbol, None)
                    self._owner.moved(self, symbol)
                case BookLost(symbol, cause):
                    BOOKS_LOST.labels(line.venue, cause).inc()
                    self._owner.deliver(one)
                    if symbol not in self._ailing:
                        self._ailing[symbol] = _Ailing(monotonic_s(), asked=1)
                        self._say(*self._healing(line, symbol))
                case SnapshotWanted(symbol):
                    self._fetch(line, symbol)
                case Reply(text):
                    self._answer(text)
                case Refusal(text):
                    REFUSED.labels(line.venue).inc()
                    self._log.warning("the venue refuses", venue=line.venue, text=text[:500])
                case _:
                    self._owner.deliver(one)

    def _expect_books(self, markets: tuple[WireMarket, ...]) -> None:
        if Stream.BOOKS in self.plan.streams:
            now = monotonic_s()
            self._ailing |= {names.symbol: _Ailing(now) for names in markets}

    def _healing(self, line: Line, symbol: str) -> list[str]:
        market = line.find(symbol)
        return [] if market is None else line.heal(market)

    def _heal(self, symbol: str) -> None:
        """Ask for a book that has not come; without a change of it nobody else does."""
        line = self.line
        market = None if line is None else line.find(symbol)
        if line is None or market is None:
            return
        self._say(*line.heal(market))
        if line.snapshot_path(market) is not None and Stream.BOOKS in self.plan.streams:
            self._fetch(line, symbol)

    def _fetch(self, line: Line, symbol: str) -> None:
        task = asyncio.create_task(self._snapshot(line, symbol))
        self._snapshots.add(task)
        task.add_done_callback(self._snapshots.discard)

    async def _snapshot(self, line: Line, symbol: str) -> None:
        """Fetch it and lay it down; a venue that is away is asked again, a body that makes no sense is not."""
        market = line.find(symbol)
        path = None if market is None else line.snapshot_path(market)
        if path is None:
            return
        await self._snapshot_pace.turn()
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(VenueAway),
            wait=wait_exponential_jitter(multiplier=FIRST_RETRY_S, max=LONGEST_RETRY_S, jitter=FIRST_RETRY_S),
            stop=stop_never,
        ):
            with attempt:
                body = await self._owner.rest(path)
        if line is self.line:
            try:
                heard = line.snapshot(symbol, body, self._owner.now())
            except MALFORMATIONS as error:
                self._malformed(body, error)
            else:
                self._take(line, heard)

    def _malformed(self, text: str | bytes, error: Exception) -> None:
        venue = self.line.venue if self.line is not None else "?"
        MALFORMED.labels(venue).inc()
        self._log.warning("malformed message", venue=venue, message=text[:500], error=repr(error)[:500])

    # -- what is said ---------------------------------------------------------------------------------------------

    def _say(self, *texts: str) -> None:
        for text in texts:
            self._outgoing.put_nowait((1, next(self._numbers), text))

    def _answer(self, text: str) -> None:
        self._outgoing.put_nowait((0, next(self._numbers), text))


def _with(plan: Plan, markets: tuple[WireMarket, ...]) -> Plan:
    return Plan(plan.url, plan.streams, markets, plan.host)

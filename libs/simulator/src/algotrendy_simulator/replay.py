"""Plays the recordings: one timeline of minutes over all symbols, on and on.

At its end each recording begins anew while the venue's time goes on, so a price can jump there. Invariant: where the
replay stands is (minute, place in the minute), and that with the seed decides all that follows; every step is
journaled with its effects.
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass

from algotrendy_simulator.changes import Changes
from algotrendy_simulator.crowd import Crowd
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BookChanged, MinuteClosed
from algotrendy_simulator.market import Market
from algotrendy_simulator.recordings import Recording
from algotrendy_simulator.replay_clock import ReplayClock
from algotrendy_simulator.ticks import MINUTE_MS, Tick

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Track:
    """A symbol's recording with the market it is played on."""

    market: Market
    recording: Recording
    crowd: Crowd
    shift_ms: int
    """What is added to recorded times so that all recordings share one clock."""
    tape_hash: str = ""
    """Over every recorded trade played so far: equal hashes, equal tapes."""

    def ticks(self, minute: int, seed: int) -> list[Tick]:
        symbol = self.market.wire_symbol
        return list(self.recording.ticks(minute % self.recording.minutes, f"{seed}:{symbol}:{minute}"))

    def loops(self, minute: int) -> int:
        return minute // self.recording.minutes


class Replay:
    def __init__(
        self,
        exchange: Exchange,
        tracks: list[Track],
        clock: ReplayClock,
        start_ms: int,
        seed: int,
        cursor: tuple[int, int],
    ) -> None:
        self.tracks = tracks
        self.clock = clock
        self.start_ms = start_ms
        self.seed = seed
        self.minute, self._place = cursor
        self._exchange = exchange
        self._pending = self._load(self.minute)
        self._disturbed = asyncio.Event()

    @property
    def cursor(self) -> tuple[int, int]:
        return self.minute, self._place

    def next_time_ms(self) -> int:
        """Venue time of the next tick, or of the end of the minute."""
        if self._place < len(self._pending):
            return self._minute_ms(self.minute) + self._pending[self._place][0].offset_ms
        return self._minute_ms(self.minute + 1)

    def order_time_ms(self) -> int:
        """Venue time for what a user does now: never past the step that comes next, so that the tape goes forward."""
        return min(self.clock.now_ms(), self.next_time_ms(), self._minute_ms(self.minute + 1) - 1)

    async def run(self) -> None:
        """Play for ever, each step when the venue's clock reaches it."""
        while True:
            delay_s = self.clock.seconds_until(self.next_time_ms())
            if delay_s is not None and delay_s <= 0:
                self.play_next()
                await asyncio.sleep(0)
                continue
            self._disturbed.clear()
            try:
                await asyncio.wait_for(self._disturbed.wait(), delay_s)
            except TimeoutError:
                continue

    def disturb(self) -> None:
        """Have ``run`` look at the clock again, after its speed or pause was changed."""
        self._disturbed.set()

    def play_minutes(self, count: int) -> int:
        """Play at once to the end of the running minute and ``count - 1`` more; the venue time reached."""
        until = self.minute + count
        while self.minute < until:
            self.play_next()
        self.clock.advance_to(self._minute_ms(self.minute))
        self.disturb()
        return self.clock.now_ms()

    def play_next(self) -> None:
        time_ms = self.next_time_ms()
        # Played early, by a step: users' orders that come next must not be earlier on the tape.
        self.clock.advance_to(time_ms)
        changes = Changes()
        if self._place < len(self._pending):
            tick, track = self._pending[self._place]
            self._place += 1
            self._play(changes, tick, track, time_ms)
        else:
            self._close_minute(changes)
        self._exchange.finish(changes)

    def _play(self, changes: Changes, tick: Tick, track: Track, time_ms: int) -> None:
        printed = track.crowd.play(tick, time_ms)
        line = f"{track.tape_hash}|{time_ms}|{tick.price}|{tick.quantity}|{tick.side}"
        track.tape_hash = hashlib.sha256(line.encode()).hexdigest()
        self._exchange.settle(changes, printed)
        changes.events.append(BookChanged(track.market.wire_symbol))

    def _close_minute(self, changes: Changes) -> None:
        for track in self.tracks:
            closed = track.market.candles.close_minute()
            symbol = track.market.wire_symbol
            changes.candles.append((symbol, closed))
            changes.events.append(MinuteClosed(symbol, closed))
            if (self.minute + 1) % track.recording.minutes == 0:
                _log.info("the recording of %s begins anew; the venue's time goes on", symbol)
        self.minute += 1
        self._place = 0
        self._pending = self._load(self.minute)

    def _load(self, minute: int) -> list[tuple[Tick, Track]]:
        ticks = [(tick, track) for track in self.tracks for tick in track.ticks(minute, self.seed)]
        return sorted(ticks, key=lambda pair: pair[0].offset_ms)

    def _minute_ms(self, minute: int) -> int:
        return self.start_ms + minute * MINUTE_MS

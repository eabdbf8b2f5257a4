"""What happens every second for whoever listens: a heartbeat, the figures, ages, and the end of sessions that ended.

Invariant: a stream never outlives its session by more than two beats.
"""

import asyncio
from datetime import timedelta

from algotrendy_common.clock import Clock
from algotrendy_common.database import UNREACHABLE
from algotrendy_common.errors import Retryable
from algotrendy_common.telemetry import log

from algotrendy_gateway.domain.board import Board
from algotrendy_gateway.domain.market import Feed
from algotrendy_gateway.domain.overview import overview_change, trading_state
from algotrendy_gateway.store.alerts import Alerts
from algotrendy_gateway.store.sessions import Sessions
from algotrendy_gateway.stream.hub import Hub
from algotrendy_gateway.stream.messages import Delta, Heartbeat, Kind

_BEAT_S = 1.0
_PRUNE_EVERY_S = 600.0
_UNSURE = timedelta(seconds=30)
"""For this long streams go on while PostgreSQL cannot say whether their sessions live; then they end."""


class Pulse:
    def __init__(self, board: Board, hub: Hub, sessions: Sessions, alerts: Alerts, clock: Clock) -> None:
        self._board = board
        self._hub = hub
        self._sessions = sessions
        self._alerts = alerts
        self._clock = clock
        self._feeds: dict[str, Feed] = {}
        self._sure_at = clock.now()
        self._log = log("pulse")

    async def beat_forever(self) -> None:
        while True:
            self.beat()
            await self.end_sessions()
            await asyncio.sleep(_BEAT_S)

    async def prune_forever(self) -> None:
        while True:
            try:
                await self._sessions.prune(self._clock.now())
                await self._alerts.prune(self._clock.now())
            except (*UNREACHABLE, Retryable, TimeoutError) as error:
                self._log.warning("not pruned", error=repr(error))
            await asyncio.sleep(_PRUNE_EVERY_S)

    def beat(self) -> None:
        now = self._clock.now()
        for name in self._hub.accounts & self._board.accounts.keys():
            state = trading_state(self._board, name, now)
            beat = Heartbeat(server_time=now, mode=self._board.accounts[name].mode, trading_state=state)
            self._hub.publish(Delta(Kind.HEARTBEAT, beat, account=name, key=(name,)))
            change = overview_change(self._board, name, now)
            self._hub.publish(Delta(Kind.OVERVIEW, change, account=name, key=(name,)))
            for position in self._board.positions(name):
                key = (name, position.venue, position.symbol)
                self._hub.publish(Delta(Kind.POSITION, position, account=name, key=key))
        for feed in self._board.feeds(now):
            # A feed that fell silent says nothing itself: its age turns it to down.
            if self._feeds.get(feed.venue) != feed:
                self._feeds[feed.venue] = feed
                self._hub.publish(Delta(Kind.FEED, feed, key=(feed.venue,)))

    async def end_sessions(self) -> None:
        """Cut off the streams of sessions that ended, wherever that was said."""
        now, listening = self._clock.now(), self._hub.sessions
        try:
            live = await self._sessions.live_among(listening, now) if listening else set()
            self._sure_at = now
        except (*UNREACHABLE, Retryable, TimeoutError) as error:
            self._log.warning("sessions not checked", error=repr(error))
            live = set(listening) if now - self._sure_at < _UNSURE else set()
        self._hub.end_sessions(set(listening) - live)

"""Alerts of a process that must work whether the bus is there or not.

Invariant: telling never waits for the bus, and what could not be told yet is told, in order, as soon as it is there.
"""

import asyncio
from collections import deque

import nats.errors
from algotrendy_common.bus import Bus
from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Severity
from algotrendy_common.errors import Retryable
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.telemetry import log

_LOOK_S = 0.25
_PATIENCE_S = 5.0
_SETTLE_S = 5.0
"""After the bus was away: those who listen reconnect no sooner than we do, and hear only what is said after that."""
_KEPT = 200
"""Alerts that wait for the bus; older ones are in the log alone."""


class Crier:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: deque[AlertRaised] = deque(maxlen=_KEPT)
        self._log = log("dead_man")

    def alert(self, severity: Severity, code: str, message: str, **context: object) -> None:
        """Into the log now, and onto the bus when it is there."""
        self._log.warning("alert", code=code, message=message, severity=severity, **context)
        told = self._bus.events.make(
            AlertRaised,
            service=self._bus.service,
            severity=severity,
            code=code,
            message=message,
            context={key: str(value) for key, value in context.items()},
        )
        self._waiting.append(told)

    async def tell_forever(self) -> None:
        """Until cancelled; connects by itself."""
        began = False
        away_s = float("-inf")
        while True:
            try:
                if not began:
                    await self._bus.connect(_PATIENCE_S)
                    began = True
                if not self._bus.connected:
                    away_s = monotonic_s()
                while self._waiting and self._bus.connected and monotonic_s() - away_s > _SETTLE_S:
                    await self._bus.publish(self._waiting[0])
                    self._waiting.popleft()
            except (Retryable, nats.errors.Error, OSError) as error:
                away_s = monotonic_s()
                self._log.warning("alerts wait for the bus", waiting=len(self._waiting), error=repr(error))
            await asyncio.sleep(_LOOK_S)

    async def close(self) -> None:
        """What is told already is flushed; what waits is in the log."""
        if self._bus.connected:
            await self._bus.stop()

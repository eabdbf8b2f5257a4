"""The watchdog: sees to it that no position stays bare, whoever opened it and whatever else is dead.

Invariant: it depends on nothing but the store and the venue; each guarded symbol is looked at when something changed,
and again on a timer, and a position that stays bare for too long is told of and then closed.
"""

import asyncio
import contextlib
from datetime import timedelta

from algotrendy_common.bus import Bus
from algotrendy_common.clock import Clock, monotonic_s
from algotrendy_common.enums import ProtectionState, Severity
from algotrendy_common.errors import InvariantBroken
from algotrendy_common.events.account import ProtectionChanged
from algotrendy_common.telemetry import log
from prometheus_client import Gauge

from algotrendy_broker_gateway.desk.guard import Guard
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY
from algotrendy_broker_gateway.domain.protection import ProtectionPolicy
from algotrendy_broker_gateway.errors import LeaseLost, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.store.guards import GuardStore

BARE = Gauge("algotrendy_positions_bare", "Positions that something should guard and nothing does", ["account"])
_PAUSE_S = 0.25
_ROUND_S = 2.0
"""Between looks at everything, asked for or not."""
_BARE = (ProtectionState.NAKED, ProtectionState.PARTIAL)


class Watchdog:
    """One account's."""

    def __init__(
        self, account: str, guard: Guard, guards: GuardStore, policy: ProtectionPolicy, bus: Bus, clock: Clock
    ) -> None:
        self._account = account
        self._guard = guard
        self._guards = guards
        self._policy = policy
        self._bus = bus
        self._clock = clock
        self._log = log("watchdog")
        self._wanted: set[str] = set()
        self._woken = asyncio.Event()
        self._bare_since_s: dict[str, float] = {}
        self._told: dict[str, str] = {}
        self._next_round_s = 0.0

    def wake(self, symbol: str) -> None:
        self._wanted.add(symbol)
        self._woken.set()

    async def forever(self) -> None:
        while True:
            try:
                await self._look()
            except STORE_AWAY as error:
                self._log.warning("PostgreSQL is away", error=repr(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _PAUSE_S)
            self._woken.clear()

    async def _look(self) -> None:
        symbols, self._wanted = self._wanted, set()
        symbols |= self._bare_since_s.keys()
        if monotonic_s() >= self._next_round_s:
            self._next_round_s = monotonic_s() + _ROUND_S
            symbols |= await self._guards.guarded_symbols(self._policy.required)
        # Together: one that has to wait for the venue must not keep the others bare.
        await asyncio.gather(*(self._look_at(symbol) for symbol in sorted(symbols)))
        BARE.labels(self._account).set(len(self._bare_since_s))

    async def _look_at(self, symbol: str) -> None:
        try:
            await self._judge(symbol, await self._guard.settle(symbol))
        except (VenueUnreachable, VenueRefused, LeaseLost) as error:
            self._log.warning("a position cannot be looked at", symbol=symbol, error=str(error))
        except InvariantBroken as broken:
            self._log.error("a position cannot be guarded", symbol=symbol, error=str(broken), exc_info=True)

    async def _judge(self, symbol: str, found: ProtectionChanged) -> None:
        if found.state not in _BARE:
            self._bare_since_s.pop(symbol, None)
            if self._told.pop(symbol, None) is not None:
                await self._bus.alert(
                    Severity.INFO, "position_guarded", f"{symbol} is guarded again", account=self._account
                )
            return
        since_s = self._bare_since_s.setdefault(symbol, monotonic_s())
        bare_for = timedelta(seconds=monotonic_s() - since_s)
        if bare_for >= self._policy.flatten_after and self._told.get(symbol) != "too_long":
            self._told[symbol] = "too_long"
            then = "it is closed at the market" if self._policy.flatten else "a person must close it"
            await self._alarm("position_bare_too_long", symbol, found, then)
        elif bare_for >= self._policy.restore_within and symbol not in self._told:
            self._told[symbol] = "bare"
            await self._alarm("position_bare", symbol, found, "what should guard it cannot be placed")

    async def _alarm(self, code: str, symbol: str, found: ProtectionChanged, then: str) -> None:
        await self._bus.alert(
            Severity.CRITICAL,
            code,
            f"{found.protected_quantity} of {found.position_quantity} {symbol} is guarded: {then}",
            account=self._account,
            symbol=symbol,
        )

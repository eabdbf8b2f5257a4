"""Strategies that the repeated-execution throttle switched off; only a person switches one on again.

Invariant: off in memory first, then in PostgreSQL; on the other way round.
"""

from datetime import datetime

from algotrendy_common.clock import Clock
from algotrendy_common.database import Database
from algotrendy_common.enums import Severity
from algotrendy_common.errors import Refused
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.risk import RiskBreached
from algotrendy_common.telemetry import log

from algotrendy_risk.ports import STORE_AWAY, Announcer
from algotrendy_risk.store.people import SwitchStore


class Switches:
    def __init__(
        self, store: SwitchStore, database: Database, events: EventFactory, clock: Clock, announcer: Announcer
    ) -> None:
        self._store = store
        self._database = database
        self._events = events
        self._clock = clock
        self._announcer = announcer
        self._off: dict[str, str] = {}
        self._enabled: dict[str, datetime] = {}
        self._unsaved: dict[str, tuple[str, str]] = {}
        self._log = log("risk")

    async def load(self) -> None:
        """What is stored; and what could not be stored yet is stored now."""
        for strategy, (account, reason) in tuple(self._unsaved.items()):
            await self._save(strategy, account, reason)
        async with self._database.reading() as tx:
            self._off = await self._store.off(tx) | {name: reason for name, (_, reason) in self._unsaved.items()}
            self._enabled = await self._store.enabled_at(tx)

    def why_off(self, strategy: str | None) -> str | None:
        return None if strategy is None else self._off.get(strategy)

    def enabled_at(self, strategy: str | None) -> datetime | None:
        return None if strategy is None else self._enabled.get(strategy)

    async def switch_off(self, strategy: str, account: str, reason: str) -> None:
        if strategy in self._off:
            return
        self._off[strategy] = reason
        self._unsaved[strategy] = (account, reason)
        try:
            await self._save(strategy, account, reason)
        except STORE_AWAY as error:
            self._log.error("a strategy is off and that is not stored yet", strategy=strategy, error=repr(error))
        await self._announcer.alert(
            Severity.CRITICAL, "strategy_switched_off", reason, strategy=strategy, account=account
        )

    async def _save(self, strategy: str, account: str, reason: str) -> None:
        breach = self._events.make(
            RiskBreached,
            account=account,
            code="execution_throttle",
            message=reason,
            limit="enabled by a person",
            observed=strategy,
        )
        async with self._database.transaction() as tx:
            await self._store.switch_off(tx, strategy, account, reason, self._clock.now())
            await tx.emit(breach)
        self._unsaved.pop(strategy, None)

    async def enable(self, strategy: str, by: str, reason: str) -> None:
        """Raises ``Refused`` where it is not off."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            if not await self._store.enable(tx, strategy, by, reason, now):
                raise Refused("strategy_not_off", f"strategy {strategy} is not switched off", strategy=strategy)
        self._off.pop(strategy, None)
        self._enabled[strategy] = now
        await self._announcer.alert(
            Severity.WARNING, "strategy_enabled", f"{strategy} was enabled by {by}: {reason}", strategy=strategy
        )

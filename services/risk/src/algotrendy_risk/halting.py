"""The kill switch: engages in memory, tells everybody, and only then writes it down; releases the other way round.

Invariant: nothing slow comes between a person's word and the news of a halt, and one that could not be stored yet is
held in memory and stored when PostgreSQL is back. A release is stored before it is true.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import nats.errors
from algotrendy_common.clock import Clock
from algotrendy_common.database import Database
from algotrendy_common.enums import HaltLevel, Severity
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.risk import HaltChanged
from algotrendy_common.telemetry import log

from algotrendy_risk.domain.halts import ALL, Halt, HaltBoard, HaltKey, engaged, released
from algotrendy_risk.ports import STORE_AWAY, Announcer
from algotrendy_risk.store.people import HaltStore

_POLL_S = 0.05
_RETRY_S = 0.5
_PATIENCE_S = 1.0
"""How long an answer waits for a halt to be on disk; it is in force all the same."""
_BUS_AWAY = (nats.errors.Error, OSError, Retryable)

Told = Callable[[], Awaitable[None]]


class KillSwitch:
    def __init__(
        self,
        *,
        board: HaltBoard,
        store: HaltStore,
        database: Database,
        events: EventFactory,
        clock: Clock,
        announcer: Announcer,
        kill_file: Path | None,
        release_window: timedelta,
    ) -> None:
        self.board = board
        self._store = store
        self._database = database
        self._events = events
        self._clock = clock
        self._announcer = announcer
        self._kill_file = kill_file
        self._window = release_window
        self._unsaved: dict[HaltKey, Halt] = {}
        self._unsaved_steps: asyncio.Event = asyncio.Event()
        self._saved = asyncio.Condition()
        self.on_change: Told | None = None
        """Tells the states of the accounts; called after the halt itself was told."""
        self._log = log("risk")

    async def load(self) -> None:
        """What is stored, where it is newer than what is known."""
        async with self._database.reading() as tx:
            for halt in await self._store.load(tx):
                self.board.take(halt)

    def told(self, halt: Halt) -> HaltChanged:
        return self._events.make(
            HaltChanged,
            level=halt.level,
            key=halt.key,
            revision=halt.revision,
            engaged=halt.engaged,
            by=halt.by,
            reason=halt.reason,
            flatten=halt.flatten,
            since=halt.since,
            release_asked_by=halt.release_asked_by,
        )

    async def engage(self, at: HaltKey, by: str, reason: str, flatten: bool = False) -> Halt:
        """In force when this returns, whatever is down; on disk too, where PostgreSQL answers soon."""
        known = self.board.halts.get(at)
        halt = engaged(known, at, by, reason, flatten, self._clock.now())
        if halt is known:
            return halt
        self.board.take(halt)
        await self._publish(halt)
        if self.on_change is not None:
            await self.on_change()
        self._unsaved[at] = halt
        self._unsaved_steps.set()
        self._log.warning("halt", level=halt.level.value, key=halt.key, by=by, reason=reason, flatten=flatten)
        await self._announcer.alert(
            Severity.CRITICAL,
            "halt_engaged",
            f"{_named(halt)} is halted by {by}: {reason}",
            level=halt.level.value,
            key=halt.key,
        )
        try:
            async with asyncio.timeout(_PATIENCE_S), self._saved:
                await self._saved.wait_for(lambda: self._unsaved.get(at) is not halt)
        except TimeoutError:
            self._log.error("a halt is in force and not stored yet", level=halt.level.value, key=halt.key)
        return halt

    async def release(self, at: HaltKey, by: str, reason: str, first: Told | None = None) -> Halt:
        """One of the two words that it takes; ``first`` runs before the second one is carried out. Raises ``Refused``
        where nothing is halted, or where the kill file still lies there."""
        if at == (HaltLevel.GLOBAL, ALL) and self._file_says() is not None:
            raise Refused("kill_file_present", "the kill file must be taken away first", file=str(self._kill_file))
        await self.load()
        known = self.board.halts.get(at)
        halt = released(known, by, self._clock.now(), self._window)
        if halt is known:
            return halt
        if not halt.engaged and first is not None:
            await first()
        async with self._database.transaction() as tx:
            if not await self._store.save(tx, halt, f"{by}: {reason}"):
                raise Retryable("the halt was changed by somebody else at the same time")
            await tx.emit(self.told(halt))
        if not self.board.take(halt):
            raise Retryable("the halt was engaged anew at the same time")
        self._unsaved.pop(at, None)
        await self._publish(halt)
        if self.on_change is not None:
            await self.on_change()
        code, what = ("halt_released", "is released by") if not halt.engaged else ("halt_release_asked", "may, says")
        self._log.warning(code, level=halt.level.value, key=halt.key, by=by, reason=reason)
        await self._announcer.alert(
            Severity.WARNING,
            code,
            f"{_named(halt)} {what} {by}: {reason}",
            level=halt.level.value,
            key=halt.key,
        )
        return halt

    # -- what runs beside --------------------------------------------------------------------------------------

    async def save_forever(self) -> None:
        while True:
            await self._unsaved_steps.wait()
            self._unsaved_steps.clear()
            for at, halt in tuple(self._unsaved.items()):
                try:
                    async with self._database.transaction() as tx:
                        if await self._store.save(tx, halt, f"{halt.by}: {halt.reason}"):
                            await tx.emit(self.told(halt))
                except STORE_AWAY as error:
                    self._log.warning("a halt is not stored yet", key=halt.key, error=repr(error))
                    await asyncio.sleep(_RETRY_S)
                    self._unsaved_steps.set()
                    continue
                if self._unsaved.get(at) is halt:
                    del self._unsaved[at]
                async with self._saved:
                    self._saved.notify_all()

    async def watch_kill_file_forever(self) -> None:
        """A person at the machine needs no network: while the file is there, everything is halted."""
        while True:
            said = self._file_says()
            if said is not None:
                await self.engage((HaltLevel.GLOBAL, ALL), "kill file", said)
            await asyncio.sleep(_POLL_S)

    def _file_says(self) -> str | None:
        """Why, in its first line; None where there is no file. One that cannot be read says stop as well."""
        if self._kill_file is None:
            return None
        try:
            text = self._kill_file.read_text(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"the kill file cannot be read: {error}"
        return text.strip().split("\n")[0][:500] or "the kill file is there"

    async def _publish(self, halt: Halt) -> None:
        try:
            await self._announcer.publish(self.told(halt))
        except _BUS_AWAY as error:
            self._log.error("a halt could not be told yet", key=halt.key, error=repr(error))


def _named(halt: Halt) -> str:
    return "all trading" if halt.level is HaltLevel.GLOBAL else f"{halt.level.value} {halt.key}"

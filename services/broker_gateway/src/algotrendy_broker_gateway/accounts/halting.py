"""The kill switch at the door: a file on this machine, and the halts that risk tells.

Invariant: the gate closes in the same turn of the loop that learns of it, before anything else is done or waited for;
then working entries are cancelled straight at the venue, again and again while the halt lasts, so that one that was on
its way is gone too. Nothing here needs NATS, Redis or PostgreSQL to be there.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from algotrendy_common.bus import Bus
from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import HaltLevel, Severity
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.risk import HaltChanged
from algotrendy_common.rpc import risk
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.telemetry import log
from prometheus_client import Counter, Histogram

from algotrendy_broker_gateway.accounts.running import RunningAccount
from algotrendy_broker_gateway.accounts.sweep import sweep
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY
from algotrendy_broker_gateway.errors import VenueRefused, VenueUnreachable

KILL_FILE = "kill file"
POLL_S = 0.02
_SWEEP_AGAIN_S = 1.0
_ASK_AGAIN_S = 2.0
SWEEP_SECONDS = Histogram(
    "algotrendy_halt_sweep_seconds",
    "From learning of a halt to the venue's answers to its cancellations",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SWEPT = Counter("algotrendy_halt_cancellations_total", "Cancellations asked of a venue by a halt", ["account"])


class Halting:
    """All accounts of this gateway."""

    def __init__(self, accounts: Mapping[str, RunningAccount], bus: Bus, kill_file: Path | None) -> None:
        self._accounts = accounts
        self._bus = bus
        self._kill_file = kill_file
        self._log = log("halting")
        self._revisions: dict[tuple[HaltLevel, str], int] = {}
        self._engaged_s: dict[tuple[HaltLevel, str], float] = {}
        """When each halt in force was heard of."""
        self._sweeping: dict[str, asyncio.Task[None]] = {}
        self._sweeping_strategies: dict[str, asyncio.Task[None]] = {}
        """By account."""
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the kill file -----------------------------------------------------------------------------------------

    def look(self) -> None:
        """Close or open every gate as the file is there or not; also right before anything can leave at a start."""
        engaged = self._kill_file_there()
        for running in self._accounts.values():
            if engaged != (KILL_FILE in running.desk.gate.halts):
                self._set(running, KILL_FILE, f"the kill file {self._kill_file} is there" if engaged else None)

    def _kill_file_there(self) -> bool:
        return self._kill_file is not None and self._kill_file.exists()

    async def begin(self) -> None:
        """Before anything is read."""
        for running in self._accounts.values():
            running.desk.gate.kill_file_there = self._kill_file_there
        self.look()

    async def watch_kill_file(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(POLL_S)

    # -- risk's halts ------------------------------------------------------------------------------------------

    async def on_halt(self, halt: HaltChanged) -> None:
        key = (halt.level, halt.key)
        if halt.revision <= self._revisions.get(key, -1):
            return
        self._revisions[key] = halt.revision
        if halt.engaged:
            self._engaged_s.setdefault(key, monotonic_s())
        else:
            self._engaged_s.pop(key, None)
        self._apply(halt)

    def _apply(self, halt: HaltChanged) -> None:
        if halt.level is HaltLevel.STRATEGY:
            self._on_strategy(halt)
            return
        for running in self._accounts.values():
            if halt.level is HaltLevel.GLOBAL or halt.key == running.account:
                why = f"{halt.by}: {halt.reason}" if halt.engaged else None
                self._set(running, f"{halt.level.value} halt", why)
                if halt.engaged and halt.flatten:
                    self._spawn(self._flatten(running, halt, None))

    def _on_strategy(self, halt: HaltChanged) -> None:
        self._tell_strategies()
        for running in self._accounts.values():
            if halt.engaged:
                self._sweep_strategies(running)
                self._spawn(self._cancel_strategy(running, halt.key))
                if halt.flatten:
                    self._spawn(self._flatten(running, halt, halt.key))
            else:
                running.desk.compare_soon("timer")

    def _tell_strategies(self) -> None:
        halted = frozenset(key for level, key in self._engaged_s if level is HaltLevel.STRATEGY)
        for running in self._accounts.values():
            running.desk.gate.halted_strategies = halted

    def _released_meanwhile(self, in_force: set[tuple[HaltLevel, str]], asked_s: float) -> None:
        """Halts that ended while nothing was heard; one heard of since the question is newer than its answer."""
        over = {key for key, since_s in self._engaged_s.items() if since_s < asked_s} - in_force
        for level, key in over:
            del self._engaged_s[level, key]
            for running in self._accounts.values():
                if level is not HaltLevel.STRATEGY and key in ("*", running.account):
                    self._set(running, f"{level.value} halt", None)
        if over:
            self._tell_strategies()

    async def ask_risk(self) -> None:
        """What is in force, after a start or an outage: what was told meanwhile is heard here."""
        answers = True
        while True:
            asked_s = monotonic_s()
            try:
                answer = await self._bus.ask(risk.HALTS, Nothing(), timeout_s=1.0)
            except (Retryable, Refused) as error:
                if answers:
                    self._log.info("risk does not say which halts are in force", error=str(error))
                answers = False
            else:
                answers = True
                for halt in answer.halts:
                    await self.on_halt(halt)
                engaged = {(halt.level, halt.key) for halt in answer.halts if halt.engaged}
                self._released_meanwhile(engaged, asked_s)
            await asyncio.sleep(_ASK_AGAIN_S)

    # -- what follows ------------------------------------------------------------------------------------------

    def _set(self, running: RunningAccount, source: str, why: str | None) -> None:
        halts = running.desk.gate.halts
        if why is None:
            if halts.pop(source, None) is not None:
                self._log.warning("halt released", account=running.account, source=source)
                running.desk.compare_soon("timer")
            return
        halts[source] = why
        self._log.critical("halted", account=running.account, source=source, why=why)
        if running.account not in self._sweeping:
            task = asyncio.create_task(self._keep_swept(running, monotonic_s()))
            self._sweeping[running.account] = task
            task.add_done_callback(lambda _: self._sweeping.pop(running.account, None))
        self._spawn(self._record(running, source, why))

    async def _keep_swept(self, running: RunningAccount, since_s: float) -> None:
        """Cancel at the venue until the halt is over; what cannot be asked now is asked again."""
        first = True
        while running.desk.gate.halts:
            try:
                asked, _ = await sweep(running.venue)
            except (VenueUnreachable, VenueRefused) as error:
                self._log.error("not swept", account=running.account, error=str(error))
            else:
                SWEPT.labels(running.account).inc(asked)
                if first:
                    SWEEP_SECONDS.observe(monotonic_s() - since_s)
                    first = False
            await asyncio.sleep(_SWEEP_AGAIN_S if not first else _SWEEP_AGAIN_S / 4)

    def _sweep_strategies(self, running: RunningAccount) -> None:
        if running.account not in self._sweeping_strategies:
            task = asyncio.create_task(self._keep_strategies_swept(running))
            self._sweeping_strategies[running.account] = task
            task.add_done_callback(lambda _: self._sweeping_strategies.pop(running.account, None))

    async def _keep_strategies_swept(self, running: RunningAccount) -> None:
        """Cancel at the venue what halted strategies have out, until the books have its end."""
        while out := running.desk.submission.entries_out.of(running.desk.gate.halted_strategies):
            try:
                asked, _ = await sweep(running.venue, out)
            except (VenueUnreachable, VenueRefused) as error:
                self._log.error("a halted strategy is not swept", account=running.account, error=str(error))
            else:
                SWEPT.labels(running.account).inc(asked)
            await asyncio.sleep(_SWEEP_AGAIN_S)

    async def _record(self, running: RunningAccount, source: str, why: str) -> None:
        """Put on the record what the gate and the venue know already; without a store the next comparison does it."""
        with contextlib.suppress(*STORE_AWAY, Retryable):
            await running.desk.submission.release_waiting()
            await running.desk.cancellation.all_working()
        await self._bus.alert(Severity.CRITICAL, "halted", f"{source}: {why}", account=running.account)

    async def _cancel_strategy(self, running: RunningAccount, strategy: str) -> None:
        with contextlib.suppress(*STORE_AWAY, Retryable):
            await running.desk.submission.release_waiting()
            await running.desk.cancellation.all_working(strategy)

    async def _flatten(self, running: RunningAccount, halt: HaltChanged, strategy: str | None) -> None:
        await running.desk.flatten(f"halted by {halt.by}: {halt.reason}", strategy)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        for task in (*self._sweeping.values(), *self._sweeping_strategies.values(), *self._tasks):
            task.cancel()

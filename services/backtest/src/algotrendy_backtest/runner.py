"""Takes waiting runs one at a time, computes them and keeps what came of it.

Invariant: a run ends once, in one transaction with the event that says so. What is the run's own fault ends it; what is
not (ingest away, the engine killed, this service restarted) has it begun again, a limited number of times, and then it
is dead-lettered.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

from algotrendy_common.bus import Bus
from algotrendy_common.clock import Clock
from algotrendy_common.database import UNREACHABLE, Database
from algotrendy_common.enums import Severity
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.backtest import BacktestFinished, BacktestKind, BacktestProgressed, BacktestRequested
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.ops import MessageDeadLettered
from algotrendy_common.ids import new_id
from algotrendy_common.rpc.backtest import ArtefactInfo
from algotrendy_common.subjects import subject_of
from algotrendy_common.telemetry import DEAD_LETTERS, log

from algotrendy_backtest import store
from algotrendy_backtest.computing.tasks import Ground
from algotrendy_backtest.domain import Claim, Outcome, checked
from algotrendy_backtest.errors import RunTooLong
from algotrendy_backtest.ports import Engine, Files, History
from algotrendy_backtest.settings import BacktestSettings
from algotrendy_backtest.trial_store import Trials

_JOB = subject_of(BacktestRequested)


class Runner:
    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        history: History,
        engine: Engine,
        files: Files,
        settings: BacktestSettings,
        waiting: asyncio.Event,
    ) -> None:
        self._database = database
        self._bus = bus
        self._events: EventFactory = bus.events
        self._clock = clock
        self._history = history
        self._engine = engine
        self._files = files
        self._settings = settings
        self._waiting = waiting
        self._worker = new_id()
        self._log = log("runner")

    async def work(self) -> None:
        """Run for ever; what a dead worker left is taken up as soon as its lease is over."""
        while True:
            self._waiting.clear()
            try:
                claim = await self._claim()
                if claim is not None:
                    await self._handle(claim)
                    continue
            except (*UNREACHABLE, Retryable) as error:
                self._log.warning("the store is away", error=repr(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._waiting.wait(), self._settings.poll_interval.total_seconds())

    async def _claim(self) -> Claim | None:
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            return await store.claim(transaction, self._worker, now, now + self._settings.lease)

    async def _handle(self, claim: Claim) -> None:
        if claim.attempt > self._settings.attempts:
            await self._give_up(claim, "it was begun too often and its worker never came back")
            return
        try:
            async with self._lease_kept(claim):
                await self._compute(claim)
        except asyncio.CancelledError:
            # The service stops, which is not the run's fault: whoever is there next may begin it at once.
            async with self._database.transaction() as transaction:
                await store.hand_back(transaction, claim.run_id, self._worker, self._clock.now())
            raise
        except Refused as error:
            await self._end(claim, str(error))
        except Exception as error:  # whatever else went wrong is not the run's fault: again, then dead-lettered
            self._log.error("run interrupted", run_id=claim.run_id, attempt=claim.attempt, exc_info=True)
            if claim.attempt >= self._settings.attempts:
                await self._give_up(claim, f"{type(error).__name__}: {error}")
            else:
                await self._release(claim, f"{type(error).__name__}: {error}")

    async def _compute(self, claim: Claim) -> None:
        """The whole run, its files stored and its end said, while the lease is kept."""
        spec = claim.spec
        checked(spec)
        alone = spec.kind is BacktestKind.RUN
        limit = (self._settings.run_timeout if alone else self._settings.search_timeout).total_seconds()
        telling = _Telling(self._database, self._events, claim.run_id, self._clock)
        with tempfile.TemporaryDirectory(prefix="algotrendy-run-") as folder:
            try:
                async with asyncio.timeout(limit):
                    instrument = await self._history.instrument(spec)
                    bars = await self._history.bars(
                        spec, self._settings.max_bars, lambda done, total: telling("candles", done, total)
                    )
                    trials = Trials(self._database, claim.run_id, self._worker)
                    conducted = await self._engine.run(Ground(spec, instrument, bars), trials, telling, folder)
            except TimeoutError as error:
                raise RunTooLong(limit) from error
            if conducted.outcome is None:
                await self._pause(claim)
                return
            files = await self._files.put(claim.run_id, Path(folder))
            await self._keep(claim, conducted.outcome, files)

    async def _pause(self, claim: Claim) -> None:
        async with self._database.transaction() as transaction:
            if await store.paused(transaction, claim.run_id, self._worker):
                await transaction.emit(
                    self._events.make(BacktestProgressed, run_id=claim.run_id, stage="paused", done=0, total=0)
                )
                self._log.info("run paused", run_id=claim.run_id)

    @asynccontextmanager
    async def _lease_kept(self, claim: Claim) -> AsyncIterator[None]:
        async def renew() -> None:
            while True:
                await asyncio.sleep(self._settings.lease.total_seconds() / 4)
                with suppress(*UNREACHABLE):
                    async with self._database.transaction() as transaction:
                        await store.renew(
                            transaction, claim.run_id, self._worker, self._clock.now() + self._settings.lease
                        )

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _keep(self, claim: Claim, outcome: Outcome, files: list[ArtefactInfo]) -> None:
        event = self._finished(claim, ok=True, error=None, outcome=outcome)
        async with self._database.transaction() as transaction:
            if await store.finish(transaction, claim.run_id, self._worker, self._clock.now(), outcome, files):
                await transaction.emit(event)
                self._log.info("run finished", run_id=claim.run_id, result_hash=outcome.result_hash)

    async def _end(self, claim: Claim, error: str, *also: Event) -> None:
        async with self._database.transaction() as transaction:
            if await store.fail(transaction, claim.run_id, self._worker, self._clock.now(), error):
                await transaction.emit(self._finished(claim, ok=False, error=error, outcome=None), *also)
                self._log.info("run failed", run_id=claim.run_id, error=error)

    async def _release(self, claim: Claim, error: str) -> None:
        pause: timedelta = self._settings.retry_after * claim.attempt
        async with self._database.transaction() as transaction:
            await store.release(transaction, claim.run_id, self._worker, self._clock.now() + pause, error)

    async def _give_up(self, claim: Claim, error: str) -> None:
        letter = self._events.make(
            MessageDeadLettered,
            service="backtest",
            consumer=_JOB.consumer("backtest"),
            subject=_JOB.pattern,
            message_id=BacktestRequested.from_json(claim.request).event_id,
            body=claim.request,
            error_type="GivenUp",
            error=error,
            deliveries=claim.attempt,
        )
        await self._end(claim, error, letter)
        DEAD_LETTERS.labels(_JOB.pattern).inc()
        await self._bus.alert(
            Severity.CRITICAL, "dead_letter", f"a backtest could not be run: {error}", run_id=claim.run_id
        )

    def _finished(self, claim: Claim, *, ok: bool, error: str | None, outcome: Outcome | None) -> BacktestFinished:
        return self._events.make(
            BacktestFinished,
            run_id=claim.run_id,
            ok=ok,
            error=error,
            result_hash=outcome.result_hash if outcome else None,
            statistics=outcome.statistics if outcome else {},
        )


class _Telling:
    """Publishes how far a run is, at most a few times a second."""

    _EVERY = timedelta(milliseconds=250)

    def __init__(self, database: Database, events: EventFactory, run_id: str, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._run_id = run_id
        self._clock = clock
        self._last = clock.now() - self._EVERY
        self._stage = ""

    async def __call__(self, stage: str, done: int, total: int) -> None:
        now = self._clock.now()
        if stage == self._stage and now - self._last < self._EVERY and done != total:
            return
        self._last, self._stage = now, stage
        async with self._database.transaction() as transaction:
            await transaction.emit(
                self._events.make(BacktestProgressed, run_id=self._run_id, stage=stage, done=done, total=total)
            )

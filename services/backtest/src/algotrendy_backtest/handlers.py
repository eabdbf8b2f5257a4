"""Jobs come in, questions are answered. Computing is the runner's affair."""

import asyncio
import base64

from algotrendy_common.clock import Clock
from algotrendy_common.database import Database
from algotrendy_common.events.backtest import BacktestProgressed, BacktestRequested
from algotrendy_common.events.event import EventFactory
from algotrendy_common.rpc.backtest import (
    ArtefactAsked,
    ArtefactPart,
    Artefacts,
    ArtefactsAsked,
    PauseAsked,
    Run,
    RunAsked,
    Runs,
    RunsAsked,
    RunSummary,
    Trades,
    TradesAsked,
    Trials,
    TrialsAsked,
    Verdict,
    VerdictAsked,
)

from algotrendy_backtest import store, trial_store
from algotrendy_backtest.errors import ArtefactUnknown, RunUnknown
from algotrendy_backtest.ports import Files

_PART = 256 * 1024
"""Bytes of a file in one answer; a message has a size limit."""


class Handlers:
    def __init__(
        self, database: Database, events: EventFactory, waiting: asyncio.Event, files: Files, clock: Clock
    ) -> None:
        self._database = database
        self._events = events
        self._waiting = waiting
        self._files = files
        self._clock = clock

    async def requested(self, event: BacktestRequested) -> None:
        """Take the job over from the work queue: from here on the store answers for it, not the message."""
        async with self._database.transaction() as transaction:
            if await store.add(transaction, event):
                await transaction.emit(
                    self._events.make(BacktestProgressed, run_id=event.run_id, stage="queued", done=0, total=0)
                )
        self._waiting.set()

    async def run(self, asked: RunAsked) -> Run:
        async with self._database.reading() as connection:
            found = await store.run(connection, asked.run_id)
        if found is None:
            raise RunUnknown(asked.run_id)
        return found

    async def runs(self, asked: RunsAsked) -> Runs:
        async with self._database.reading() as connection:
            return Runs(runs=await store.runs(connection, min(asked.limit, 500), asked.offset))

    async def trades(self, asked: TradesAsked) -> Trades:
        async with self._database.reading() as connection:
            trades, total = await store.fills(connection, asked.run_id, asked.offset, asked.limit)
        return Trades(trades=trades, total=total)

    async def trials(self, asked: TrialsAsked) -> Trials:
        async with self._database.reading() as connection:
            trials, total = await trial_store.page(
                connection, asked.run_id, asked.offset, asked.limit, best_first=asked.best_first
            )
        return Trials(trials=trials, total=total)

    async def verdict(self, asked: VerdictAsked) -> Verdict:
        async with self._database.reading() as connection:
            return await store.verdict(connection, asked)

    async def artefacts(self, asked: ArtefactsAsked) -> Artefacts:
        async with self._database.reading() as connection:
            return Artefacts(artefacts=await store.artefacts(connection, asked.run_id))

    async def artefact(self, asked: ArtefactAsked) -> ArtefactPart:
        async with self._database.reading() as connection:
            known = await store.artefacts(connection, asked.run_id)
        info = next((each for each in known if each.name == asked.name), None)
        if info is None:
            raise ArtefactUnknown(asked.run_id, asked.name)
        try:
            content = await self._files.get(asked.run_id, asked.name)
        except KeyError:
            raise ArtefactUnknown(asked.run_id, asked.name) from None
        end = asked.offset + _PART
        return ArtefactPart(
            info=info,
            offset=asked.offset,
            data=base64.b64encode(content[asked.offset : end]).decode(),
            more=end < len(content),
        )

    async def pause(self, asked: PauseAsked) -> RunSummary:
        """A search stops after the trials under way; one that is paused goes back into the queue."""
        async with self._database.transaction() as transaction:
            await store.pause_wanted(transaction, asked.run_id, asked.paused, self._clock.now())
            found = await store.summary(transaction, asked.run_id)
        if found is None:
            raise RunUnknown(asked.run_id)
        self._waiting.set()
        return found

"""Jobs come in, questions are answered. Computing is the runner's affair."""

import asyncio

from algotrendy_common.database import Database
from algotrendy_common.events.backtest import BacktestProgressed, BacktestRequested
from algotrendy_common.events.event import EventFactory
from algotrendy_common.rpc.backtest import Run, RunAsked, Runs, RunsAsked

from algotrendy_backtest import store
from algotrendy_backtest.errors import RunUnknown


class Handlers:
    def __init__(self, database: Database, events: EventFactory, waiting: asyncio.Event) -> None:
        self._database = database
        self._events = events
        self._waiting = waiting

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
            return Runs(runs=await store.runs(connection, min(asked.limit, 500)))

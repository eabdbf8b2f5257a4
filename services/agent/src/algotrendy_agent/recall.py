"""Remembers the situation of each signal, and finds the earlier ones that looked like the newest.

Invariant: it is off the path of orders. Indexing waits in a queue for a thread of its own; should it fail, trading goes
on and the index is made anew from PostgreSQL.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from algotrendy_common.database import Database
from algotrendy_common.errors import Refused
from algotrendy_common.events.signal import SignalRaised
from algotrendy_common.rpc.agent import RecallAsked, Recalled, Situation
from algotrendy_common.telemetry import log

from algotrendy_agent.domain.situations import WINDOW, features
from algotrendy_agent.ports import SituationIndex
from algotrendy_agent.store import AgentStore

_MOST = 50
_PAUSE_S = 5.0


class Recall:
    def __init__(self, index: SituationIndex, store: AgentStore, database: Database) -> None:
        self._index = index
        self._store = store
        self._database = database
        self._queue: asyncio.Queue[tuple[SignalRaised, list[str]]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recall")
        self._ready = False
        self._log = log("agent")

    def note(self, signal: SignalRaised, closes: list[str]) -> None:
        """Index a signal soon."""
        self._queue.put_nowait((signal, closes))

    async def index_forever(self) -> None:
        try:
            while True:
                try:
                    await self._rebuild()
                    while True:
                        await self._add(*await self._queue.get())
                except Exception as error:  # an index of the past must not stop what trades now
                    self._ready = False
                    self._log.error("the index of situations is made anew", error=repr(error))
                    await self._in_thread(self._index.close)
                    await asyncio.sleep(_PAUSE_S)
        finally:
            self._ready = False
            await asyncio.shield(self._in_thread(self._index.close))
            self._thread.shutdown(wait=False)

    async def answer(self, asked: RecallAsked) -> Recalled:
        """Earlier signals of a strategy in situations like that of its newest, most similar first."""
        if not self._ready:
            raise Refused("index_not_ready", "the index of situations is being made")
        async with self._database.reading() as tx:
            newest = await self._store.newest_signal(tx, asked.strategy)
            if newest is None:
                return Recalled(situations=())
            signal, closes = newest
            vector = features([float(close) for close in closes])
            if vector is None:
                return Recalled(situations=())
            limit = max(1, min(asked.limit, _MOST))
            near = await self._in_thread(self._index.nearest, asked.strategy, vector, limit, signal.event_id)
            known = await self._store.signals_by_id(tx, [row.event_id for row in near])
        return Recalled(
            situations=tuple(
                Situation(signal=known[row.event_id], similarity=row.similarity)
                for row in near
                if row.event_id in known
            )
        )

    async def _rebuild(self) -> None:
        await self._in_thread(self._index.begin, WINDOW)
        async with self._database.reading() as tx:
            rows = await self._store.signals_with_closes(tx)
        for signal, closes in rows:
            await self._add(signal, closes)
        self._ready = True
        self._log.info("situations indexed", signals=len(rows))

    async def _add(self, signal: SignalRaised, closes: list[str]) -> None:
        vector = features([float(close) for close in closes])
        if vector is not None:
            await self._in_thread(self._index.add, signal.event_id, signal.strategy, vector)

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

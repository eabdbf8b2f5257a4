"""The relay: publishes what transactions emitted, in the order they committed, until the stream has stored it.

Invariant: a row leaves the outbox's unpublished set only after JetStream acknowledged it. A stream that lost messages
it had acknowledged is found at start and refilled from here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext

from algotrendy_common.database import UNREACHABLE, Database, Outgoing
from algotrendy_common.errors import Retryable
from algotrendy_common.telemetry import OUTBOX_PUBLISHED, log

_IN_FLIGHT = 256
_SWEEP_S = 2.0
_PAUSE_S = 0.25
_INBOX_KEPT = timedelta(days=7)
_PUBLISH_ERRORS = (nats.errors.Error, nats.js.errors.Error, asyncio.TimeoutError, OSError)

Regressed = Callable[[str, int, int], Awaitable[None]]
"""Told of a stream that went back: its name, the last sequence we had acknowledged, the last it has now."""


class Relay:
    """One a service. Committed rows come by ``offer``; rows left by a crash are swept up from the table."""

    def __init__(self, database: Database, jetstream: Callable[[], JetStreamContext], regressed: Regressed) -> None:
        self._database = database
        self._jetstream = jetstream
        self._regressed = regressed
        self._queue: asyncio.Queue[Outgoing] = asyncio.Queue()
        self._room = asyncio.Semaphore(_IN_FLIGHT)
        self._underway: set[str] = set()
        self._stored: list[tuple[str, int]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._log = log("outbox")

    def offer(self, rows: list[Outgoing]) -> None:
        for row in rows:
            if row.event_id not in self._underway:
                self._underway.add(row.event_id)
                self._queue.put_nowait(row)

    async def start(self) -> None:
        await self.refill_regressed_streams()
        await self._sweep()
        self._tasks = [asyncio.create_task(self._publish_forever()), asyncio.create_task(self._keep_house())]

    async def stop(self, patience_s: float = 3.0) -> None:
        """Publish what is committed, within patience; the rest is published by the next start."""
        deadline = asyncio.get_running_loop().time() + patience_s
        while self._underway and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._acknowledging, return_exceptions=True)
        await self._mark_stored()

    async def refill_regressed_streams(self) -> None:
        """Compare each stream's last sequence with the last we saw stored, and publish again what it lost."""
        async with self._database.reading() as connection:
            marks = await connection.fetch(
                "SELECT stream, max(stream_seq) AS last FROM outbox WHERE stream_seq IS NOT NULL GROUP BY stream"
            )
        for mark in marks:
            try:
                state = (await self._jetstream().stream_info(mark["stream"])).state
            except nats.js.errors.NotFoundError:
                state = None
            last = state.last_seq if state else 0
            if last >= mark["last"]:
                continue
            self._log.critical("stream went back", stream=mark["stream"], known=mark["last"], found=last)
            async with self._database.transaction() as transaction:
                await transaction.execute(
                    "UPDATE outbox SET published_at = NULL, stream_seq = NULL WHERE stream = $1 AND stream_seq > $2",
                    mark["stream"],
                    last,
                )
            await self._regressed(mark["stream"], mark["last"], last)

    async def _publish_forever(self) -> None:
        while True:
            row = await self._queue.get()
            await self._room.acquire()
            # A task a row: each writes its message before it waits for the acknowledgement, so order is kept
            # while many acknowledgements are outstanding.
            task = asyncio.create_task(self._publish(row))
            self._acknowledging.add(task)
            task.add_done_callback(self._acknowledging.discard)

    async def _publish(self, row: Outgoing) -> None:
        try:
            while True:
                try:
                    stored = await self._jetstream().publish(
                        row.subject, row.body, stream=row.stream, headers={"Nats-Msg-Id": row.event_id}
                    )
                    break
                except (*_PUBLISH_ERRORS, Retryable) as error:
                    self._log.warning("publishing again", subject=row.subject, error=repr(error))
                    await asyncio.sleep(_PAUSE_S)
            self._stored.append((row.event_id, stored.seq))
            OUTBOX_PUBLISHED.labels(row.stream).inc()
        finally:
            self._room.release()
            self._underway.discard(row.event_id)

    async def _keep_house(self) -> None:
        swept = pruned = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_PAUSE_S)
            try:
                await self._mark_stored()
                if loop.time() - swept > _SWEEP_S:
                    await self._sweep()
                    swept = loop.time()
                if loop.time() - pruned > 3600:
                    await self._prune_inbox()
                    pruned = loop.time()
            except (*UNREACHABLE, Retryable, TimeoutError) as error:
                self._log.warning("outbox table not reached", error=repr(error))

    async def _mark_stored(self) -> None:
        """Telemetry of the relay: losing it in a crash only means publishing again, so it need not be synced."""
        if not self._stored:
            return
        rows, self._stored = self._stored, []
        try:
            async with self._database.transaction() as transaction:
                await transaction.execute("SET LOCAL synchronous_commit = off")
                await transaction.execute_many(
                    "UPDATE outbox SET published_at = now(), stream_seq = $2 WHERE event_id = $1", list(rows)
                )
        except BaseException:
            self._stored = rows + self._stored
            raise

    async def _sweep(self) -> None:
        """Rows that a crash, or a commit whose answer was lost, left unpublished."""
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                "SELECT event_id, subject, stream, body FROM outbox"
                " WHERE published_at IS NULL ORDER BY position LIMIT 1000"
            )
        # Only now: a row may have been stored while the table was read, and would be published twice.
        marked = {event_id for event_id, _ in self._stored}
        self.offer(
            [
                Outgoing(row["event_id"], row["subject"], row["stream"], row["body"].encode())
                for row in rows
                if row["event_id"] not in marked
            ]
        )

    async def _prune_inbox(self) -> None:
        async with self._database.transaction() as transaction:
            await transaction.execute("DELETE FROM inbox WHERE received_at < now() - $1::interval", _INBOX_KEPT)

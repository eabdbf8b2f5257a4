"""Files of results in JetStream's object store, under ``{run_id}/{name}``.

Invariant: storing a run's files again replaces them; what a row in PostgreSQL names was stored before it.
"""

import asyncio
import mimetypes
from collections.abc import Callable
from pathlib import Path

import nats.errors
import nats.js.errors
from algotrendy_common.errors import Retryable
from algotrendy_common.rpc.backtest import ArtefactInfo
from algotrendy_common.subjects import BACKTEST_ARTEFACTS
from nats.js import JetStreamContext
from nats.js.object_store import ObjectStore

from algotrendy_backtest.results import sha256_of


class Artefacts:
    def __init__(self, jetstream: Callable[[], JetStreamContext]) -> None:
        self._jetstream = jetstream
        self._last: tuple[str, bytes] = ("", b"")
        """Whoever asks for a file asks for it part by part."""

    async def put(self, run_id: str, folder: Path) -> list[ArtefactInfo]:
        """Store every file of a folder; raises Retryable where the store does not take one."""
        stored = []
        for name, content in await asyncio.to_thread(_files, folder):
            try:
                await self._store().put(f"{run_id}/{name}", content)
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
                raise Retryable(f"{name} could not be stored: {error!r}", run_id=run_id) from error
            media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            stored.append(ArtefactInfo(name=name, media_type=media_type, size=len(content), sha256=sha256_of(content)))
        return stored

    async def get(self, run_id: str, name: str) -> bytes:
        """Raises Retryable where the store does not answer, KeyError where the file's time there is over."""
        key = f"{run_id}/{name}"
        if self._last[0] == key:
            return self._last[1]
        try:
            content = (await self._store().get(key)).data or b""
        except nats.js.errors.NotFoundError as error:
            raise KeyError(name) from error
        except (nats.errors.Error, TimeoutError) as error:
            raise Retryable(f"{name} could not be read: {error!r}", run_id=run_id) from error
        self._last = (key, content)
        return content

    def _store(self) -> ObjectStore:
        return ObjectStore(BACKTEST_ARTEFACTS.name, BACKTEST_ARTEFACTS.stream, self._jetstream())


def _files(folder: Path) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]

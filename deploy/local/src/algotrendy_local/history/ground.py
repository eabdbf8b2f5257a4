"""The store and the venues of the stack that runs here, as its ingest is told of them.

Invariant: what a command opened is closed when it ends, and whatever keeps it from working is one ``Refused``.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from algotrendy_common.clock import SystemClock
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.settings import SettingsRefused, load
from algotrendy_ingest.adapters.answer_cache import AnswerCache
from algotrendy_ingest.adapters.registry import ADAPTERS, loaded
from algotrendy_ingest.errors import VenueAway
from algotrendy_ingest.settings import IngestSettings
from algotrendy_ingest.store.cached import CachedStore

from algotrendy_local.errors import StackError
from algotrendy_local.operations.connection import running_place
from algotrendy_local.program import Program
from algotrendy_local.settings import LocalSettings
from algotrendy_local.topology import stack


@dataclass(frozen=True, slots=True)
class Ground:
    settings: IngestSettings
    store: CachedStore

    @asynccontextmanager
    async def venue(self, name: str, symbols: tuple[str, ...], http_url: str | None) -> AsyncIterator[Any]:
        """Its REST, at the address that the stack follows it at, or else its own."""
        adapter = ADAPTERS[name]
        followed = {feed.venue: feed.addresses[0] for feed in self.settings.every_feed}
        address = http_url or followed.get(name, adapter.http)
        try:
            rest = loaded(adapter.rest)(address, symbols, SystemClock(), elsewhere=address != adapter.http)
        except KeyError as error:
            raise Refused("no_such_symbol", f"{name} has nothing called {error}") from error
        try:
            try:
                await rest.instruments()  # a symbol that is not listed is told here, and not by a page of nothing
            except VenueAway as error:
                raise Refused("no_instruments", str(error)) from error
            yield rest
        finally:
            await rest.close()


def ingest_settings(settings: LocalSettings) -> IngestSettings:
    """What the ingest of the running stack is told; raises StackError where none runs."""
    rows = stack(running_place(settings))
    program = next(row for row in rows if isinstance(row, Program) and row.name == "ingest")
    return load(IngestSettings, "ingest", dict(program.environment))


@asynccontextmanager
async def ground(settings: IngestSettings) -> AsyncIterator[Ground]:
    cache = AnswerCache(settings.redis_url.get_secret_value() if settings.redis_url else None)
    store = CachedStore(
        settings.questdb_url.get_secret_value(),
        cache,
        SystemClock(),
        retention=settings.retention,
        candle_retention=settings.candle_retention,
    )
    try:
        yield Ground(settings, store)
    finally:
        await store.close()
        await cache.close()


@contextmanager
def refused_in_words() -> Iterator[None]:
    """Whatever a command cannot help, as one ``Refused``."""
    try:
        yield
    except (StackError, SettingsRefused) as error:
        raise Refused("no_stack", " ".join(str(error).split())) from error
    except Retryable as error:
        raise Refused("away", f"{error}; what was done is kept: run it again") from error

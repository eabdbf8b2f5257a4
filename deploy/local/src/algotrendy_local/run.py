"""Runs a stack in this process, from the lock to the last stop.

Invariant: every way out of ``run`` (done, refused, failed, Ctrl-C) leaves no process, lock or port behind.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence

from algotrendy_local import leftovers, migrate, state
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.ports import PortBlock, take_block
from algotrendy_local.program import Job, Row
from algotrendy_local.settings import LocalSettings
from algotrendy_local.state import Lock, StackState
from algotrendy_local.supervisor import Supervisor
from algotrendy_local.topology import Place, needed, server_programs, stack


def run(
    settings: LocalSettings,
    on_change: Callable[[StackState], None],
    rows: Callable[[Place], list[Row]] = stack,
    *,
    only: Sequence[str] | None = None,
    once: bool = False,
) -> None:
    """Run ``rows`` (or ``only`` some, with what they need) until a signal, or ``once`` until all is started and done.

    Raises ``StackError`` where it cannot start.
    """
    home = Home(settings.home.resolve())
    # For the programs too: what they write is nobody else's to read.
    os.umask(0o077)
    home.make()
    with Lock(home) as lock:
        lock.take(home)
        # First, for they may hold our ports.
        leftovers.clear(home)
        with take_block(settings.port_base) as ports:
            place = Place.of(home, ports, settings)
            chosen = rows(place) if only is None else needed(rows(place), only)
            supervisor = Supervisor(
                home,
                chosen,
                port_base=ports.base,
                page_url=f"http://localhost:{ports['gateway']}",
                external=settings.replaced,
                on_change=on_change,
            )
            asyncio.run(_until_signal(supervisor, once))


async def _until_signal(supervisor: Supervisor, once: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.stop)
    await supervisor.run(once=once)


def migrate_up(settings: LocalSettings, service: str | None) -> dict[str, list[str]]:
    """Migrate the running stack, or one that is started for it. Returns what was done, by service or ``streams``."""

    async def work(place: Place) -> dict[str, list[str]]:
        _known(place, service)
        done = await migrate.up(place.addresses, streams=service is None, services=[service] if service else None)
        return ({} if service else {"streams": done.streams}) | done.schemas

    home = Home(settings.home.resolve())
    running = state.read(home) if state.is_running(home) else None
    if running is not None:
        return asyncio.run(work(Place.of(home, PortBlock(running.port_base), settings)))
    return _with_servers(settings, work)


def migrate_down(settings: LocalSettings, service: str | None) -> dict[str, list[str]]:
    """Take schemas back in a stack that is not running. Returns what was undone, by service."""

    async def work(place: Place) -> dict[str, list[str]]:
        _known(place, service)
        return (await migrate.down(place.addresses, [service] if service else place.addresses.schemas)).schemas

    return _with_servers(settings, work)


def _with_servers(
    settings: LocalSettings, work: Callable[[Place], Awaitable[dict[str, list[str]]]]
) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}

    def rows(place: Place) -> list[Row]:
        async def job() -> str:
            result.update(await work(place))
            return ""

        return [*server_programs(place, ("nats", "postgres")).values(), Job("migrate", job, ("nats", "postgres"))]

    run(settings, lambda state: None, rows, once=True)
    return result


def _known(place: Place, service: str | None) -> None:
    if service is not None and service not in place.addresses.schemas:
        names = ", ".join(place.addresses.schemas)
        raise StackError("no_such_service", f"{service} has no schema", f"there are: {names}")

"""The running stack, and a connection to its bus as one of its users.

Invariant: nothing here starts a server; a stack that does not run is said to be so.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import nats.errors
from algotrendy_common.subjects import inbox_prefix
from nats.aio.client import Client

from algotrendy_local import state
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.ports import PortBlock
from algotrendy_local.settings import LocalSettings
from algotrendy_local.topology import Place


def running_place(settings: LocalSettings) -> Place:
    """Raises StackError where no stack runs in this home."""
    home = Home(settings.home.resolve())
    running = state.read(home) if state.is_running(home) else None
    if running is None:
        raise StackError("not_running", "no stack is running here", "start it: algotrendy up")
    return Place.of(home, PortBlock(running.port_base), settings)


@asynccontextmanager
async def connected(place: Place, user: str) -> AsyncIterator[Client]:
    """As ``user``, with its permissions; raises StackError where NATS does not answer."""
    try:
        client = await nats.connect(
            place.addresses.nats_url,
            nkeys_seed_str=place.addresses.nats_seed(user),
            inbox_prefix=inbox_prefix(user),
            name=f"operator as {user}",
            connect_timeout=2,
            allow_reconnect=False,
            # It heeds these at the first connection, too: its own 60 attempts kept a halt's answer for two minutes.
            max_reconnect_attempts=1,
            reconnect_time_wait=0.1,
            error_cb=_ignore,
        )
    except (TimeoutError, nats.errors.Error, OSError) as error:
        raise StackError("nats_away", f"NATS does not answer ({error!r})", "algotrendy status") from error
    try:
        yield client
    finally:
        await client.close()


async def _ignore(error: Exception) -> None:
    """What goes wrong comes back from the call that meets it."""

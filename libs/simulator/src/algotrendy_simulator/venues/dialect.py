"""What a venue's wire format is to the rest of the simulator: routes over one simulation, and sockets to disturb.

Invariant: a dialect holds no books of its own; whatever it answers or streams comes from the simulation it is given.
"""

from typing import Protocol

from aiohttp import web

from algotrendy_simulator.faults import FaultKind


class Answers(Protocol):
    """The venue's own spelling of what goes wrong."""

    def refusal(self, kind: FaultKind) -> web.Response:
        """The answer for ``THROTTLE``, ``BAN``, ``MAINTENANCE``, ``REJECT``, ``CLOCK_SKEW`` and the ``ERROR_``s."""
        ...


class Dialect(Protocol):
    """Made with ``(simulation, faults, timings)``; its path for every fault is the request's own.

    What it hears from ``exchange.listeners`` may come twice, out of order or not at all: the drills disturb it there.
    """

    def routes(self) -> list[web.RouteDef]: ...

    async def run(self) -> None:
        """Whatever the streams need done for ever."""
        ...

    async def close(self) -> None: ...

    def drop_sockets(self, kind: str) -> dict[str, int]:
        """Cut ``market``, ``user`` or ``all`` sockets; how many of each were cut."""
        ...

    def mute(self, muted: bool) -> None:
        """Market sockets that stay open and say nothing; what users are told is muted before it gets here."""
        ...

    def lose_depth(self, symbol: str) -> None:
        """Leave out one update of a book's stream."""
        ...

    def status(self) -> dict[str, object]:
        """``sockets`` by kind, ``streams``, ``user_subscriptions``."""
        ...

"""Everybody who listens, and what goes out to them.

Invariant: a delta is serialised once, however many listen; a listener is registered in the same step that takes its
snapshot, so it misses nothing and gets nothing twice.
"""

import asyncio
from collections import Counter

from prometheus_client import Gauge

from algotrendy_gateway.errors import TooMany
from algotrendy_gateway.stream.client import GOING_AWAY, SESSION_ENDED, Client
from algotrendy_gateway.stream.messages import Delta, Kind, tail

CLIENTS = Gauge("algotrendy_gateway_stream_clients", "Open streams")
_PACE_S = 0.04
_PACE_PER_CLIENT_S = 0.00025
"""With a thousand listeners prices go out four times a second, which one core can carry."""


class Hub:
    def __init__(self, *, max_clients: int, max_per_session: int) -> None:
        self._clients: set[Client] = set()
        self._per_session: Counter[str] = Counter()
        self._max_clients, self._max_per_session = max_clients, max_per_session
        self._waiting: dict[tuple[str, ...], Delta] = {}

    def join(self, client: Client) -> None:
        """Raises ``TooMany`` where the house is full."""
        session = client.owner.session_id
        if len(self._clients) >= self._max_clients or self._per_session[session] >= self._max_per_session:
            raise TooMany(5)
        self._clients.add(client)
        self._per_session[session] += 1
        CLIENTS.set(len(self._clients))

    def leave(self, client: Client) -> None:
        self._clients.discard(client)
        session = client.owner.session_id
        self._per_session[session] -= 1
        if self._per_session[session] <= 0:
            del self._per_session[session]
        CLIENTS.set(len(self._clients))

    def publish(self, delta: Delta) -> None:
        """Hand a change to all who want it; what has a key waits for the next ``flush`` and may be overtaken."""
        if not self._clients:
            return
        if delta.key is not None:
            self._waiting[(delta.kind, *delta.key)] = delta
        else:
            self._hand_out(delta)

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for delta in waiting.values():
            self._hand_out(delta)

    async def flush_forever(self) -> None:
        while True:
            await asyncio.sleep(max(_PACE_S, len(self._clients) * _PACE_PER_CLIENT_S))
            self.flush()

    @property
    def sessions(self) -> list[str]:
        return list(self._per_session)

    @property
    def accounts(self) -> set[str]:
        """Accounts that somebody is watching."""
        return {client.account for client in self._clients}

    def end_sessions(self, ended: set[str]) -> None:
        for client in self._clients:
            if client.owner.session_id in ended:
                client.end(SESSION_ENDED, "the session has ended")

    async def close(self) -> None:
        for client in self._clients:
            client.end(GOING_AWAY, "the gateway stops")

    def _hand_out(self, delta: Delta) -> None:
        wanting = [client for client in self._clients if client.wants(delta)]
        if not wanting:
            return
        text = tail(Kind(delta.kind), delta.data)
        for client in wanting:
            client.put(delta, text)

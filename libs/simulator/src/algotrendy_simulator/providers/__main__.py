"""``python -m algotrendy_simulator.providers``: the recorded providers until SIGTERM or Ctrl-C.

The first line on standard output is JSON that says where it listens and the base URL of each.
"""

import asyncio
import json
import signal
import sys
from typing import Annotated

import typer

from algotrendy_simulator.providers.server import NAMES, serving_providers


def serve(
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")] = 9200,
    stand_ins: Annotated[bool, typer.Option(help="play a recording for symbols that were not recorded")] = False,
) -> None:
    """Serve recorded data providers."""
    asyncio.run(_serve(host, port, stand_ins))


async def _serve(host: str, port: int, stand_ins: bool) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serving_providers(stand_ins=stand_ins, host=host, port=port) as hall:
        said = {"ready": True, "http": hall.http, "base_urls": {name: hall.base_url(name) for name in NAMES}}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    typer.run(serve)

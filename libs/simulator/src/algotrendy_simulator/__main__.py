"""``python -m algotrendy_simulator``: a simulated venue on localhost until it is told to stop.

The first line on standard output is JSON that says where it listens. Options may also come from the environment as
``ALGOTRENDY_SIMULATOR_<OPTION>``; an option on the command line wins.
"""

import asyncio
import json
import logging
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from algotrendy_simulator.listings import PACKAGED
from algotrendy_simulator.server import serving
from algotrendy_simulator.settings import SimulatorSettings

cli = typer.Typer(add_completion=False, context_settings={"auto_envvar_prefix": "ALGOTRENDY_SIMULATOR"})


@cli.command()
def serve(
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")] = 9100,
    speed: Annotated[float, typer.Option(min=0.001, help="recorded seconds per wall second")] = 60.0,
    seed: int = 7,
    state: Annotated[Path | None, typer.Option(help="directory of the journal; without it all is forgotten")] = None,
    data: Annotated[Path, typer.Option(help="directory with listings.json and the recordings")] = PACKAGED,
    history: Annotated[int, typer.Option(min=1, help="minutes that are past at the first start")] = 480,
    trades_per_minute: Annotated[int, typer.Option(min=4, help="trades made inside a candle")] = 20,
    paused: bool = False,
    account: str = "paper-1",
    key: str = "demo-key",
    secret: str = "demo-secret",  # noqa: S107 - the demo's, of no worth anywhere
    quote_balance: Annotated[str, typer.Option(help="USDT of the account at the first start")] = "100000",
    weight_per_minute: Annotated[int, typer.Option(min=1)] = 6_000,
    orders_per_10s: Annotated[int, typer.Option("--orders-per-10s", min=1)] = 100,
) -> None:
    """Serve the simulated Binance over recorded data."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    settings = SimulatorSettings(
        host=host,
        port=port,
        speed=speed,
        seed=seed,
        state=state,
        data=data,
        history=history,
        trades_per_minute=trades_per_minute,
        paused=paused,
        account=account,
        key=key,
        secret=SecretStr(secret),
        quote_balance=Decimal(quote_balance),
        weight_per_minute=weight_per_minute,
        orders_per_10s=orders_per_10s,
    )
    asyncio.run(_serve(settings))


async def _serve(settings: SimulatorSettings) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serving(settings) as running:
        sys.stdout.write(json.dumps({"ready": True, "http": running.http, "ws": running.ws}) + "\n")
        sys.stdout.flush()
        stopped = asyncio.ensure_future(_until(stop))
        done, _ = await asyncio.wait({stopped, *running.work}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def _until(event: asyncio.Event) -> None:
    await event.wait()


if __name__ == "__main__":
    cli()

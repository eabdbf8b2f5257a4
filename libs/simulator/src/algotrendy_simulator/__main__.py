"""``python -m algotrendy_simulator``: a simulated venue on localhost until it is told to stop.

The first line on standard output is JSON that says where it listens. Options may also come from the environment as
``ALGOTRENDY_SIMULATOR_<OPTION>``; an option on the command line wins, and a variable that is no option is refused.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from algotrendy_simulator.listings import PACKAGED
from algotrendy_simulator.server import serving
from algotrendy_simulator.settings import SimulatorSettings

PREFIX = "ALGOTRENDY_SIMULATOR"
cli = typer.Typer(add_completion=False, context_settings={"auto_envvar_prefix": PREFIX})


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
    venue: Annotated[str, typer.Option(help="whose wire format it speaks")] = "binance",
    account: str = "paper-1",
    key: Annotated[str | None, typer.Option(help="without it the venue's demonstration key")] = None,
    secret: str | None = None,
    passphrase: str | None = None,
    quote_balance: Annotated[str, typer.Option(help="USDT of the account at the first start")] = "100000",
    weight_per_minute: Annotated[int, typer.Option(min=1)] = 6_000,
    orders_per_10s: Annotated[int, typer.Option("--orders-per-10s", min=1)] = 100,
) -> None:
    """Serve a simulated venue over recorded data."""
    _refuse_unknown_variables()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    credentials = {"key": key, "secret": secret, "passphrase": passphrase}
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
        venue=venue,
        account=account,
        **{name: value for name, value in credentials.items() if value is not None},
        quote_balance=Decimal(quote_balance),
        weight_per_minute=weight_per_minute,
        orders_per_10s=orders_per_10s,
    )
    asyncio.run(_serve(settings))


def _refuse_unknown_variables() -> None:
    """A misspelt variable would leave its option at the default without a word."""
    command = typer.main.get_command(cli)
    known = {f"{PREFIX}_{(parameter.name or '').upper()}" for parameter in command.params}
    unknown = sorted(name for name in os.environ if name.startswith(f"{PREFIX}_") and name not in known)  # noqa: TID251 - the command line is what reads it
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: there is no such option; known are {', '.join(sorted(known))}")


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

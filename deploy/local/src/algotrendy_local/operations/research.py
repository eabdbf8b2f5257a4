"""``algotrendy backtest``: what the command needs to know of this installation and of the stack that runs in it."""

import asyncio
import json
from importlib import resources
from pathlib import Path

import nats.errors
from algotrendy_backtest.adapters.history import IngestHistory
from algotrendy_backtest.cli.app import carry_out
from algotrendy_backtest.cli.surroundings import Dataset, HistoryAsked, Surroundings
from algotrendy_common.bus import Fault
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.event import Record
from algotrendy_common.rpc.call import Call
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from nats.aio.client import Client

from algotrendy_local.errors import StackError
from algotrendy_local.operations.connection import connected, running_place
from algotrendy_local.settings import LocalSettings

_MOST_BARS = 5_000_000


def backtest(arguments: list[str], settings: LocalSettings) -> None:
    """The command with what follows its name; ends the process with its status."""

    def history(asked: HistoryAsked) -> tuple[Instrument, BarSeries]:
        try:
            return asyncio.run(_stored(settings, asked))
        except StackError as error:
            raise Refused("no_stack", f"{error}; or give a file with --data") from error

    carry_out(arguments, Surroundings(settings.home, _datasets, history))


def _datasets() -> list[Dataset]:
    """The simulator's recordings of candles, each under the name of what was recorded."""
    folder = Path(str(resources.files("algotrendy_simulator") / "data"))
    listings = json.loads((folder / "listings.json").read_text(encoding="utf-8"))
    found = [
        Dataset(listing["instrument"]["symbol"], folder / listing["file"], listing["instrument"])
        for listing in listings
        if listing["kind"] == "candles"
    ]
    return list({dataset.name: dataset for dataset in reversed(found)}.values())


async def _stored(settings: LocalSettings, asked: HistoryAsked) -> tuple[Instrument, BarSeries]:
    async with connected(running_place(settings), "backtest") as client:
        history = IngestHistory(_Asker(client))
        instrument = await history.instrument(asked)
        return instrument, await history.bars(asked, _MOST_BARS, _unheard)


async def _unheard(done: int, total: int) -> None:
    """Fetching is over before there is anything to show it on."""


class _Asker:
    """What ``Bus.ask`` does, for whoever is no service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask[Req: Record, Res: Record](self, call: Call[Req, Res], request: Req) -> Res:
        try:
            message = await self._client.request(call.subject, request.model_dump_json().encode(), timeout=10.0)
        except (TimeoutError, nats.errors.Error) as error:
            raise Retryable(f"{call.service} does not answer", call=call.subject) from error
        if message.headers and "Algotrendy-Fault" in message.headers:
            fault = Fault.model_validate_json(message.data)
            raise Refused(fault.code, fault.message)
        return call.response.model_validate_json(message.data)

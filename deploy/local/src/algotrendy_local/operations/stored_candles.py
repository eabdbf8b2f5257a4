"""Candles out of the history of the stack that runs here, asked for over its bus."""

import asyncio

import nats.errors
from algotrendy_backtest.adapters.history import IngestHistory
from algotrendy_backtest.cli.surroundings import HistoryAsked
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


def fetch(settings: LocalSettings, asked: HistoryAsked) -> tuple[Instrument, BarSeries]:
    """Raises Refused where no stack runs or it has no such candles, Retryable where it does not answer."""
    try:
        return asyncio.run(_stored(settings, asked))
    except StackError as error:
        raise Refused("no_stack", f"{error}; or give a file with --data") from error


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

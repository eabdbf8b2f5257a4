"""Candles out of the history of the stack that runs here, asked for over its bus."""

import asyncio

from algotrendy_backtest.adapters.history import IngestHistory
from algotrendy_backtest.cli.surroundings import HistoryAsked
from algotrendy_common.errors import Refused
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument

from algotrendy_local.errors import StackError
from algotrendy_local.operations.asking import Asker
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
        history = IngestHistory(Asker(client))
        instrument = await history.instrument(asked)
        return instrument, await history.bars(asked, _MOST_BARS, _unheard)


async def _unheard(done: int, total: int) -> None:
    """Fetching is over before there is anything to show it on."""

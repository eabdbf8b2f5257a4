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
from algotrendy_local.topology import Place

_MOST_BARS = 5_000_000


def fetch(settings: LocalSettings, asked: HistoryAsked) -> tuple[Instrument, BarSeries]:
    """Of the stack of ``asked.home``, or else of the settings' own.

    Raises Refused where none runs or it has no such candles, Retryable where it does not answer.
    """
    try:
        place = _place(settings.model_copy(update={"home": asked.home}), settings)
        return asyncio.run(_stored(place, asked))
    except StackError as error:
        raise Refused("no_stack", f"{error}; or give a file with --data") from error


def _place(named: LocalSettings, usual: LocalSettings) -> Place:
    """``--home`` names the folder of a stack, or one that keeps runs and nothing else."""
    try:
        return running_place(named)
    except StackError:
        return running_place(usual)


async def _stored(place: Place, asked: HistoryAsked) -> tuple[Instrument, BarSeries]:
    async with connected(place, "backtest") as client:
        history = IngestHistory(Asker(client))
        instrument = await history.instrument(asked)
        return instrument, await history.bars(asked, _MOST_BARS, _unheard)


async def _unheard(done: int, total: int) -> None:
    """Fetching is over before there is anything to show it on."""

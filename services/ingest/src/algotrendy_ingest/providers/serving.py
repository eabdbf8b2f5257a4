"""What ingest answers of data providers, each question a remote call.

Invariant: an answer leaves before the bus forgets who asked. What is not there by then goes on and is kept: whoever
asks again finds it.
"""

import asyncio
from typing import cast

from algotrendy_common.app import App
from algotrendy_common.errors import Retryable
from algotrendy_common.rpc import providers as rpc
from algotrendy_common.rpc.call import Nothing

from algotrendy_ingest.providers.desk import Desk
from algotrendy_ingest.providers.indicators import MAIN
from algotrendy_ingest.providers.port import Answer, Question

_AT_ONCE = 16
"""Questions of a kind under way: one that waits for a slow provider does not keep the others waiting."""


class Polled:
    """One async function a call, callable without a bus. All raise what the desk raises."""

    def __init__(self, desk: Desk, within_s: float = rpc.PATIENCE_S - 3) -> None:
        self._desk = desk
        self._within_s = within_s
        self._under_way: set[asyncio.Task[Answer]] = set()

    async def close(self) -> None:
        """Give up what is under way, then the desk."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._desk.close()

    async def _answer(self, question: Question) -> Answer:
        task = asyncio.create_task(self._desk.answer(question))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.wait_for(asyncio.shield(task), self._within_s)
        except TimeoutError as error:
            raise Retryable(f"no provider has answered in {self._within_s:g} s; ask again") from error

    def _ended(self, task: asyncio.Task[Answer]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked was told of it, or has gone

    async def daily_bars(self, asked: rpc.DailyBarsAsked) -> rpc.DailyBars:
        return cast(rpc.DailyBars, await self._answer(asked))

    async def latest_price(self, asked: rpc.LatestPriceAsked) -> rpc.LatestPrice:
        return cast(rpc.LatestPrice, await self._answer(asked))

    async def observations(self, asked: rpc.ObservationsAsked) -> rpc.Observations:
        return cast(rpc.Observations, await self._answer(asked))

    async def series(self, asked: rpc.SeriesAsked) -> rpc.SeriesFound:
        return cast(rpc.SeriesFound, await self._answer(asked))

    async def series_search(self, asked: rpc.SeriesSearched) -> rpc.SeriesFound:
        return cast(rpc.SeriesFound, await self._answer(asked))

    async def indicators(self, asked: Nothing) -> rpc.Indicators:
        return MAIN

    async def health(self, asked: Nothing) -> rpc.Providers:
        return await self._desk.health()


def serve(app: App, desk: Desk) -> None:
    """Answer all of them, and close the desk when the service stops."""
    polled = Polled(desk)
    app.answers(rpc.DAILY_BARS, polled.daily_bars, _AT_ONCE)
    app.answers(rpc.LATEST_PRICE, polled.latest_price, _AT_ONCE)
    app.answers(rpc.OBSERVATIONS, polled.observations, _AT_ONCE)
    app.answers(rpc.SERIES, polled.series, _AT_ONCE)
    app.answers(rpc.SERIES_SEARCH, polled.series_search, _AT_ONCE)
    app.answers(rpc.INDICATORS, polled.indicators)
    app.answers(rpc.PROVIDERS, polled.health)
    app.on_stop(polled.close)

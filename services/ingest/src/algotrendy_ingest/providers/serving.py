"""What ingest answers of data providers, each question a remote call."""

from typing import cast

from algotrendy_common.app import App
from algotrendy_common.rpc import providers as rpc
from algotrendy_common.rpc.call import Nothing

from algotrendy_ingest.providers.desk import Desk
from algotrendy_ingest.providers.indicators import MAIN


class Polled:
    """One async function a call, callable without a bus. All raise what the desk raises."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def daily_bars(self, asked: rpc.DailyBarsAsked) -> rpc.DailyBars:
        return cast(rpc.DailyBars, await self._desk.answer(asked))

    async def latest_price(self, asked: rpc.LatestPriceAsked) -> rpc.LatestPrice:
        return cast(rpc.LatestPrice, await self._desk.answer(asked))

    async def observations(self, asked: rpc.ObservationsAsked) -> rpc.Observations:
        return cast(rpc.Observations, await self._desk.answer(asked))

    async def series(self, asked: rpc.SeriesAsked) -> rpc.SeriesFound:
        return cast(rpc.SeriesFound, await self._desk.answer(asked))

    async def series_search(self, asked: rpc.SeriesSearched) -> rpc.SeriesFound:
        return cast(rpc.SeriesFound, await self._desk.answer(asked))

    async def indicators(self, asked: Nothing) -> rpc.Indicators:
        return MAIN

    async def health(self, asked: Nothing) -> rpc.Providers:
        return await self._desk.health()


def serve(app: App, desk: Desk) -> None:
    """Answer all of them, and close the desk when the service stops."""
    polled = Polled(desk)
    app.answers(rpc.DAILY_BARS, polled.daily_bars)
    app.answers(rpc.LATEST_PRICE, polled.latest_price)
    app.answers(rpc.OBSERVATIONS, polled.observations)
    app.answers(rpc.SERIES, polled.series)
    app.answers(rpc.SERIES_SEARCH, polled.series_search)
    app.answers(rpc.INDICATORS, polled.indicators)
    app.answers(rpc.PROVIDERS, polled.health)
    app.on_stop(desk.close)

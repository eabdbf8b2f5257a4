"""One venue followed: its feed, and everything that is kept and said of it.

Invariant: venues share the store and the recorder, and nothing else; one that is away holds up no other.
"""

import asyncio
from dataclasses import dataclass
from functools import partial

from algotrendy_common.app import App

from algotrendy_ingest.adapters.opening import open_feed
from algotrendy_ingest.domain.health import FeedHealth
from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.domain.series import BarSeries
from algotrendy_ingest.handlers.announcer import Announcer
from algotrendy_ingest.handlers.live import LiveHandlers
from algotrendy_ingest.handlers.past import Past
from algotrendy_ingest.handlers.quarantine import Quarantine
from algotrendy_ingest.handlers.questions import Asked
from algotrendy_ingest.handlers.recorder import Recorder
from algotrendy_ingest.handlers.rounds import Rounds
from algotrendy_ingest.handlers.watching import Watch
from algotrendy_ingest.ports import Feed, History
from algotrendy_ingest.settings import FeedSettings, IngestSettings


@dataclass(frozen=True, slots=True)
class Followed:
    feed: Feed
    asked: Asked
    past: Past
    live: LiveHandlers
    rounds: Rounds
    watch: Watch

    async def listen(self) -> None:
        await self.past.prepare()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.feed.run(self.live.deliver))
            group.create_task(self.past.fill_store())


def follow(
    app: App, settings: IngestSettings, one: FeedSettings, store: History, recorder: Recorder, quarantine: Quarantine
) -> Followed:
    feed: Feed = open_feed(
        one.venue,
        *one.addresses,
        one.symbols,
        app.clock,
        book_interval=settings.book_interval,
        mute_after=settings.mute_after,
        mute_trades_after=settings.mute_trades_after,
    )
    markets = {symbol: _market(settings, symbol) for symbol in one.symbols}
    health = FeedHealth(one.symbols, settings.quiet_after, settings.stale_after)
    past = Past(feed, store, markets, app.bus, history_candles=settings.history_candles)
    announcer = Announcer(app.bus, app.events, app.clock, feed, health, recorder, replay=settings.replay)
    live = LiveHandlers(announcer, feed, markets, health, quarantine)
    rounds = Rounds(
        announcer, app.clock, feed, markets, health, live.deliver,
        quiet_close_after=settings.quiet_close_after,
        growth_interval=settings.growth_interval,
    )  # fmt: skip
    new_market = partial(_market, settings)
    watch = Watch(feed, markets, health, past, new_market)
    return Followed(feed, Asked(markets, past, announcer), past, live, rounds, watch)


def _market(settings: IngestSettings, symbol: str) -> Market:
    return Market(symbol, series=BarSeries(seconds=settings.makes_seconds))

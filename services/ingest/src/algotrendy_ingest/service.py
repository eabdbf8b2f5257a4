"""Ingest: one venue's feed onto the bus, the bus into QuestDB, questions answered out of both."""

import asyncio

from algotrendy_common.app import App
from algotrendy_common.events.market import (
    BarUpdated,
    BookSnapshotTaken,
    FeedHealthChanged,
    QuoteChanged,
    TradePrinted,
)
from algotrendy_common.rpc import ingest as rpc

from algotrendy_ingest.adapters.binance import BinanceFeed
from algotrendy_ingest.domain.health import FeedHealth
from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.handlers.announcer import Announcer
from algotrendy_ingest.handlers.live import LiveHandlers
from algotrendy_ingest.handlers.past import Past
from algotrendy_ingest.handlers.questions import Questions
from algotrendy_ingest.handlers.recorder import Recorder
from algotrendy_ingest.handlers.rounds import Rounds
from algotrendy_ingest.settings import IngestSettings
from algotrendy_ingest.store import QuestStore


def build_app(settings: IngestSettings) -> App:
    app = App("ingest", settings)
    feed = BinanceFeed(
        settings.binance_http_url,
        settings.binance_ws_url,
        settings.symbols,
        app.clock,
        book_interval=settings.book_interval,
        mute_after=settings.mute_after,
        mute_trades_after=settings.mute_trades_after,
    )
    store = QuestStore(settings.questdb_url.get_secret_value())
    markets = {symbol: Market(symbol) for symbol in settings.symbols}
    health = FeedHealth(settings.symbols, settings.quiet_after, settings.stale_after)
    recorder = Recorder(store, app.clock, overdue_after=settings.overdue_after)
    past = Past(feed, store, markets, app.bus, history_candles=settings.history_candles)
    announcer = Announcer(app.bus, app.events, app.clock, feed, health, recorder, replay=settings.replay)
    live = LiveHandlers(announcer, feed, markets, health)
    rounds = Rounds(
        announcer, app.clock, feed, markets, health, live.deliver,
        quiet_close_after=settings.quiet_close_after,
        growth_interval=settings.growth_interval,
    )  # fmt: skip
    questions = Questions(feed.venue, markets, store, past, announcer)

    async def listen() -> None:
        await past.prepare()
        async with asyncio.TaskGroup() as group:
            group.create_task(feed.run(live.deliver))
            group.create_task(past.fill_store())

    app.publishes(TradePrinted, QuoteChanged, BookSnapshotTaken, BarUpdated, FeedHealthChanged)
    app.reads_batches(TradePrinted, recorder.trades)
    app.reads_batches(QuoteChanged, recorder.quotes)
    app.reads_batches(BarUpdated, recorder.bars)
    app.answers(rpc.CANDLES, questions.candles)
    app.answers(rpc.INSTRUMENTS, questions.instruments)
    app.answers(rpc.QUOTES, questions.quotes)
    app.answers(rpc.FEEDS, questions.feeds)
    app.runs("feed", listen)
    app.runs("live", live.work_forever)
    app.runs("growing candles", rounds.grow_forever)
    app.runs("quiet minutes", rounds.close_quiet_minutes_forever)
    app.runs("feed health", rounds.tell_health_forever)
    app.runs("ledger", recorder.audit_forever)
    app.on_stop(live.stop)
    app.on_stop(feed.close)
    app.on_stop(store.close)
    app.health.add("history store", store.problem)
    return app

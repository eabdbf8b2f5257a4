"""Ingest: the venues' feeds onto the bus, the bus into QuestDB, questions answered out of both."""

from algotrendy_common.app import App
from algotrendy_common.events.market import (
    BarUpdated,
    BookSnapshotTaken,
    FeedHealthChanged,
    FundingRateChanged,
    MarkPriceChanged,
    QuoteChanged,
    TradePrinted,
)
from algotrendy_common.events.signal import SignalRaised
from algotrendy_common.rpc import ingest as rpc

from algotrendy_ingest.adapters.answer_cache import AnswerCache
from algotrendy_ingest.following import Followed, follow
from algotrendy_ingest.handlers.crosscheck import CrossCheck
from algotrendy_ingest.handlers.mending import Mending
from algotrendy_ingest.handlers.quarantine import Quarantine, Restoring
from algotrendy_ingest.handlers.questions import Questions
from algotrendy_ingest.handlers.recorded import Recorded
from algotrendy_ingest.handlers.recorder import Recorder
from algotrendy_ingest.handlers.watching import Watching
from algotrendy_ingest.providers.desk import build_desk
from algotrendy_ingest.providers.serving import serve
from algotrendy_ingest.settings import IngestSettings
from algotrendy_ingest.store.cached import CachedStore
from algotrendy_ingest.store.quarantine import QuarantineStore
from algotrendy_ingest.store.repair import Repair


def build_app(settings: IngestSettings) -> App:
    app = App("ingest", settings)
    cache = AnswerCache(settings.redis_url.get_secret_value() if settings.redis_url else None)
    store = CachedStore(
        settings.questdb_url.get_secret_value(),
        cache,
        app.clock,
        retention=settings.retention,
        candle_retention=settings.candle_retention,
    )
    recorder = Recorder(store, app.clock, overdue_after=settings.overdue_after)
    set_aside = QuarantineStore(store.quest)
    quarantine = Quarantine(set_aside, app.bus, app.clock)
    followed = [follow(app, settings, one, store, recorder, quarantine) for one in settings.every_feed]
    restoring = Restoring(set_aside, {one.feed.venue: one.live.restore for one in followed}, app.clock)
    crosscheck = CrossCheck({one.feed.venue: one.asked.markets for one in followed}, app.bus)
    watching = Watching({one.feed.venue: one.watch for one in followed})
    questions = Questions({one.feed.venue: one.asked for one in followed}, store)
    clocks = {one.feed.venue: one.feed for one in followed}
    recorded = Recorded(store, cache, lambda venue: clocks[venue].venue_time if venue in clocks else app.clock.now())
    mending = Mending(Repair(store.quest), app.bus)

    app.publishes(TradePrinted, QuoteChanged, BookSnapshotTaken, BarUpdated, FeedHealthChanged)
    app.publishes(MarkPriceChanged, FundingRateChanged)
    app.reads_batches(TradePrinted, recorder.trades)
    app.reads_batches(QuoteChanged, recorder.quotes)
    app.reads_batches(BarUpdated, recorder.bars)
    app.reads_batches(BookSnapshotTaken, recorder.books)
    app.reads_batches(FeedHealthChanged, recorder.health)
    app.reads_batches(SignalRaised, recorder.signals)
    app.answers(rpc.CANDLES, questions.candles)
    app.answers(rpc.INSTRUMENTS, questions.instruments)
    app.answers(rpc.QUOTES, questions.quotes)
    app.answers(rpc.QUOTE_BEFORE, questions.quote_before)
    app.answers(rpc.FEEDS, questions.feeds)
    serve(app, build_desk(settings.providers.beside(settings.redis_url), app.clock))
    app.answers(rpc.FOLLOW, watching.follow)
    app.answers(rpc.UNFOLLOW, watching.unfollow)
    app.answers(rpc.TRADES, recorded.trades)
    app.answers(rpc.BOOK_AT, recorded.book_at)
    app.answers(rpc.SYMBOLS, recorded.symbols)
    app.answers(rpc.COVERAGE, recorded.coverage)
    app.answers(rpc.QUARANTINE, quarantine.asked)
    app.answers(rpc.RESTORE, restoring.restore)
    for one in followed:
        _run(app, one)
    app.runs("ledger", recorder.audit_forever)
    app.runs("quarantine", quarantine.work_forever)
    app.runs("venues side by side", crosscheck.look_forever)
    app.runs("suspended tables", mending.look_forever)
    for one in followed:
        app.on_stop(one.live.stop)
        app.on_stop(one.watch.stop)
        app.on_stop(one.feed.close)
    app.on_stop(store.close)
    app.on_stop(cache.close)
    app.health.add("history store", store.problem)
    return app


def _run(app: App, one: Followed) -> None:
    venue = one.feed.venue
    app.runs(f"{venue} feed", one.listen)
    app.runs(f"{venue} live", one.live.work_forever)
    app.runs(f"{venue} growing candles", one.rounds.grow_forever)
    app.runs(f"{venue} quiet minutes", one.rounds.close_quiet_minutes_forever)
    app.runs(f"{venue} feed health", one.rounds.tell_health_forever)

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

from algotrendy_ingest.following import Followed, follow
from algotrendy_ingest.handlers.questions import Questions
from algotrendy_ingest.handlers.recorder import Recorder
from algotrendy_ingest.settings import IngestSettings
from algotrendy_ingest.store import QuestStore


def build_app(settings: IngestSettings) -> App:
    app = App("ingest", settings)
    store = QuestStore(settings.questdb_url.get_secret_value())
    recorder = Recorder(store, app.clock, overdue_after=settings.overdue_after)
    followed = [follow(app, settings, one, store, recorder) for one in settings.every_feed]
    questions = Questions({one.feed.venue: one.asked for one in followed}, store)

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
    for one in followed:
        _run(app, one)
    app.runs("ledger", recorder.audit_forever)
    for one in followed:
        app.on_stop(one.live.stop)
        app.on_stop(one.feed.close)
    app.on_stop(store.close)
    app.health.add("history store", store.problem)
    return app


def _run(app: App, one: Followed) -> None:
    venue = one.feed.venue
    app.runs(f"{venue} feed", one.listen)
    app.runs(f"{venue} live", one.live.work_forever)
    app.runs(f"{venue} growing candles", one.rounds.grow_forever)
    app.runs(f"{venue} quiet minutes", one.rounds.close_quiet_minutes_forever)
    app.runs(f"{venue} feed health", one.rounds.tell_health_forever)

"""Missing history out of the simulated venue's REST into QuestDB, beside a Redis that keeps answers."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.clock import SystemClock
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.rpc import ingest as rpc
from algotrendy_ingest.adapters.answer_cache import AnswerCache
from algotrendy_ingest.adapters.binance import BinanceRest
from algotrendy_ingest.adapters.parquet_files import Content
from algotrendy_ingest.handlers.backfill import BackFill
from algotrendy_ingest.handlers.exchange import Exchange
from algotrendy_ingest.handlers.recorded import Recorded, covered
from algotrendy_ingest.metrics import HISTORY_CACHE
from algotrendy_ingest.store.cached import CachedStore
from algotrendy_simulator.testing import running_venue

BTC = "BTC-USDT"
BINANCE = ("binance", BTC)
STEP = timedelta(minutes=1)


@pytest.fixture
async def venue():
    async with running_venue(paused=True) as running:
        yield running


@pytest.fixture
async def rest(venue):
    rest = BinanceRest(venue.http, (BTC,), SystemClock(), elsewhere=True)
    await rest.instruments()
    yield rest
    await rest.close()


@pytest.fixture
async def cache(servers):
    cache = AnswerCache(servers.addresses.redis_url)
    yield cache
    await cache.close()


@pytest.fixture
async def store(servers, quest, cache):
    store = CachedStore(servers.addresses.questdb_url, cache, SystemClock())
    await store.migrate()
    yield store
    await store.close()


def counted(what, outcome):
    return HISTORY_CACHE.labels(what, outcome)._value.get()


def nobody(done):
    """Looks on."""


async def test_history_is_fetched_once_resumed_verified_and_given_on(store, cache, rest, venue, quest, tmp_path):
    filling = BackFill(rest, store, Timeframe.M1, requests_per_s=50)
    newest = (await rest.bars(BTC, Timeframe.M1))[-1].open_time
    start = newest - 400 * STEP
    before_listing = newest - timedelta(days=3)

    # Killed after the first page; begun anew it asks for no more than what is left.
    window = await filling.closed(BTC, start, newest + timedelta(days=1))
    assert window.end == newest
    middle = window.start + 150 * STEP
    first = await filling.fetch(await filling.plan(BTC, start, middle), nobody)
    assert (first.candles, first.requests) == (150, 1)
    job = await filling.plan(BTC, start, newest)
    assert (job.there, job.intervals, [each.start for each in job.spans]) == (150, 250, [middle])
    told = []
    rest_of_it = await filling.fetch(job, told.append)
    assert (rest_of_it.candles, sum(told)) == (250, 250)
    assert (await filling.plan(BTC, start, newest)).spans == ()

    # What the venue does not have is asked for once.
    early = await filling.plan(BTC, before_listing, newest)
    fetched = await filling.fetch(early, nobody)
    assert (await filling.plan(BTC, before_listing, newest)).spans == ()
    asked = rpc.CoverageAsked(venue="binance", symbol=BTC, timeframe=Timeframe.M1, start=before_listing, end=newest)
    coverage = await covered(store, asked)
    assert coverage.candles == 400 + fetched.candles
    assert coverage.candles + sum((hole.end - hole.start) // STEP for hole in coverage.missing) == coverage.expected
    assert all(hole.asked for hole in coverage.missing)

    # Equal to the venue's own; a candle that is not is found.
    reports = []
    await filling.verify(BTC, window, reports.append)
    assert all(report.agrees for report in reports)
    assert sum(report.kept for report in reports) == 400
    wrong = (await rest.bars(BTC, Timeframe.M1, middle, middle + STEP))[0]
    await _rewritten(store, wrong, Decimal("0.1"))
    reports.clear()
    await filling.verify(BTC, window, reports.append)
    assert [report.first_difference for report in reports if not report.agrees] == [middle]
    await _rewritten(store, wrong, Decimal(0))

    # Out into a file and, after all of it is gone, in again.
    exchange = Exchange(store)
    kept = await store.candles(*BINANCE, Timeframe.M1, start, newest, 1000)
    file = await exchange.export(tmp_path, Content("binance", BTC, Timeframe.M1), start, newest, nobody)
    await quest.rows("TRUNCATE TABLE bar")
    await store.quest.applied("bar")
    assert await exchange.take_in(file.path) == (Content("binance", BTC, Timeframe.M1), 400)
    assert await store.candles(*BINANCE, Timeframe.M1, start, newest, 1000) == kept
    with pytest.raises(Refused, match="no trades of BTC-USDT"):
        await exchange.export(tmp_path, Content("binance", BTC, None), None, None, nobody)


async def _rewritten(store, bar, added):
    await store.write_bars("binance", BTC, [_Bar(bar, added)])
    await store.settle("binance", BTC)


class _Bar:
    """A candle with another volume."""

    def __init__(self, bar, added):
        self._bar, self._added = bar, added

    def __getattr__(self, name):
        value = getattr(self._bar, name)
        return value + self._added if name == "volume" else value


async def test_what_would_go_at_once_is_not_fetched(store, rest):
    filling = BackFill(rest, store, Timeframe.M1, requests_per_s=50)
    newest = (await rest.bars(BTC, Timeframe.M1))[-1].open_time
    with pytest.raises(Refused, match="candles are kept 365 days"):
        await filling.plan(BTC, newest - timedelta(days=400), newest)
    with pytest.raises(Refused, match="the newest closed candle"):
        await filling.plan(BTC, newest, newest + timedelta(days=1))


async def test_a_settled_answer_is_kept_until_history_changes_and_none_is_needed(store, cache, rest, servers, until):
    page = (await rest.bars(BTC, Timeframe.M1))[:-1]
    await store.write_bars("binance", BTC, page[:-1])
    await store.quest.applied("bar")
    asked = (*BINANCE, Timeframe.M1, page[0].open_time, page[-1].close_time, 1000)

    async def kept_again():
        """Asked twice, the second answer is the first's: once what was written counts as settled."""
        hits = counted("candles", "hit")
        answers = [await store.candles(*asked) for _ in range(2)]
        assert answers[0] == answers[1]
        return answers[0] if counted("candles", "hit") > hits else None

    assert len(await until(kept_again)) == len(page) - 1
    await store.write_bars("binance", BTC, [page[-1]])  # the next one: nothing of the past
    assert len(await store.candles(*asked)) == len(page) - 1, "it is still the kept one"
    await store.write_bars("binance", BTC, [page[0]])
    await store.settle("binance", BTC)
    assert len(await store.candles(*asked)) == len(page)

    # The same of coverage, whose range is over by the venue's clock, and of one that is not.
    recorded = Recorded(store, cache, lambda venue: page[-1].close_time + timedelta(hours=2))
    question = rpc.CoverageAsked(
        venue="binance", symbol=BTC, timeframe=Timeframe.M1, start=page[0].open_time, end=page[-1].close_time
    )
    assert (await recorded.coverage(question)).candles == len(page)
    open_ended = question.model_copy(update={"end": None})
    misses = counted("coverage", "miss")
    assert (await recorded.coverage(open_ended)).candles == len(page)
    assert counted("coverage", "miss") == misses, "what may still change is not looked for in the cache"

    await servers.kill("redis")
    try:
        away = counted("candles", "away")
        assert len(await store.candles(*asked)) == len(page)
        assert counted("candles", "away") > away
        await store.write_bars("binance", BTC, [page[0]])
    finally:
        await servers.start("redis")


async def test_recorded_trades_come_in_pages_and_a_book_as_of_a_time(store, cache, until):
    async def enough(rest):
        found = await rest.recent_trades(BTC)
        return found if len(found) >= 30 else None

    async with running_venue(speed=60) as trading:
        rest = BinanceRest(trading.http, (BTC,), SystemClock(), elsewhere=True)
        ticks = await until(lambda: enough(rest))
        await rest.close()
    await store.write_ticks("binance", ticks)
    await store.quest.applied("trade")
    recorded = Recorded(store, cache, lambda venue: ticks[-1].event_time)
    asked = rpc.TradesAsked(venue="binance", symbol=BTC, start=ticks[0].event_time, limit=7)
    found = []
    while True:
        page = await recorded.trades(asked)
        found += page.trades
        if page.next is None:
            break
        assert len(page.trades) == 7
        asked = asked.model_copy(update={"after": page.next})
    assert [int(trade.trade_id) for trade in found] == [tick.sequence for tick in ticks]
    assert sum(trade.price * trade.quantity for trade in found) == sum(tick.price * tick.quantity for tick in ticks)
    for wrong, code in (({"limit": 0}, "bad_limit"), ({"after": "x"}, "bad_page"), ({"end": asked.start}, "bad_range")):
        with pytest.raises(Refused) as refused:
            await recorded.trades(asked.model_copy(update=wrong))
        assert refused.value.code == code

    [kept] = (await recorded.symbols(rpc.SymbolsAsked())).kept
    assert (kept.symbol, kept.timeframe, kept.rows) == (BTC, None, len(ticks))
    nothing = await recorded.book_at(rpc.BookAtAsked(venue="binance", symbol=BTC, at=_noon()))
    assert nothing.book is None


def _noon():
    return datetime.fromisoformat("2022-12-13T12:00:00Z")

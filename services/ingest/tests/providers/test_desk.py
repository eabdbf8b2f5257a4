"""Cache, failover, retries, circuit, quota and quorum together, over real sockets; the clock is the test's own."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.clock import ManualClock
from algotrendy_common.rpc.providers import (
    Adjusted,
    DailyBarsAsked,
    LatestPriceAsked,
    ObservationsAsked,
    SeriesAsked,
)
from algotrendy_ingest.providers.cache import RedisCache
from algotrendy_ingest.providers.errors import (
    Disagreement,
    KeyRefused,
    Malformed,
    NobodyAnswers,
    NotListed,
    NotOffered,
    ProviderAway,
    QuotaSpent,
)
from algotrendy_ingest.providers.indicators import MAIN
from algotrendy_ingest.providers.metrics import COST, FAILOVERS, RETRIES
from algotrendy_local.testing import Servers, servers_running
from algotrendy_simulator.providers.faults import ProviderFaultKind

AAPL = DailyBarsAsked(symbol="AAPL", start=date(2020, 6, 1), end=date(2020, 6, 17), adjusted=Adjusted.SPLITS)
GOOGL = DailyBarsAsked(symbol="GOOGL", start=date(2015, 1, 2), end=date(2015, 1, 5))


class Time:
    """Seconds that pass only where somebody sleeps, and the sleeps themselves."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []
        self.clock = ManualClock(datetime(2026, 3, 2, 22, tzinfo=UTC))

    def settings(self) -> dict[str, object]:
        return {"now": lambda: self.now_s, "sleep": self.sleep, "clock": self.clock}

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_(seconds)

    def pass_(self, seconds: float) -> None:
        self.now_s += seconds
        self.clock.advance(timedelta(seconds=seconds))


@pytest.fixture
def time() -> Time:
    return Time()


async def test_a_second_question_and_a_part_of_the_first_cost_no_call(hall, desk_at, time):
    async with desk_at(hall, "polygon", **time.settings()) as desk:
        first = await desk.ask(AAPL)
        part = await desk.ask(AAPL.model_copy(update={"start": date(2020, 6, 10), "end": date(2020, 6, 12)}))
        assert hall.calls["polygon"] == 1
        assert not first.source.cached
        assert part.source.cached
        assert [bar.day.day for bar in part.bars] == [10, 11, 12]
        time.pass_(16 * 3600 + 1)
        assert not (await desk.ask(AAPL)).source.cached
        health = (await desk.health()).providers[0]
        assert (health.calls, health.cache_hits, health.cache_misses) == (2, 1, 2)


async def test_equal_questions_at_once_are_one_call(hall, desk_at):
    async with desk_at(hall, "polygon") as desk:
        answers = await asyncio.gather(*(desk.ask(AAPL) for _ in range(20)))
    assert hall.calls["polygon"] == 1
    assert len({answer.bars for answer in answers}) == 1


async def test_without_the_cache_every_question_is_a_call(hall, desk_at):
    async with desk_at(hall, "polygon", cache=False) as desk:
        for _ in range(3):
            await desk.ask(AAPL)
    assert hall.calls["polygon"] == 3


async def test_what_is_not_listed_is_asked_once(hall, desk_at):
    async with desk_at(hall, "polygon", "fmp") as desk:
        for _ in range(3):
            with pytest.raises(NotListed):
                await desk.ask(AAPL.model_copy(update={"symbol": "NOSUCH"}))
    assert hall.calls == {"polygon": 1, "fmp": 1}


async def test_the_next_in_the_order_answers_and_the_answer_says_who_failed(hall, desk_at):
    hall.arm(ProviderFaultKind.ERROR, "fmp")
    before = FAILOVERS.labels("fmp", "ProviderAway")._value.get()
    async with desk_at(hall, "fred", "fmp", "polygon") as desk:
        answer = await desk.ask(AAPL)
        assert answer.source.provider == "polygon"
        assert [(one.provider, one.error) for one in answer.source.tried] == [("fmp", "ProviderAway")]
        # What the second in the order has answered is kept: the first one is not asked again for it.
        assert (await desk.ask(AAPL)).source.provider == "polygon"
    assert hall.calls == {"fmp": 1, "polygon": 1}
    assert FAILOVERS.labels("fmp", "ProviderAway")._value.get() == before + 1


async def test_where_nobody_answers_the_error_says_why_of_each(hall, desk_at):
    hall.arm(ProviderFaultKind.ERROR, "fmp")
    hall.arm(ProviderFaultKind.KEY_REFUSED, "polygon")
    async with desk_at(hall, "fmp", "polygon") as desk:
        with pytest.raises(NobodyAnswers) as failed:
            await desk.ask(AAPL)
    assert [(one.provider, one.error) for one in failed.value.attempts] == [
        ("fmp", "ProviderAway"),
        ("polygon", "KeyRefused"),
    ]


async def test_a_question_that_nobody_takes(hall, desk_at):
    async with desk_at(hall, "fred") as desk:
        with pytest.raises(NotOffered, match="daily_bars"):
            await desk.ask(AAPL)


async def test_a_failure_is_tried_again_with_growing_pauses_and_counted(hall, desk_at, time):
    hall.arm(ProviderFaultKind.ERROR, "polygon")
    hall.arm(ProviderFaultKind.MALFORMED, "polygon")
    before = RETRIES.labels("polygon")._value.get()
    async with desk_at(hall, "polygon", attempts=3, back_off=0.5, **time.settings()) as desk:
        assert len((await desk.ask(AAPL)).bars) == 13
    assert hall.calls["polygon"] == 3
    assert RETRIES.labels("polygon")._value.get() == before + 2
    pauses = [each for each in time.slept if each > 0.001]
    assert all(pause <= bound for pause, bound in zip(pauses, (0.5, 1.0), strict=False))


async def test_a_refusal_is_not_tried_again(hall, desk_at):
    hall.arm(ProviderFaultKind.KEY_REFUSED, "polygon", times=3)
    async with desk_at(hall, "polygon", attempts=3) as desk:
        with pytest.raises(KeyRefused):
            await desk.ask(AAPL)
    assert hall.calls["polygon"] == 1


async def test_retry_after_is_kept_to(hall, desk_at, time):
    hall.arm(ProviderFaultKind.THROTTLED, "polygon", retry_after_s=12)
    async with desk_at(hall, "polygon", attempts=2, **time.settings()) as desk:
        started = time.now_s
        await desk.ask(AAPL)
        assert time.now_s - started >= 12
    assert hall.calls["polygon"] == 2


async def test_a_retry_after_beyond_patience_is_the_next_ones_turn(hall, desk_at, time):
    hall.arm(ProviderFaultKind.THROTTLED, "fmp", retry_after_s=3600)
    async with desk_at(hall, "fmp", "polygon", attempts=3, **time.settings()) as desk:
        assert (await desk.ask(AAPL)).source.provider == "polygon"
        assert hall.calls["fmp"] == 1
        time.pass_(3600)
        with pytest.raises(NotListed):
            await desk.ask(AAPL.model_copy(update={"symbol": "NOSUCH"}))
        assert hall.calls["fmp"] == 2


async def test_calls_are_paced_by_the_bucket(hall, desk_at, time):
    async with desk_at(hall, "polygon", cache=False, polygon={"calls_a_minute": 6}, **time.settings()) as desk:
        for _ in range(3):
            await desk.ask(AAPL)
    assert time.slept == pytest.approx([10, 10])


async def test_a_provider_that_fails_is_left_alone_then_tried_then_trusted(hall, desk_at, time):
    hall.arm(ProviderFaultKind.ERROR, "fmp", times=5)
    async with desk_at(hall, "fmp", "polygon", cache=False, **time.settings()) as desk:
        for _ in range(7):
            assert (await desk.ask(AAPL)).source.provider == "polygon"
        assert hall.calls["fmp"] == 5
        assert (await desk.health()).providers[0].circuit == "open"
        time.pass_(30)
        for successes in range(3):
            assert (await desk.health()).providers[0].circuit == "half_open", successes
            assert (await desk.ask(AAPL)).source.provider == "fmp"
        assert (await desk.health()).providers[0].circuit == "closed"


async def test_our_haste_and_our_questions_do_not_open_the_circuit(hall, desk_at, time):
    hall.arm(ProviderFaultKind.THROTTLED, "fmp", times=6, retry_after_s=0)
    async with desk_at(hall, "fmp", cache=False, **time.settings()) as desk:
        for _ in range(6):
            with pytest.raises(Exception, match="429"):
                await desk.ask(AAPL)
        for _ in range(6):
            with pytest.raises(NotListed):
                await desk.ask(LatestPriceAsked(symbol="NOSUCH"))
        assert (await desk.health()).providers[0].circuit == "closed"


async def test_the_days_calls_and_their_cost_are_counted_and_end(hall, desk_at, time):
    own = {"calls_a_day": 2, "usd_a_call": "0.25"}
    before = COST.labels("polygon")._value.get()
    async with desk_at(hall, "polygon", cache=False, polygon=own, **time.settings()) as desk:
        await desk.ask(AAPL)
        await desk.ask(AAPL)
        with pytest.raises(QuotaSpent):
            await desk.ask(AAPL)
        health = (await desk.health()).providers[0]
        assert (health.calls, health.calls_today, health.calls_a_day, health.cost) == (2, 2, 2, Decimal("0.50"))
        assert COST.labels("polygon")._value.get() == before + 0.5
        time.pass_(2 * 3600)  # it was 22:00 UTC
        await desk.ask(AAPL)
    assert hall.calls["polygon"] == 3


async def test_two_providers_that_say_the_same_make_a_quorum(hall, desk_at):
    async with desk_at(hall, "polygon", "fmp", "yahoo") as desk:
        answer = await desk.ask_several(AAPL, 2)
        # What Yahoo has recorded of Apple is of another year: nothing to compare, so it is in no group.
        assert answer.source.agreed == ("polygon", "fmp")
        assert [(one.provider, one.error) for one in answer.source.tried] == [("yahoo", "dissents")]


async def test_without_agreement_there_is_no_answer(hall, desk_at):
    *others, googl = hall.exchanges["alpha_vantage"]
    forged = googl.body.replace("519.4600", "527.2100")
    assert forged != googl.body
    hall.exchanges["alpha_vantage"] = (*others, replace(googl, body=forged))
    async with desk_at(hall, "tiingo", "alpha_vantage") as desk:
        with pytest.raises(Disagreement, match=r"2015-01-05: 519\.46 and 527\.2100"):
            await desk.ask_several(GOOGL, 2)
        with pytest.raises(NotOffered):
            await desk.ask_several(GOOGL, 3)


async def test_too_few_answers_are_no_quorum(hall, desk_at):
    hall.arm(ProviderFaultKind.ERROR, "fmp")
    async with desk_at(hall, "polygon", "fmp") as desk:
        with pytest.raises(ProviderAway):
            await desk.ask_several(AAPL, 2)


async def test_fred_answers_what_a_dashboard_begins_with(hall, desk_at):
    assert len(MAIN.indicators) == len({one.series for one in MAIN.indicators}) >= 25
    assert {"GDPC1", "CPIAUCSL", "UNRATE", "FEDFUNDS", "DGS10"} <= {one.series for one in MAIN.indicators}
    async with desk_at(hall, "fred") as desk:
        observed = await desk.ask(ObservationsAsked(series="DGS10", start=date(2022, 3, 21)))
        assert observed.observations[-1].value == Decimal("2.32")
        assert (await desk.ask(SeriesAsked(series="GNPCA"))).series[0].units == "Billions of Chained 2012 Dollars"


async def test_a_provider_is_not_asked_for_more_than_it_has_to_keep_it(hall, desk_at, time):
    """Alpha Vantage has a hundred days of an equity: what is fetched to be kept must not reach beyond them."""
    days = [time.clock.now().date() - timedelta(days=back) for back in range(150)]
    row = {"1. open": "1", "2. high": "1", "3. low": "1", "4. close": "1", "5. volume": "0"}
    traded = {str(day): row for day in [day for day in days if day.weekday() < 5][:100]}
    *others, googl = hall.exchanges["alpha_vantage"]
    hall.exchanges["alpha_vantage"] = (*others, replace(googl, body=json.dumps({"Time Series (Daily)": traded})))
    asked = DailyBarsAsked(symbol="GOOGL", start=days[30])
    async with desk_at(hall, "alpha_vantage", look_back=timedelta(days=400), **time.settings()) as desk:
        assert (await desk.ask(asked)).bars[0].day >= days[30]
        assert (await desk.ask(asked.model_copy(update={"start": days[120]}))).source.cached
        with pytest.raises(NotOffered, match="reaches back to"):
            await desk.ask(asked.model_copy(update={"start": days[149]}))


# -- Redis -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis_server():
    with servers_running("redis") as servers:
        yield servers


async def test_answers_and_counts_outlive_the_process_in_redis_and_memory_helps_without_it(
    hall, desk_at, redis_server: Servers
):
    url = redis_server.addresses.redis_url
    own = {"calls_a_day": 10}
    async with desk_at(hall, "polygon", redis_url=url, polygon=own) as desk:
        await desk.ask(AAPL)
    async with desk_at(hall, "polygon", redis_url=url, polygon=own) as another:
        assert (await another.ask(AAPL)).source.cached
        assert (await another.health()).providers[0].calls_today == 1
        assert hall.calls["polygon"] == 1
        await redis_server.kill("redis")
        fresh = AAPL.model_copy(update={"adjusted": None})
        for _ in range(3):
            assert len((await another.ask(fresh)).bars) == 13
        assert hall.calls["polygon"] == 2
    await redis_server.start("redis")
    cache = RedisCache(url)
    await cache.put("torn", "{", timedelta(minutes=1))
    assert await cache.get("torn") == "{"
    await cache.close()


async def test_an_entry_of_another_version_is_fetched_anew(hall, desk_at):
    async with desk_at(hall, "polygon") as desk:
        await desk._cache.put("providers:polygon:daily_bars:AAPL:splits", '{"answer": 1}', timedelta(hours=1))
        assert not (await desk.ask(AAPL)).source.cached


async def test_an_answer_in_an_unknown_form_is_the_providers_failure(hall, desk_at):
    (one,) = hall.exchanges["polygon"]
    hall.exchanges["polygon"] = (replace(one, body='{"results":[{"t":"soon"}],"adjusted":true}'),)
    async with desk_at(hall, "polygon") as desk:
        with pytest.raises(Malformed):
            await desk.ask(AAPL)

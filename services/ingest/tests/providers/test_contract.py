"""What every provider has to do, over a real socket to its recorded exchanges; written once, inherited by six.

The expected numbers stand in the recordings of the simulator, ``data/providers``.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.rpc.providers import (
    Adjusted,
    DailyBar,
    DailyBars,
    DailyBarsAsked,
    LatestPrice,
    LatestPriceAsked,
    Observations,
    ObservationsAsked,
    SeriesAsked,
    SeriesFound,
    SeriesSearched,
    Source,
)
from algotrendy_ingest.providers.adapters.alpha_vantage import AlphaVantage
from algotrendy_ingest.providers.adapters.fmp import Fmp
from algotrendy_ingest.providers.adapters.polygon import Polygon
from algotrendy_ingest.providers.adapters.registry import PROVIDERS
from algotrendy_ingest.providers.adapters.tiingo import Tiingo
from algotrendy_ingest.providers.adapters.yahoo import YahooFinance
from algotrendy_ingest.providers.errors import (
    KeyRefused,
    Malformed,
    NotListed,
    NotOffered,
    PlanRefused,
    ProviderAway,
    QuotaSpent,
    Throttled,
)
from algotrendy_ingest.providers.port import Answer, Question, Reply
from algotrendy_simulator.providers.faults import ProviderFaultKind

D = Decimal
SOURCE = Source(provider="x", fetched_at=datetime(2026, 1, 1, tzinfo=UTC))


def bar(day: str, *prices: str, volume: str | None) -> DailyBar:
    names = ("open", "high", "low", "close")
    return DailyBar(
        day=date.fromisoformat(day),
        volume=None if volume is None else D(volume),
        **dict(zip(names, map(D, prices), strict=True)),
    )


class ProviderContract:
    name: ClassVar[str]
    question: ClassVar[Question]
    """Recorded."""
    unlisted: ClassVar[Question]
    keyed: ClassVar[bool] = True

    def check(self, answer: Answer) -> None:
        """What the recording says, number by number."""
        raise NotImplementedError

    @pytest.fixture
    def ask(self, hall, desk_at) -> Callable[..., Awaitable[Answer]]:
        async def asked(question: Question | None = None, **more: Any) -> Answer:
            async with desk_at(hall, self.name, **more) as desk:
                return await asyncio.wait_for(desk.ask(question or self.question), 60)

        return asked

    async def test_it_reads_the_recording(self, hall, ask):
        answer = await ask()
        assert answer.source.provider == self.name
        assert not answer.source.cached
        self.check(answer)

    async def test_days_come_in_order_once_and_within_the_range(self, hall, ask):
        answer = await ask()
        days = [one.day for one in getattr(answer, "bars", getattr(answer, "observations", ()))]
        assert days == sorted(set(days))
        if isinstance(answer, DailyBars | Observations):
            assert days
            assert all(self.question.start <= day <= self.question.end for day in days)

    async def test_too_many_calls(self, hall, ask):
        hall.arm(ProviderFaultKind.THROTTLED, self.name, retry_after_s=7)
        with pytest.raises(Throttled) as refused:
            await ask()
        assert refused.value.retry_after_s == 7

    @pytest.mark.parametrize("kind", [ProviderFaultKind.ERROR, ProviderFaultKind.CUT])
    async def test_an_answer_that_does_not_come(self, hall, ask, kind):
        hall.arm(kind, self.name)
        with pytest.raises(ProviderAway):
            await ask()

    async def test_an_answer_that_comes_too_late(self, hall, ask):
        hall.arm(ProviderFaultKind.SLOW, self.name, delay_ms=600_000)
        with pytest.raises(ProviderAway, match="no answer in"):
            await ask(**{self.name: {"timeout": 0.05}})

    @pytest.mark.parametrize("kind", [ProviderFaultKind.MALFORMED, ProviderFaultKind.HTML])
    async def test_an_answer_that_is_none(self, hall, ask, kind):
        hall.arm(kind, self.name)
        with pytest.raises(Malformed):
            await ask()

    async def test_an_error_with_status_200_is_an_error(self, hall, ask):
        hall.arm(ProviderFaultKind.ERROR_IN_200, self.name)
        with pytest.raises((Retryable, Refused)) as failed:
            await ask()
        assert not isinstance(failed.value, NotListed)
        assert hall.calls[self.name] == 1

    async def test_a_key_that_is_refused(self, hall, ask):
        hall.arm(ProviderFaultKind.KEY_REFUSED, self.name)
        with pytest.raises(KeyRefused):
            await ask()

    async def test_without_a_key_nothing_is_sent(self, hall, ask):
        if not self.keyed:
            assert PROVIDERS[self.name]().key is None
            return
        with pytest.raises(KeyRefused, match="no key is set"):
            await ask(key=None)
        assert hall.calls[self.name] == 0

    async def test_what_it_does_not_list(self, hall, ask):
        with pytest.raises(NotListed):
            await ask(self.unlisted)

    async def test_the_key_is_in_no_request_and_in_no_log(self, hall, ask, key, caplog):
        caplog.set_level(logging.DEBUG)
        hall.arm(ProviderFaultKind.ERROR, self.name)
        with pytest.raises(ProviderAway) as failed:
            await ask()
        await ask()
        request = PROVIDERS[self.name]().request(self.question)
        assert key not in repr(request)
        assert key not in f"{failed.value!r}{failed.value}"
        assert "GET" in caplog.text  # the client's own log was on
        assert key not in caplog.text


class TestAlphaVantage(ProviderContract):
    name = "alpha_vantage"
    question = DailyBarsAsked(symbol="EUR/USD", start=date(2022, 3, 14), end=date(2022, 3, 18))
    unlisted = DailyBarsAsked(symbol="NOSUCH", start=date(2022, 3, 14))

    def check(self, answer):
        assert isinstance(answer, DailyBars)
        assert (answer.adjusted, answer.currency, len(answer.bars)) == (Adjusted.NONE, "USD", 5)
        assert answer.bars[-1] == bar("2022-03-18", "1.10906", "1.11186", "1.10010", "1.10500", volume=None)

    async def test_an_equity_as_it_was_traded(self, ask):
        answer = await ask(DailyBarsAsked(symbol="GOOGL", start=date(2015, 1, 5)))
        assert answer.bars == (bar("2015-01-05", "527.15", "527.9899", "517.75", "519.46", volume="2059119"),)

    async def test_the_latest_price_of_an_equity_and_of_a_pair(self, ask):
        equity = await ask(LatestPriceAsked(symbol="MSFT"))
        assert (equity.price, equity.day, equity.time) == (D("112.1300"), date(2018, 10, 5), None)
        pair = await ask(LatestPriceAsked(symbol="EUR/USD"))
        assert (pair.price, pair.time) == (D("1.10302230"), datetime(2022, 3, 21, 11, 29, 42, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ('{"Note": "Our standard API call frequency is 5 calls per minute and 500 calls per day."}', Throttled),
            ('{"Information": "our standard API rate limit is 25 requests per day."}', QuotaSpent),
            ('{"Information": "Thank you! This is a premium endpoint"}', PlanRefused),
            ('{"Information": "The **demo** API key is for demo purposes only."}', KeyRefused),
            ('{"Global Quote": {}}', NotListed),
            ("[]", Malformed),
        ],
    )
    def test_all_its_errors_come_with_status_200(self, body, error):
        with pytest.raises(error):
            AlphaVantage().read(LatestPriceAsked(symbol="IBM"), Reply(200, body), SOURCE)

    def test_a_hundred_days_are_all_it_has_of_an_equity(self):
        row = {"1. open": "1", "2. high": "1", "3. low": "1", "4. close": "1", "5. volume": "0"}
        days = [f"2022-{month:02}-{day:02}" for month in range(1, 6) for day in range(1, 21)]
        body = str({"Time Series (Daily)": dict.fromkeys(days, row)}).replace("'", '"')
        with pytest.raises(NotOffered, match="2022-01-01"):
            AlphaVantage().read(DailyBarsAsked(symbol="IBM", start=date(2021, 1, 1)), Reply(200, body), SOURCE)


class TestYahoo(ProviderContract):
    name = "yahoo"
    keyed = False
    question = DailyBarsAsked(symbol="PM", start=date(2020, 11, 30), end=date(2020, 12, 31))
    unlisted = DailyBarsAsked(symbol="NOSUCH", start=date(2022, 3, 14))

    def check(self, answer):
        assert isinstance(answer, DailyBars)
        assert (answer.adjusted, answer.currency) == (Adjusted.SPLITS, "USD")
        # As they were before they became 32-bit floats: the recording says 77.02999877929688.
        assert answer.bars == (
            bar("2020-11-30", "75.70", "76.09", "75.42", "75.75", volume="5539163"),
            bar("2020-12-01", "76.02", "77.13", "75.69", "77.03", volume="6791698"),
        )

    async def test_a_day_that_is_not_over_is_no_bar(self, ask):
        answer = await ask(DailyBarsAsked(symbol="AAPL", start=date(2022, 1, 1)))
        assert answer.bars[-1].day == date(2022, 1, 21)  # recorded on the 24th, just after the opening
        assert answer.bars[-1].close == D("162.41")

    async def test_an_index_and_the_price_now(self, ask):
        answer = await ask(DailyBarsAsked(symbol="^GSPC", start=date(2021, 12, 31), end=date(2022, 2, 1)))
        assert len(answer.bars) == 22
        assert answer.bars[0].close == D("4766.18")
        price = await ask(LatestPriceAsked(symbol="AAPL"))
        assert (price.price, price.time) == (D("160.86"), datetime(2022, 1, 24, 14, 32, 11, tzinfo=UTC))

    def test_classes_of_shares_and_pairs_are_spelt_its_way(self):
        def path(symbol: str) -> str:
            return YahooFinance().request(LatestPriceAsked(symbol=symbol)).path.rpartition("/")[2]

        assert [path(symbol) for symbol in ("BRK.B", "TOT.TO", "EUR/USD", "^GSPC")] == [
            "BRK-B",
            "TOT.TO",
            "EURUSD%3DX",
            "%5EGSPC",
        ]


class TestPolygon(ProviderContract):
    name = "polygon"
    question = DailyBarsAsked(symbol="AAPL", start=date(2020, 6, 1), end=date(2020, 6, 17))
    unlisted = DailyBarsAsked(symbol="NOSUCH", start=date(2022, 3, 14))

    def check(self, answer):
        assert isinstance(answer, DailyBars)
        assert (answer.adjusted, len(answer.bars)) == (Adjusted.SPLITS, 13)
        assert answer.bars[0] == bar("2020-06-01", "79.4375", "80.5875", "79.3025", "80.4625", volume="81000752")
        assert answer.bars[-1].day == date(2020, 6, 17)

    def test_it_gives_prices_as_traded_where_they_are_wanted(self):
        asked = DailyBarsAsked(symbol="EUR/USD", start=date(2024, 1, 2), adjusted=Adjusted.NONE)
        request = Polygon().request(asked)
        assert request.params["adjusted"] == "false"
        assert "/C:EURUSD/" in request.path

    def test_a_plan_that_does_not_reach_so_far_back(self):
        body = '{"status":"NOT_AUTHORIZED","message":"Your plan does not include this data timeframe."}'
        with pytest.raises(PlanRefused):
            Polygon().read(self.question, Reply(403, body), SOURCE)


class TestFmp(ProviderContract):
    name = "fmp"
    question = DailyBarsAsked(symbol="AAPL", start=date(2020, 6, 1), end=date(2020, 6, 17))
    unlisted = LatestPriceAsked(symbol="NOSUCH")

    def check(self, answer):
        assert isinstance(answer, DailyBars)
        assert len(answer.bars) == 13
        assert answer.bars[0] == bar("2020-06-01", "79.4375", "80.5875", "79.3025", "80.4625", volume="81000752")

    async def test_the_recorded_quote_and_the_recorded_429(self, ask):
        answer = await ask(LatestPriceAsked(symbol="PM"))
        assert isinstance(answer, LatestPrice)
        assert (answer.price, answer.day) == (D("99.80000000"), date(2022, 3, 6))
        with pytest.raises(Throttled) as refused:
            await ask(LatestPriceAsked(symbol="TOO.FAST"))
        assert refused.value.retry_after_s == 100

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            (
                403,
                '{"Error Message": "Legacy Endpoint : no longer supported"}',
                PlanRefused,
            ),
            (402, "Premium Query Parameter: this value set for symbol is not available", PlanRefused),
            (429, '{"Error Message": "Limit Reach . Please upgrade your plan"}', QuotaSpent),
            (200, '{"Error Message": "Invalid API KEY. Feel free to create a Free API Key"}', KeyRefused),
        ],
    )
    def test_its_errors(self, status, body, error):
        with pytest.raises(error):
            Fmp().read(LatestPriceAsked(symbol="PM"), Reply(status, body), SOURCE)


class TestFred(ProviderContract):
    name = "fred"
    question = ObservationsAsked(series="DGS10", start=date(2021, 7, 19), end=date(2021, 9, 7))
    unlisted = ObservationsAsked(series="NOSUCH", start=date(2021, 7, 19))

    def check(self, answer):
        assert isinstance(answer, Observations)
        first = answer.observations[0]
        assert (first.day, first.value, first.known_since) == (date(2021, 7, 19), D("1.19"), date(2022, 3, 23))
        by_day = {one.day: one.value for one in answer.observations}
        assert by_day[date(2021, 9, 6)] is None  # a holiday, written as a point

    async def test_a_series_and_a_search(self, ask):
        for question in (SeriesAsked(series="GNPCA"), SeriesSearched(text="gross national product")):
            answer = await ask(question)
            assert isinstance(answer, SeriesFound)
            assert answer.series[0].series == "GNPCA"
            assert (answer.series[0].frequency, answer.series[0].first_day) == ("Annual", date(1929, 1, 1))


class TestTiingo(ProviderContract):
    name = "tiingo"
    question = DailyBarsAsked(symbol="GOOGL", start=date(2015, 1, 2), end=date(2015, 1, 5))
    unlisted = DailyBarsAsked(symbol="NOSUCH", start=date(2022, 3, 14))

    def check(self, answer):
        assert isinstance(answer, DailyBars)
        assert answer.adjusted is Adjusted.NONE
        assert answer.bars == (
            bar("2015-01-02", "532.6", "535.8", "527.88", "529.55", volume="1327870"),
            bar("2015-01-05", "527.15", "527.9899", "517.75", "519.46", volume="2059119"),
        )

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            (200, '{"detail":"Error: You have run over your 500 symbol look up for this month."}', QuotaSpent),
            (403, '{"detail":"You do not have permission to access the News API"}', PlanRefused),
        ],
    )
    def test_its_errors(self, status, body, error):
        with pytest.raises(error):
            Tiingo().read(self.question, Reply(status, body), SOURCE)


def test_every_provider_stands_under_the_contract():
    assert {contract.name for contract in ProviderContract.__subclasses__()} == set(PROVIDERS)


@pytest.mark.parametrize(
    "row",
    [
        '{"date":"2020-01-02","open":0,"high":1,"low":1,"close":1}',
        '{"date":"2020-01-02","open":3,"high":2,"low":1,"close":1}',
        '{"date":"2020-01-02","open":"x","high":2,"low":1,"close":1}',
        '{"open":1}',
        '{"date":"yesterday","open":1,"high":2,"low":1,"close":1}',
        '{"date":"2020-01-02","open":true,"high":2,"low":1,"close":1}',
        '{"date":"2020-01-02","open":NaN,"high":2,"low":1,"close":1}',
        "3",
    ],
)
def test_bars_that_make_no_sense_are_refused(row):
    with pytest.raises(Malformed):
        Tiingo().read(TestTiingo.question, Reply(200, f"[{row}]"), SOURCE)

"""Alpha Vantage: equities as they were traded, currency pairs, latest prices.

Every error it has, the spent quota included, comes with status 200 (https://www.alphavantage.co/support/). Of equities
a free key gets the newest hundred days; a question that goes further back is another provider's.
"""

from datetime import date, timedelta
from typing import Any

from algotrendy_common.clock import Instant
from algotrendy_common.rpc.providers import (
    Adjusted,
    DailyBar,
    DailyBars,
    DailyBarsAsked,
    LatestPrice,
    LatestPriceAsked,
    Source,
)
from pydantic import TypeAdapter

from algotrendy_ingest.providers import numbers
from algotrendy_ingest.providers.errors import (
    KeyRefused,
    Malformed,
    NotListed,
    NotOffered,
    PlanRefused,
    QuotaSpent,
    Throttled,
)
from algotrendy_ingest.providers.port import Answer, Get, Limits, QueryKey, Question, Reply, check_status

_COMPACT = 100
_REACH = timedelta(days=135)
"""A hundred trading days are at least two days more."""
_INSTANT: TypeAdapter[Any] = TypeAdapter(Instant)


class AlphaVantage:
    name = "alpha_vantage"
    base_url = "https://www.alphavantage.co"
    key = QueryKey("apikey")
    limits = Limits(calls_a_minute=5, calls_a_day=25)

    def takes(self, question: Question) -> bool:
        if isinstance(question, DailyBarsAsked):
            return not question.symbol.startswith("^") and question.adjusted in (None, Adjusted.NONE)
        return isinstance(question, LatestPriceAsked) and not question.symbol.startswith("^")

    def reach(self, question: Question) -> timedelta | None:
        return _REACH if isinstance(question, DailyBarsAsked) and "/" not in question.symbol else None

    def request(self, question: Question) -> Get:
        assert isinstance(question, DailyBarsAsked | LatestPriceAsked)
        base, _, quote = question.symbol.partition("/")
        if isinstance(question, LatestPriceAsked):
            if quote:
                return _query("CURRENCY_EXCHANGE_RATE", from_currency=base, to_currency=quote)
            return _query("GLOBAL_QUOTE", symbol=base)
        if quote:
            return _query("FX_DAILY", from_symbol=base, to_symbol=quote, outputsize="full")
        return _query("TIME_SERIES_DAILY", symbol=base, outputsize="compact")

    def read(self, question: Question, reply: Reply, source: Source) -> Answer:
        check_status(reply)
        body = reply.json()
        _check(body)
        if isinstance(question, LatestPriceAsked):
            return _latest(question, body, source)
        assert isinstance(question, DailyBarsAsked)
        series = next((value for name, value in body.items() if name.startswith("Time Series")), None)
        if not isinstance(series, dict):
            raise Malformed("the time series is missing")
        bars = [_bar(numbers.day(each), row) for each, row in series.items()]
        first = min((one.day for one in bars), default=None)
        pair = "/" in question.symbol
        if first is not None and not pair and len(bars) >= _COMPACT and first > question.start:
            raise NotOffered(f"reaches back to {first} only", symbol=question.symbol)
        return DailyBars(
            symbol=question.symbol,
            adjusted=Adjusted.NONE,
            currency=question.symbol[4:] if pair else None,
            bars=numbers.within(bars, question.start, question.end, question.symbol),
            source=source,
        )


def _query(function: str, **params: str) -> Get:
    return Get("/query", {"function": function, **params})


def _check(body: Any) -> None:
    if not isinstance(body, dict):
        raise Malformed("no object")
    if (told := body.get("Error Message")) is not None:
        if "apikey" in told:
            raise KeyRefused(str(told)[:160])
        raise NotListed(str(told)[:160])
    told = body.get("Information") or body.get("Note")
    if told is None:
        return
    told = str(told)
    if "premium endpoint" in told or "premium feature" in told:
        raise PlanRefused(told[:160])
    if "demo" in told:
        raise KeyRefused(told[:160])
    if "per day" in told and "per minute" not in told and "per second" not in told:
        raise QuotaSpent(told[:160])
    raise Throttled(told[:160])


def _bar(day: date, row: Any) -> DailyBar:
    values = [numbers.member(row, name) for name in ("1. open", "2. high", "3. low", "4. close")]
    return numbers.bar(day, values, row.get("5. volume"))


def _latest(question: LatestPriceAsked, body: Any, source: Source) -> LatestPrice:
    if "/" in question.symbol:
        rate = numbers.member(body, "Realtime Currency Exchange Rate")
        written = numbers.member(rate, "6. Last Refreshed")
        # "7. Time Zone" has said UTC in every answer seen.
        time = _INSTANT.validate_python(f"{written}+00:00")
        price = numbers.number(numbers.member(rate, "5. Exchange Rate"))
        return LatestPrice(symbol=question.symbol, price=price, day=time.date(), time=time, source=source)
    quote = numbers.member(body, "Global Quote")
    if not quote:
        raise NotListed("an empty quote", symbol=question.symbol)
    price = numbers.number(numbers.member(quote, "05. price"))
    day = numbers.day(numbers.member(quote, "07. latest trading day"))
    return LatestPrice(symbol=question.symbol, price=price, day=day, source=source)

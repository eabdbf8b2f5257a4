"""Financial Modeling Prep, its ``stable`` API: equities and currency pairs adjusted for splits, latest prices.

The versions before it are closed to accounts made after August 2025 and answer 403 "Legacy Endpoint".
"""

from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_common.rpc.providers import Adjusted, DailyBars, DailyBarsAsked, LatestPrice, LatestPriceAsked, Source

from algotrendy_ingest.providers import numbers
from algotrendy_ingest.providers.errors import KeyRefused, Malformed, NotListed, PlanRefused, QuotaSpent, Throttled
from algotrendy_ingest.providers.port import Answer, Get, HeaderKey, Limits, Question, Reply, check_status
from algotrendy_ingest.providers.symbols import dashed

_PLAN = ("Legacy Endpoint", "Exclusive Endpoint", "Special Endpoint", "Premium", "subscription")


class Fmp:
    name = "fmp"
    base_url = "https://financialmodelingprep.com/stable"
    key = HeaderKey("apikey")
    limits = Limits(calls_a_minute=300, calls_a_day=250)

    def takes(self, question: Question) -> bool:
        if isinstance(question, DailyBarsAsked):
            return question.adjusted in (None, Adjusted.SPLITS)
        return isinstance(question, LatestPriceAsked)

    def reach(self, question: Question) -> None:
        return None

    def request(self, question: Question) -> Get:
        assert isinstance(question, DailyBarsAsked | LatestPriceAsked)
        symbol = question.symbol.replace("/", "") if "/" in question.symbol else dashed(question.symbol)
        if isinstance(question, LatestPriceAsked):
            return Get("/quote", {"symbol": symbol})
        params = {"symbol": symbol, "from": question.start.isoformat()}
        if question.end is not None:
            params["to"] = question.end.isoformat()
        return Get("/historical-price-eod/full", params)

    def read(self, question: Question, reply: Reply, source: Source) -> Answer:
        _check(reply)
        rows = numbers.rows(reply.json(), "the answer")
        if not rows:
            raise NotListed("an empty list")
        if isinstance(question, LatestPriceAsked):
            time = from_ms(int(numbers.member(rows[0], "timestamp")) * 1000)
            price = numbers.number(numbers.member(rows[0], "price"))
            return LatestPrice(symbol=question.symbol, price=price, day=time.date(), time=time, source=source)
        assert isinstance(question, DailyBarsAsked)
        bars = [
            numbers.bar(
                numbers.day(numbers.member(row, "date")),
                (numbers.member(row, name) for name in ("open", "high", "low", "close")),
                row.get("volume"),
            )
            for row in rows
        ]
        return DailyBars(
            symbol=question.symbol,
            adjusted=Adjusted.SPLITS,
            currency=question.symbol[4:] if "/" in question.symbol else None,
            bars=numbers.within(bars, question.start, question.end, question.symbol),
            source=source,
        )


def _check(reply: Reply) -> None:
    told = _told(reply)
    if told is not None:
        if any(word in told for word in _PLAN) and "limit" not in told.lower():
            raise PlanRefused(told[:160])
        if "Limit Reach" in told:
            raise QuotaSpent(told[:160])
        if "Too Many" in told:
            raise Throttled(told[:160], retry_after_s=reply.retry_after_s)
        if "API KEY" in told.upper():
            raise KeyRefused(told[:160])
        check_status(reply)
        raise Malformed(told[:160])
    check_status(reply)


def _told(reply: Reply) -> str | None:
    """The error that a body is, whatever the status; 402 comes as bare text."""
    if not reply.body.lstrip().startswith("{"):
        return None
    body: Any = reply.json()
    return str(body["Error Message"]) if "Error Message" in body else None

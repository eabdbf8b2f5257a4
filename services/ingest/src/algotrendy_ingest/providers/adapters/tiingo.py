"""Tiingo: daily bars of equities as they were traded. It has adjusted columns too, but those take dividends out."""

from typing import Any
from urllib.parse import quote

from algotrendy_common.rpc.providers import Adjusted, DailyBars, DailyBarsAsked, Source

from algotrendy_ingest.providers import numbers
from algotrendy_ingest.providers.errors import KeyRefused, Malformed, NotListed, PlanRefused, QuotaSpent
from algotrendy_ingest.providers.port import Answer, Get, HeaderKey, Limits, Question, Reply, check_status
from algotrendy_ingest.providers.symbols import dashed


class Tiingo:
    name = "tiingo"
    base_url = "https://api.tiingo.com"
    key = HeaderKey("Authorization", "Token ")
    limits = Limits(calls_a_minute=50 / 60, calls_a_day=1000)

    def takes(self, question: Question) -> bool:
        return (
            isinstance(question, DailyBarsAsked)
            and question.symbol.replace(".", "").replace("-", "").isalnum()
            and question.adjusted in (None, Adjusted.NONE)
        )

    def reach(self, question: Question) -> None:
        return None

    def request(self, question: Question) -> Get:
        assert isinstance(question, DailyBarsAsked)
        params = {"format": "json", "resampleFreq": "daily", "startDate": question.start.isoformat()}
        if question.end is not None:
            params["endDate"] = question.end.isoformat()
        return Get(f"/tiingo/daily/{quote(dashed(question.symbol), safe='')}/prices", params)

    def read(self, question: Question, reply: Reply, source: Source) -> Answer:
        assert isinstance(question, DailyBarsAsked)
        _check(reply)
        bars = [
            numbers.bar(
                numbers.day(numbers.member(row, "date")),
                (numbers.member(row, name) for name in ("open", "high", "low", "close")),
                row.get("volume"),
            )
            for row in numbers.rows(reply.json(), "the answer")
        ]
        return DailyBars(
            symbol=question.symbol,
            adjusted=Adjusted.NONE,
            currency="USD",
            bars=numbers.within(bars, question.start, question.end, question.symbol),
            source=source,
        )


def _check(reply: Reply) -> None:
    body: Any = reply.json() if reply.body.lstrip().startswith("{") else None
    if body is not None and "detail" in body:
        told = str(body["detail"])[:160]
        if "run over" in told or "allocation" in told:
            raise QuotaSpent(told)
        if "permission" in told:
            raise PlanRefused(told)
        if "token" in told.lower():
            raise KeyRefused(told)
        if "not found" in told.lower():
            raise NotListed(told)
        check_status(reply)
        raise Malformed(told)
    check_status(reply)

"""Polygon, now called Massive: daily aggregates of equities and currency pairs, adjusted for splits or as traded.

Keys and paths are those of ``api.polygon.io``, which goes on answering.
"""

from datetime import date, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from algotrendy_common.rpc.providers import Adjusted, DailyBar, DailyBars, DailyBarsAsked, Source

from algotrendy_ingest.providers import numbers
from algotrendy_ingest.providers.errors import KeyRefused, Malformed, NotListed, PlanRefused
from algotrendy_ingest.providers.port import Answer, Get, HeaderKey, Limits, Question, Reply, check_status

_NEW_YORK, _UTC = ZoneInfo("America/New_York"), ZoneInfo("UTC")


class Polygon:
    name = "polygon"
    base_url = "https://api.massive.com"
    key = HeaderKey("Authorization", "Bearer ")
    limits = Limits(calls_a_minute=5)

    def takes(self, question: Question) -> bool:
        return isinstance(question, DailyBarsAsked) and not question.symbol.startswith("^")

    def reach(self, question: Question) -> None:
        return None

    def request(self, question: Question) -> Get:
        assert isinstance(question, DailyBarsAsked)
        pair = "/" in question.symbol
        ticker = "C:" + question.symbol.replace("/", "") if pair else question.symbol
        end = question.end or date(2099, 12, 31)
        return Get(
            f"/v2/aggs/ticker/{quote(ticker, safe=':')}/range/1/day/{question.start}/{end}",
            {
                "adjusted": "false" if question.adjusted is Adjusted.NONE else "true",
                "sort": "asc",
                "limit": "50000",
            },
        )

    def read(self, question: Question, reply: Reply, source: Source) -> Answer:
        assert isinstance(question, DailyBarsAsked)
        if reply.status != 403:
            check_status(reply)
        body = reply.json()
        if not isinstance(body, dict):
            raise Malformed("no object")
        if body.get("status") in ("ERROR", "NOT_AUTHORIZED") or reply.status == 403:
            told = str(body.get("message") or body.get("error") or body.get("status"))[:160]
            if body.get("status") == "NOT_AUTHORIZED":
                raise PlanRefused(told)
            if "key" in told.lower() or reply.status == 403:
                raise KeyRefused(told)
            raise Malformed(told)
        if not body.get("results"):
            raise NotListed(f"nothing is known of {question.symbol}")
        zone = _UTC if "/" in question.symbol else _NEW_YORK
        # Without the flag in the answer nobody could say what the prices are.
        adjusted = Adjusted.SPLITS if numbers.member(body, "adjusted") else Adjusted.NONE
        bars = [_bar(row, zone) for row in numbers.rows(body["results"], "results")]
        return DailyBars(
            symbol=question.symbol,
            adjusted=adjusted,
            currency=question.symbol[4:] if "/" in question.symbol else "USD",
            bars=numbers.within(bars, question.start, question.end, question.symbol),
            source=source,
        )


def _bar(row: Any, zone: ZoneInfo) -> DailyBar:
    opened = numbers.number(numbers.member(row, "t"))
    day = datetime.fromtimestamp(int(opened) / 1000, zone).date()
    return numbers.bar(day, (numbers.member(row, name) for name in "ohlc"), row.get("v"))

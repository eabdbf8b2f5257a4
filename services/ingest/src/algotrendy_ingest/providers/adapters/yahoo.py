"""Yahoo Finance's chart, which is not a published API: equities, indices and currency pairs, adjusted for splits.

Prices were 32-bit floats before they were written; they are read as what they were. The day of a session that is not
over yet is left out: it is no daily bar. Yahoo answers clients that do not look like a browser with 429.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from algotrendy_common.clock import from_ms
from algotrendy_common.rpc.providers import (
    Adjusted,
    DailyBar,
    DailyBars,
    DailyBarsAsked,
    LatestPrice,
    LatestPriceAsked,
    Source,
)

from algotrendy_ingest.providers import numbers
from algotrendy_ingest.providers.errors import Malformed, NotListed
from algotrendy_ingest.providers.port import Answer, Get, Limits, Question, Reply, check_status
from algotrendy_ingest.providers.symbols import dashed

_BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
_PRICES = ("open", "high", "low", "close")


class YahooFinance:
    name = "yahoo"
    base_url = "https://query2.finance.yahoo.com"
    key = None
    limits = Limits(calls_a_minute=30)

    def takes(self, question: Question) -> bool:
        if isinstance(question, DailyBarsAsked):
            return question.adjusted in (None, Adjusted.SPLITS)
        return isinstance(question, LatestPriceAsked)

    def reach(self, question: Question) -> None:
        return None

    def request(self, question: Question) -> Get:
        assert isinstance(question, DailyBarsAsked | LatestPriceAsked)
        params = {"interval": "1d", "events": "div,splits", "includePrePost": "false"}
        if isinstance(question, DailyBarsAsked):
            # A day more at each end: the exchange's day begins at another hour than ours.
            params["period1"] = _seconds(question.start - timedelta(days=1))
            params["period2"] = _seconds((question.end or date(2099, 12, 30)) + timedelta(days=2))
        else:
            params["range"] = "1d"
        return Get(f"/v8/finance/chart/{quote(_symbol(question.symbol), safe='')}", params, _BROWSER)

    def read(self, question: Question, reply: Reply, source: Source) -> Answer:
        if reply.status not in (400, 404, 422):
            check_status(reply)
        chart = numbers.member(reply.json(), "chart")
        if (error := chart.get("error")) is not None:
            raise NotListed(str(error.get("description", error))[:160])
        check_status(reply)
        results = numbers.member(chart, "result")
        if not results:
            raise Malformed("neither a result nor an error")
        meta = numbers.member(results[0], "meta")
        if isinstance(question, LatestPriceAsked):
            time = from_ms(int(numbers.member(meta, "regularMarketTime")) * 1000)
            price = numbers.single(numbers.member(meta, "regularMarketPrice"))
            day = time.astimezone(_zone(meta)).date()
            return LatestPrice(symbol=question.symbol, price=price, day=day, time=time, source=source)
        assert isinstance(question, DailyBarsAsked)
        return DailyBars(
            symbol=question.symbol,
            adjusted=Adjusted.SPLITS,
            currency=meta.get("currency"),
            bars=numbers.within(_bars(results[0], meta), question.start, question.end, question.symbol),
            source=source,
        )


def _bars(result: Any, meta: Any) -> list[DailyBar]:
    zone = _zone(meta)
    quotes = numbers.member(result, "indicators", "quote")
    if not quotes:
        raise Malformed("the prices are missing")
    found = []
    for index, time in enumerate(result.get("timestamp", ())):
        if _grows(time, meta):
            continue
        try:
            prices = [quotes[0][name][index] for name in _PRICES]
            volume = quotes[0].get("volume", [None] * (index + 1))[index]
        except (KeyError, IndexError, TypeError) as error:
            raise Malformed("times and prices differ in number") from error
        if None in prices:  # a day that was announced and not traded
            continue
        day = datetime.fromtimestamp(time, UTC).astimezone(zone).date()
        found.append(_bar(day, [numbers.single(price) for price in prices], volume))
    return found


def _bar(day: date, prices: list[Decimal], volume: Any) -> DailyBar:
    open_, high, low, close = prices
    # The close is that of the auction, high and low those of the session before it: seen to differ by a cent.
    return numbers.bar(day, (open_, max(high, open_, close), min(low, open_, close), close), volume or None)


def _grows(time: int, meta: Any) -> bool:
    ends = meta.get("currentTradingPeriod", {}).get("regular", {}).get("end")
    market_time = meta.get("regularMarketTime")
    return ends is not None and market_time is not None and time == market_time < ends


def _zone(meta: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(numbers.member(meta, "exchangeTimezoneName")))
    except ZoneInfoNotFoundError as error:
        raise Malformed("a time zone that is not known") from error


def _seconds(day: date) -> str:
    return str(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()))


def _symbol(symbol: str) -> str:
    return symbol.replace("/", "") + "=X" if "/" in symbol else dashed(symbol)

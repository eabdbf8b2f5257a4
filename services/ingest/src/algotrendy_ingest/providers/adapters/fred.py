"""FRED, the database of the Federal Reserve Bank of St. Louis: macro series with the vintage of every value.

A missing value is written as a point. What a series says today of last year is revised: ``known_since`` is kept.
"""

from typing import Any

from algotrendy_common.rpc.providers import (
    Observation,
    Observations,
    ObservationsAsked,
    Series,
    SeriesAsked,
    SeriesFound,
    SeriesSearched,
    Source,
)
from pydantic import ValidationError

from algotrendy_ingest.providers import numbers
from algotrendy_ingest.providers.errors import KeyRefused, Malformed, NotListed, NotOffered
from algotrendy_ingest.providers.port import Answer, Get, Limits, QueryKey, Question, Reply, check_status

_MOST = 100_000


class Fred:
    name = "fred"
    base_url = "https://api.stlouisfed.org/fred"
    key = QueryKey("api_key")
    limits = Limits(calls_a_minute=120)

    def takes(self, question: Question) -> bool:
        return isinstance(question, ObservationsAsked | SeriesAsked | SeriesSearched)

    def reach(self, question: Question) -> None:
        return None

    def request(self, question: Question) -> Get:
        assert isinstance(question, ObservationsAsked | SeriesAsked | SeriesSearched)
        params = {"file_type": "json"}
        if isinstance(question, SeriesAsked):
            return Get("/series", params | {"series_id": question.series})
        if isinstance(question, SeriesSearched):
            limit = str(question.limit)
            return Get("/series/search", params | {"search_text": question.text, "limit": limit})
        params |= {
            "series_id": question.series,
            "observation_start": question.start.isoformat(),
            "limit": str(_MOST),
        }
        if question.end is not None:
            params["observation_end"] = question.end.isoformat()
        return Get("/series/observations", params)

    def read(self, question: Question, reply: Reply, source: Source) -> Answer:
        _check(reply)
        body = reply.json()
        if isinstance(question, SeriesAsked | SeriesSearched):
            found = numbers.rows(numbers.member(body, "seriess"), "seriess")
            return SeriesFound(series=tuple(map(_series, found)), source=source)
        assert isinstance(question, ObservationsAsked)
        rows = numbers.rows(numbers.member(body, "observations"), "observations")
        if int(body.get("count", len(rows))) > len(rows):
            raise NotOffered(f"more than {_MOST} observations: ask for a shorter range", series=question.series)
        read = [_observation(row) for row in rows]
        return Observations(
            series=question.series,
            observations=tuple(
                one for one in read if one.day >= question.start and (question.end is None or one.day <= question.end)
            ),
            source=source,
        )


def _check(reply: Reply) -> None:
    if reply.status == 400:
        told = str(reply.json().get("error_message", ""))[:160]
        if "api_key" in told:
            raise KeyRefused(told)
        if "does not exist" in told:
            raise NotListed(told)
        raise Malformed(f"400: {told}")
    check_status(reply)


def _observation(row: Any) -> Observation:
    written = numbers.member(row, "value")
    since = row.get("realtime_start")
    return Observation(
        day=numbers.day(numbers.member(row, "date")),
        value=None if written == "." else numbers.number(written),
        known_since=None if since is None else numbers.day(since),
    )


def _series(row: Any) -> Series:
    try:
        return Series(
            series=numbers.member(row, "id"),
            title=numbers.member(row, "title"),
            frequency=numbers.member(row, "frequency"),
            units=numbers.member(row, "units"),
            seasonal_adjustment=row.get("seasonal_adjustment", ""),
            first_day=numbers.day(row["observation_start"]) if "observation_start" in row else None,
            last_day=numbers.day(row["observation_end"]) if "observation_end" in row else None,
        )
    except ValidationError as error:
        raise Malformed(f"a series makes no sense: {error.errors()[0]['msg']}") from error

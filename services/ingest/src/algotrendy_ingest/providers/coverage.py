"""What an answer in the cache covers, and what is fetched so that the next question finds it there. Pure.

Invariant: a kept answer serves a question only where it was fetched for all of its range. How fresh its end is, is the
affair of how long it is kept.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from algotrendy_common.events.event import Record
from algotrendy_common.rpc.providers import (
    DailyBars,
    DailyBarsAsked,
    LatestPrice,
    LatestPriceAsked,
    Observations,
    ObservationsAsked,
    SeriesAsked,
    SeriesFound,
    SeriesSearched,
)

from algotrendy_ingest.providers.errors import NotListed
from algotrendy_ingest.providers.port import KINDS, Answer, Question

_NEW_YORK = ZoneInfo("America/New_York")
_CLOSED = time(16, 15)
_ROUND_THE_CLOCK = re.compile(r"/|-(USD|EUR|GBP|USDT|BTC)$")


class Kept(Record):
    """An answer in the cache, with the range it was fetched for where it has one."""

    answer: DailyBars | LatestPrice | Observations | SeriesFound | None
    """None: the provider knows no such thing. Asking again would cost a call each time."""
    start: date | None = None
    end: date | None = None


def key(provider: str, question: Question) -> str:
    """Under which the answer of a provider is kept; a range is not part of it."""
    match question:
        case DailyBarsAsked():
            what = f"{question.symbol}:{question.adjusted or 'any'}"
        case LatestPriceAsked():
            what = question.symbol
        case ObservationsAsked() | SeriesAsked():
            what = question.series
        case SeriesSearched():
            what = f"{question.limit}:{question.text.casefold()}"
    return f"providers:{provider}:{KINDS[type(question)]}:{what}"


def widened(question: Question, now: datetime, look_back: timedelta, kept: Kept | None = None) -> Question:
    """The question that is put to the provider: one call brings what others will ask for, too.

    A range reaches from at least ``look_back`` ago to today, and over what is kept already.
    """
    if not isinstance(question, DailyBarsAsked | ObservationsAsked):
        return question
    today = now.date()
    starts = [question.start, today - look_back]
    if kept is not None and kept.start is not None:
        starts.append(kept.start)
    return question.model_copy(update={"start": min(starts), "end": max(question.end or today, today)})


def served(question: Question, kept: Kept) -> Answer | None:
    """The part of a kept answer that was asked for, marked as such; None where it does not cover the question.

    Raises NotListed where that is what was kept.
    """
    answer = kept.answer
    if answer is None:
        raise NotListed("the provider said so before")
    source = answer.source.model_copy(update={"cached": True, "tried": (), "agreed": ()})
    if not isinstance(question, DailyBarsAsked | ObservationsAsked):
        return answer.model_copy(update={"source": source})
    if kept.start is None or kept.end is None or question.start < kept.start:
        return None
    if question.end is not None and question.end > kept.end:
        return None
    return cut(question, answer).model_copy(update={"source": source})


def finished(answer: Answer, now: datetime) -> Answer:
    """Without the bar of a day that was not over: several providers serve it all the same, and it would be kept.

    A session is over at a quarter past four in New York, when every exchange of that date has closed; what is traded
    around the clock is over at midnight UTC.
    """
    if not isinstance(answer, DailyBars):
        return answer
    today, over = now.astimezone(UTC).date(), False
    if not _ROUND_THE_CLOCK.search(answer.symbol):
        there = now.astimezone(_NEW_YORK)
        today, over = there.date(), there.time() >= _CLOSED
    whole = tuple(bar for bar in answer.bars if bar.day < today or (over and bar.day == today))
    return answer if len(whole) == len(answer.bars) else answer.model_copy(update={"bars": whole})


def cut(question: Question, answer: Answer) -> Answer:
    """The days asked for and no others."""
    match question, answer:
        case DailyBarsAsked(), DailyBars():
            return answer.model_copy(update={"bars": tuple(b for b in answer.bars if _within(question, b.day))})
        case ObservationsAsked(), Observations():
            kept = tuple(one for one in answer.observations if _within(question, one.day))
            return answer.model_copy(update={"observations": kept})
    return answer


def _within(question: DailyBarsAsked | ObservationsAsked, day: date) -> bool:
    return day >= question.start and (question.end is None or day <= question.end)

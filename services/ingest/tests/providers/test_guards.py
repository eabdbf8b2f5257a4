"""The circuit, the bucket, what a kept answer covers, and who agrees with whom: values in, values out."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.rpc.providers import (
    Adjusted,
    DailyBar,
    DailyBars,
    DailyBarsAsked,
    LatestPrice,
    LatestPriceAsked,
    Source,
)
from algotrendy_ingest.providers.agreement import agreeing
from algotrendy_ingest.providers.breaker import Breaker
from algotrendy_ingest.providers.bucket import TokenBucket
from algotrendy_ingest.providers.coverage import Kept, finished, key, served, widened
from algotrendy_ingest.providers.errors import NotListed
from hypothesis import given
from hypothesis import strategies as st

D = Decimal
NOW = datetime(2026, 3, 2, 22, tzinfo=UTC)
SOURCE = Source(provider="yahoo", fetched_at=NOW)


# -- the circuit ---------------------------------------------------------------------------------------------


def test_five_failures_within_a_minute_open_it_whatever_succeeds_between():
    breaker = Breaker()
    for second in (0, 10, 20, 30):
        breaker.failed(second)
        breaker.succeeded()
    assert breaker.admit(31)
    breaker.failed(59.9)
    assert not breaker.admit(60)
    assert breaker.shown(60) == "open"


def test_five_failures_in_more_than_a_minute_do_not():
    breaker = Breaker()
    for second in (0, 15, 30, 45, 60):
        breaker.failed(second)
    assert breaker.admit(61)
    assert breaker.shown(61) == "closed"


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(5):
        breaker.failed(0)
    return breaker


def test_after_half_a_minute_it_is_on_trial_one_call_at_a_time_and_three_successes_close_it():
    breaker = opened()
    assert not breaker.admit(29.9)
    for _ in range(3):
        assert breaker.shown(30) == "half_open"
        assert breaker.admit(30)
        assert not breaker.admit(30)
        breaker.succeeded()
    assert breaker.shown(30) == "closed"


def test_a_failure_on_trial_opens_it_anew_and_a_call_without_a_verdict_leaves_it_on_trial():
    breaker = opened()
    assert breaker.admit(30)
    breaker.succeeded()
    assert breaker.admit(31)
    breaker.undecided()
    assert breaker.admit(32)
    breaker.failed(33)
    assert not breaker.admit(62.9)
    assert breaker.admit(63)


def test_a_failure_of_a_call_that_was_let_through_before_does_not_prolong_it():
    breaker = opened()
    breaker.failed(20)
    assert breaker.admit(30)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 40)), max_size=60))
def test_it_is_never_open_for_longer_than_half_a_minute_after_the_last_failure(steps):
    breaker, now, last_failure = Breaker(), 0.0, -100.0
    for fails, pause in steps:
        now += pause
        if breaker.admit(now):
            if fails:
                breaker.failed(now)
                last_failure = now
            else:
                breaker.succeeded()
        else:
            assert now < last_failure + 30


# -- the bucket ----------------------------------------------------------------------------------------------


def test_a_burst_goes_out_at_once_and_then_one_after_the_other():
    bucket = TokenBucket(per_minute=60, burst=3)
    assert [bucket.reserve(0, 100) for _ in range(5)] == pytest.approx([0, 0, 0, 1, 2])
    assert bucket.reserve(2, 100) == pytest.approx(1)


def test_who_would_wait_too_long_takes_nothing():
    bucket = TokenBucket(per_minute=6)
    assert bucket.reserve(0, 0) == 0
    assert bucket.reserve(0, 9) is None
    assert bucket.reserve(1, 9) == pytest.approx(9)


def test_nothing_goes_out_before_the_time_that_was_named():
    bucket = TokenBucket(per_minute=6000)
    bucket.pause(0, 30)
    assert bucket.reserve(1, 100) == pytest.approx(29)
    assert bucket.reserve(31, 100) == 0


@given(
    st.floats(0.1, 600),
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 30), st.none() | st.floats(0, 90)), min_size=1, max_size=60),
)
def test_no_stretch_of_time_sees_more_than_burst_and_rate_allow_nor_a_pause_any_call_after_it(per_minute, burst, steps):
    bucket, now, not_before, sent = TokenBucket(per_minute, burst), 0.0, 0.0, []
    for gap, pause in steps:
        now += gap
        if pause is not None:
            bucket.pause(now, pause)
            not_before = max(not_before, now + pause)
        sent.append(now + bucket.reserve(now, 1e9))
        assert sent[-1] >= not_before - 1e-6
    sent.sort()
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            allowed = burst + (sent[last] - sent[first]) * per_minute / 60
            assert last - first + 1 <= allowed + 1e-6


def test_those_who_wait_out_a_pause_do_not_all_go_at_its_end():
    bucket = TokenBucket(per_minute=60)
    bucket.pause(0, 30)
    assert [bucket.reserve(0, 100) for _ in range(3)] == pytest.approx([30, 31, 32])


# -- what a kept answer covers ---------------------------------------------------------------------------------


def bars(*days: int, close: str = "10", adjusted: Adjusted = Adjusted.SPLITS) -> DailyBars:
    made = (
        DailyBar(day=date(2026, 2, day), open=D(close), high=D(close), low=D(close), close=D(close)) for day in days
    )
    return DailyBars(symbol="AAPL", adjusted=adjusted, bars=tuple(made), source=SOURCE)


def asked(start: int, end: int | None = None) -> DailyBarsAsked:
    return DailyBarsAsked(symbol="AAPL", start=date(2026, 2, start), end=end and date(2026, 2, end))


def test_a_kept_range_answers_every_part_of_itself_and_says_that_it_was_kept():
    kept = Kept(answer=bars(2, 3, 4, 5), start=date(2026, 2, 1), end=date(2026, 2, 6))
    answer = served(asked(3, 4), kept)
    assert [one.day.day for one in answer.bars] == [3, 4]
    assert answer.source.cached
    assert served(asked(1), kept).bars == kept.answer.bars
    assert served(DailyBarsAsked(symbol="AAPL", start=date(2026, 1, 31)), kept) is None
    assert served(asked(3, 7), kept) is None


def test_one_call_fetches_what_others_will_ask_for_and_what_was_kept():
    kept = Kept(answer=bars(2), start=date(2020, 1, 1), end=date(2026, 2, 6))
    wide = widened(asked(20, 21), NOW, timedelta(days=30))
    assert (wide.start, wide.end) == (date(2026, 1, 31), date(2026, 3, 2))
    assert widened(asked(20), NOW, timedelta(days=30), kept).start == date(2020, 1, 1)
    price = LatestPriceAsked(symbol="AAPL")
    assert widened(price, NOW, timedelta(days=30)) is price


def test_ranges_share_a_key_and_nothing_else_does():
    assert key("yahoo", asked(1)) == key("yahoo", asked(2, 3))
    others = {
        key("fmp", asked(1)),
        key("yahoo", DailyBarsAsked(symbol="AAPL", start=date(2026, 1, 1), adjusted=Adjusted.SPLITS)),
        key("yahoo", LatestPriceAsked(symbol="AAPL")),
        key("yahoo", asked(1)),
    }
    assert len(others) == 4


@pytest.mark.parametrize(
    ("symbol", "at", "days"),
    [
        ("AAPL", "2026-02-05T21:14+00:00", [3, 4]),  # 16:14 in New York
        ("AAPL", "2026-02-05T21:15+00:00", [3, 4, 5]),
        ("AAPL", "2026-02-06T00:30+00:00", [3, 4, 5]),  # there it is the 5th still
        ("EUR/USD", "2026-02-05T23:59+00:00", [3, 4]),
        ("EUR/USD", "2026-02-06T00:00+00:00", [3, 4, 5]),
        ("BTC-USD", "2026-02-05T22:00+00:00", [3, 4]),
        ("BRK.B", "2026-02-05T22:00+00:00", [3, 4, 5]),
    ],
)
def test_a_day_that_is_not_over_has_no_bar(symbol, at, days):
    answer = finished(bars(3, 4, 5).model_copy(update={"symbol": symbol}), datetime.fromisoformat(at))
    assert [one.day.day for one in answer.bars] == days


def test_that_nothing_is_listed_is_kept_too():
    with pytest.raises(NotListed):
        served(asked(1), Kept(answer=None))


# -- who agrees ------------------------------------------------------------------------------------------------


def price(value: str) -> LatestPrice:
    return LatestPrice(symbol="AAPL", price=D(value), day=date(2026, 2, 2), source=SOURCE)


def test_the_greatest_group_that_agrees_wins_and_the_first_asked_of_two():
    told = [("a", price("100")), ("b", price("103")), ("c", price("100.2")), ("d", price("99.9"))]
    group, differences = agreeing(told, 2, D("0.005"))
    assert group == ("a", "c", "d")
    assert {"b"} <= {name for each in differences for name in (each.one, each.other)}
    assert agreeing(told[:2], 2, D("0.005"))[0] == ()
    assert agreeing([*told[:2], ("e", price("103"))], 2, D("0.005"))[0] == ("b", "e")


def test_agreement_is_not_passed_on():
    """Each is near its neighbour; the outer two are not near each other."""
    told = [("a", price("100")), ("b", price("100.4")), ("c", price("100.8"))]
    assert agreeing(told, 3, D("0.005"))[0] == ()
    assert agreeing(told, 2, D("0.005"))[0] == ("a", "b")


def test_bars_are_compared_on_common_days_and_only_where_they_are_adjusted_alike():
    told = [("a", bars(2, 3)), ("b", bars(3, 4))]
    assert agreeing(told, 2, D(0))[0] == ("a", "b")
    assert agreeing([("a", bars(2)), ("b", bars(3))], 2, D(0))[0] == ()
    assert agreeing([("a", bars(2)), ("b", bars(2, adjusted=Adjusted.NONE))], 2, D(0))[0] == ()
    group, differences = agreeing([("a", bars(2, 3)), ("b", bars(2, 3, close="11"))], 2, D("0.05"))
    assert group == ()
    assert "2026-02-02" in differences[0].what

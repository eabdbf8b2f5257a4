"""What there is and what is missing, and files of it; without a server."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.rpc.ingest import Candle
from algotrendy_core.bars import Bar
from algotrendy_ingest.adapters import parquet_files
from algotrendy_ingest.adapters.parquet_files import Content, Target
from algotrendy_ingest.domain.coverage import Day, by_day, expected, expected_of_day, missing_of, without
from algotrendy_ingest.domain.history import Span
from algotrendy_ingest.domain.reconciliation import day_report
from algotrendy_ingest.domain.tape import forgotten
from hypothesis import given
from hypothesis import strategies as st

DAY = datetime(2022, 12, 13, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minute: int) -> datetime:
    return DAY + minute * MINUTE


def span(start: int, end: int) -> Span:
    return Span(at(start), at(end))


def bar(minute: int, volume: str = "2") -> Bar:
    price = Decimal(100)
    return Bar(Timeframe.M1, at(minute), price, price, price, price, Decimal(volume), Decimal(1), 1, complete=True)


def candle(minute: int, volume: str = "2", close: str = "100") -> Candle:
    return Candle(open_time=at(minute), open=100, high=100, low=100, close=close, volume=volume, closed=True)


@given(
    start=st.integers(0, 5000),
    length=st.integers(1, 5000),
    timeframe=st.sampled_from([Timeframe.M1, Timeframe.M15, Timeframe.H4, Timeframe.D1]),
)
def test_what_is_expected_of_the_days_is_what_is_expected_of_the_whole(start, length, timeframe):
    step = timedelta(seconds=timeframe.seconds)
    whole = Span(DAY + start * step, DAY + (start + length) * step)
    days = by_day(whole, timeframe, {}, {})
    assert sum(day.expected for day in days) == expected(whole, timeframe) == length


def test_a_day_is_shown_with_its_candles_and_its_trades():
    whole = span(-10, 10)
    first, second = by_day(whole, Timeframe.M1, {DAY: Day(9, Decimal("1.5"))}, {DAY: Day(4, Decimal("0.5"))})
    assert (first.candles, first.expected, first.trades) == (0, 10, 0)
    assert (second.candles, second.expected, second.volume) == (9, 10, Decimal("1.5"))
    assert (second.trades, second.traded) == (4, Decimal("0.5"))
    assert expected_of_day(DAY + timedelta(days=3), whole, Timeframe.M1) == 0


@given(
    holes=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=4),
    done=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=4),
)
def test_what_is_left_is_every_minute_that_was_not_done(holes, done):
    def spans(pairs):
        return [span(start, start + length) for start, length in sorted(pairs)]

    def minutes(found):
        return {minute for each in found for minute in range(200) if each.start <= at(minute) < each.end}

    assert minutes(without(spans(holes), spans(done))) == minutes(spans(holes)) - minutes(spans(done))


def test_a_hole_is_the_venues_own_only_where_all_of_it_was_asked_for():
    asked, half = missing_of([span(1, 3), span(5, 9)], [span(0, 4), span(5, 7)])
    assert (asked.asked, half.asked) == (True, False)


def test_only_numbers_between_those_recorded_are_forgotten():
    assert forgotten({5, 6, 9}, range(1, 20)) == {7, 8}
    assert forgotten(set(), range(1, 20)) == set()
    assert forgotten({5, 6}, []) == set()


def test_a_day_that_is_the_venues_agrees():
    tape = {at(minute): Day(3, Decimal(2)) for minute in range(5)}
    report = day_report(DAY, Timeframe.M1, map(candle, range(5)), map(bar, range(5)), tape)
    assert report.agrees
    assert (report.kept, report.told, report.volume_kept, report.volume_told) == (5, 5, 10, 10)
    assert (report.tape_minutes, report.trades, report.traded) == (3, 15, 10)


@pytest.mark.parametrize(
    ("kept", "tape", "counted"),
    [
        ([0, 1, 3], {}, (1, 0, 0, 0)),
        ([0, 1, 2, 3, 4], {}, (0, 1, 0, 0)),
        ([0, (1, "100.01"), 2, 3], {}, (0, 0, 1, 0)),
        ([0, 1, 2, 3], {0: 2, 1: 1, 2: 2, 3: 2}, (0, 0, 0, 1)),
        ([0, 1, 2, 3], {0: 2, 2: 2, 3: 2}, (0, 0, 0, 0)),
        ([0, 1, 2, 3], {-1: 2, 0: 2, 2: 2, 3: 2}, (0, 0, 0, 1)),
    ],
    ids=["missing", "beyond", "another close", "tape short", "its ends are not judged", "a silent minute"],
)
def test_a_day_that_is_not_the_venues_differs(kept, tape, counted):
    ours = [candle(each) if isinstance(each, int) else candle(each[0], close=each[1]) for each in kept]
    minutes = {at(minute): Day(1, Decimal(quantity)) for minute, quantity in tape.items()}
    report = day_report(DAY, Timeframe.M1, ours, map(bar, range(4)), minutes)
    assert (report.missing, report.beyond, report.differing, report.tape_differing) == counted
    assert report.agrees is (sum(counted) == 0)


def test_quiet_minutes_that_the_venue_does_not_tell_are_no_difference():
    assert day_report(DAY, Timeframe.M1, [candle(0), candle(1, volume="0")], [bar(0)], {}).agrees


# -- files ---------------------------------------------------------------------------------------------------

CONTENT = Content("binance", "BTC-USDT", Timeframe.M1)
ROW = (DAY, Decimal("1.000000000000000001"), Decimal(2), Decimal("0.5"), Decimal("1.5"), Decimal("1e-18"), 7)


def written(folder):
    with Target(folder, CONTENT) as target:
        target.add([ROW])
        target.add([])
        target.add([(at(1), *ROW[1:])])
        found = target.finish()
    assert found is not None
    return found


def test_rows_come_back_to_the_last_digit_and_the_name_is_the_contents(tmp_path):
    file = written(tmp_path)
    assert file.rows == 2
    assert [path.name for path in tmp_path.iterdir()] == [file.path.name]
    assert file.path.name.startswith("binance_BTC-USDT_1m_20221213-20221213_")
    assert parquet_files.content_of(file.path) == CONTENT
    [page] = parquet_files.pages_of(file.path)
    assert tuple(page[0].values()) == ROW
    assert page[1]["ts"] == at(1)
    assert written(tmp_path / "again").path.name == file.path.name


def test_a_file_that_was_changed_renamed_or_is_another_kind_is_refused(tmp_path):
    file = written(tmp_path).path
    renamed = file.rename(tmp_path / "candles.parquet")
    with pytest.raises(Refused, match="not what its name says"):
        parquet_files.content_of(renamed)
    renamed.write_bytes(renamed.read_bytes()[:-9])
    with pytest.raises(Refused, match="cannot read"):
        parquet_files.content_of(renamed)
    with pytest.raises(Refused, match="cannot read"):
        parquet_files.content_of(tmp_path / "nowhere.parquet")


def test_a_target_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(OSError, match=r"candles"):
        (tmp_path / "candles").touch()
        written(tmp_path / "candles")
    with Target(tmp_path / "empty", CONTENT) as target:
        assert target.finish() is None
    assert list((tmp_path / "empty").iterdir()) == []

"""Candles from CSV: good files read exactly, every fault named with its row, and mended only as chosen."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.backtest import quick_csv, series
from algotrendy_core.backtest.candles_csv import load_candles, read_candles, read_columns
from algotrendy_core.backtest.data_quality import Repair
from hypothesis import given, settings
from hypothesis import strategies as st

HEADER = "timestamp_ms,open,high,low,close,volume"
GOOD = ("0,10,12,9,11,5", "60000,11,13,10,12,6", "120000,12,12,11,11,0")


def written(folder: Path, *rows: str, header: str = HEADER, end: str = "\n") -> Path:
    path = folder / "candles.csv"
    path.write_text(end.join((header, *rows)) + end)
    return path


def test_a_good_file_is_read_as_it_is(tmp_path: Path) -> None:
    bars, report = load_candles(written(tmp_path, *GOOD))
    assert bars.timeframe is Timeframe.M1
    assert bars.time.tolist() == [0, 60_000, 120_000]
    assert (bars.open.tolist(), bars.close.tolist(), bars.volume.tolist()) == ([10, 11, 12], [11, 12, 11], [5, 6, 0])
    assert (report.rows, report.bars, report.problems) == (3, 3, ())
    series.check(bars)


@pytest.mark.parametrize("end", ["\r\n", "\n\n"])
def test_line_ends_and_empty_lines_change_nothing(tmp_path: Path, end: str) -> None:
    assert read_candles(written(tmp_path, *GOOD, end=end)).hash == read_candles(written(tmp_path, *GOOD)).hash


def test_columns_may_stand_in_any_order_among_others(tmp_path: Path) -> None:
    rows = ("a,5,11,9,12,10,0", "b,6,12,10,13,11,60000", "c,0,11,11,12,12,120000")
    path = written(tmp_path, *rows, header="\ufeffsymbol,Volume,close,low,high,open,timestamp_ms")
    assert read_candles(path).hash == read_candles(written(tmp_path, *GOOD)).hash


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            "180000,11,12,10,abc,1",
            r"row 5 \(1970-01-01 00:03:00\): close is not a number: 'abc'; repairs: drop",
        ),
        ("180000,11,12,10,,1", "row 5 .*close is missing"),
        ("180000,11,12,10", "row 5 .*close is missing"),
        ("180000,11,12,10,nan,1", "row 5 .*close is not a number"),
        ("180000,11,inf,10,11,1", "row 5 .*high is not a number above zero"),
        ("180000,0,12,0,11,1", "row 5 .*open is not a number above zero"),
        ("180000,11,12,10,11,-1", "row 5 .*volume is not a number of zero or above"),
        ("180000,11,11.5,10,12,1", "row 5 .*high and low do not contain open and close"),
        ("180000.5,11,12,10,11,1", "row 5 .*whole number of milliseconds"),
        ("120000,12,12,11,11,0", "row 5 .*the time was there before; repairs: drop_duplicates"),
        ("60000,12,12,11,11,0", "row 5 .*the time goes back.*sort"),
        ("240000,12,12,11,11,0", "row 5 .*1 candles are missing before this row; repairs: forward_fill, keep_holes"),
        ("190000,12,12,11,11,0", "row 5 .*not the start of a candle of 1m"),
        ("1600000000000000,11,12,10,11,1", "row 5: the time is in microseconds"),
    ],
)
def test_a_fault_is_refused_with_its_row(tmp_path: Path, row: str, told: str) -> None:
    with pytest.raises(Refused, match=told) as refusal:
        read_candles(written(tmp_path, *GOOD, row))
    assert refusal.value.code == "candles_invalid"
    assert "\n" not in str(refusal.value)


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    path = written(tmp_path, *GOOD, "180000,1,2,3,4,5", "180000,9,9,9,9,0", "360000,9,9,9,9,0")
    with pytest.raises(Refused) as refusal:
        read_candles(path)
    for part in ("row 5", "row 6", "row 7", "2 candles", "drop_invalid, drop_duplicates, forward_fill, keep_holes"):
        assert part in str(refusal.value)


def test_chosen_repairs_mend_and_are_listed(tmp_path: Path) -> None:
    rows = (GOOD[1], GOOD[0], "x,1,1,1,1,1", GOOD[2], "120000,1,1,1,1,1", "300000,9,9,8,8,4")
    bars, report = load_candles(written(tmp_path, *rows), repair="sort,drop_invalid,drop_duplicates,forward_fill")
    assert bars.time.tolist() == [0, 60_000, 120_000, 180_000, 240_000, 300_000]
    assert bars.close.tolist() == [11, 12, 11, 11, 11, 8]
    assert bars.open.tolist() == [10, 11, 12, 11, 11, 9]
    assert bars.volume.tolist() == [5, 6, 0, 0, 0, 4]
    series.check(bars)
    assert (report.rows, report.bars) == (6, 6)
    assert [(each.repair, each.first_row, each.count) for each in report.problems] == [
        (Repair.DROP_INVALID, 4, 1),
        (Repair.SORT, 3, 1),
        (Repair.DROP_DUPLICATES, 6, 1),
        (Repair.FORWARD_FILL, 7, 1),
    ]


def test_holes_may_be_kept_and_need_no_word_where_the_timeframe_does_not_matter(tmp_path: Path) -> None:
    path = written(tmp_path, *GOOD, "300000,9,9,8,8,4")
    kept, report = load_candles(path, repair=[Repair.KEEP_HOLES])
    assert kept.time.tolist() == [0, 60_000, 120_000, 300_000]
    assert [each.repair for each in report.problems] == [Repair.KEEP_HOLES]
    columns, report = read_columns(path)
    assert columns.time.tolist() == kept.time.tolist()
    assert report.problems == ()
    np.testing.assert_array_equal(columns.close, kept.close)


def test_a_stray_time_is_no_hole_to_fill(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="too many to fill"):
        read_candles(written(tmp_path, *GOOD, "1600000020000,9,9,8,8,4"), repair="forward_fill")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "header must name"),
        ("0,10,12,9,11,5\n", "header must name"),
        ("timestamp_ms,open,high,low,close\n", "missing: volume"),
        (HEADER + "\n", "no candles"),
        (HEADER + "\n0,1,1,1,1,1\n", "one candle does not tell its timeframe"),
        (HEADER + "\n1600000020,1,1,1,1,1\n1600000080,1,1,1,1,1\n", "in seconds"),
        (HEADER + "\n0,1,1,1,1,1\n7000,1,1,1,1,1\n", "usually 7 s apart"),
        ("\xff\xfe\x00", "cannot read"),
    ],
)
def test_a_file_that_holds_no_candles_is_refused(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(Refused, match=told):
        read_candles(path)


def test_a_missing_file_and_unknown_repairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot read"):
        read_candles(tmp_path / "none.csv")
    with pytest.raises(Refused, match="drop_duplicates"):
        read_candles(written(tmp_path, *GOOD), repair="glue")
    with pytest.raises(Refused, match="not both"):
        read_candles(written(tmp_path, *GOOD), repair="forward_fill,keep_holes")


def test_a_named_timeframe_serves_where_one_candle_does_not_tell(tmp_path: Path) -> None:
    bars = read_candles(written(tmp_path, "300000,9,9,8,8,4"), Timeframe.M5)
    assert (bars.timeframe, len(bars)) == (Timeframe.M5, 1)
    with pytest.raises(Refused, match="start of a candle of 1h"):
        read_candles(written(tmp_path, "300000,9,9,8,8,4"), Timeframe.H1)


# ── large files ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def always_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_csv, "LARGE", 0)


_ODD = st.sampled_from(
    ["0.1", "0.30000000000000004", "1e-7", "00012.50", ".5", "5.", "-0.0", "9007199254740993", "123456789012345678",
     "0.000000000000012345", "1 ", "+3", "1_0", "", "nan", "inf", "12345678.12345678", "1.2.3", "--1", "-"]
)  # fmt: skip
_NUMBER = st.one_of(
    st.decimals(0, 10**9, places=8, allow_nan=False).map(str), st.integers(0, 2**60).map(str), _ODD
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(_NUMBER, min_size=2, max_size=3), max_size=6), st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
def test_numbers_are_read_as_python_reads_them_or_not_at_all(rows: list[list[str]], end: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(quick_csv, "LARGE", 0)
        path = Path(folder) / "numbers.csv"
        path.write_bytes(end.join(["b,a", *(",".join(row) for row in rows)]).encode() + end.encode())
        values = quick_csv.read_numbers(path, [1, 0], 2)
        if values is not None:
            assert end in ("\n", "\r\n") or not rows
            assert values.tolist() == [[float(a), float(b)] for b, a in rows]
        elif end == "\n":
            plain = re.compile(r"\d{1,15}(\.\d{0,3})?")
            assert not all(len(row) == 2 and all(plain.fullmatch(cell) for cell in row) for row in rows)


@pytest.mark.usefixtures("always_quick")
@pytest.mark.parametrize(
    ("rows", "header", "end"),
    [
        (GOOD, HEADER, "\n"),
        (GOOD, HEADER, "\r\n"),
        (GOOD, HEADER, "\n\n"),
        (tuple(row + ",7" for row in GOOD), "\ufeff" + HEADER + ",more", "\n"),
        (tuple(row + ",note" for row in GOOD), HEADER + ",more", "\n"),
        ((*GOOD, "180000,1.2e1,12,11,11,0"), HEADER, "\n"),
    ],
)
def test_a_large_file_is_read_as_a_small_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: tuple[str, ...], header: str, end: str
) -> None:
    path = written(tmp_path, *rows, header=header, end=end)
    try:
        quick = read_candles(path, Timeframe.M1, Repair.KEEP_HOLES).hash
    except Refused as refused:
        quick = str(refused)
    monkeypatch.setattr(quick_csv, "LARGE", 10**9)
    try:
        careful = read_candles(path, Timeframe.M1, Repair.KEEP_HOLES).hash
    except Refused as refused:
        careful = str(refused)
    assert quick == careful


@pytest.mark.usefixtures("always_quick")
def test_a_fault_in_a_large_file_is_told_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"row 5 .*close is not a number: 'abc'"):
        read_candles(written(tmp_path, *GOOD, "180000,11,12,10,abc,1"))
    with pytest.raises(Refused, match=r"row 5 .*the time goes back"):
        read_candles(written(tmp_path, *GOOD, "60000,12,12,11,11,0"))

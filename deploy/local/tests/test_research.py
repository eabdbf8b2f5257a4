"""``algotrendy indicators`` and ``algotrendy data candles``: what they print, and what they refuse."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from algotrendy_core.backtest.candles_csv import read_candles
from algotrendy_core.indicators.registry import INDICATORS, over_bars
from algotrendy_local.cli import app
from algotrendy_local.research import indicator_columns
from click.testing import Result
from typer.testing import CliRunner

HEADER = "timestamp_ms,open,high,low,close,volume\n"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object) -> str:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    return result.stderr


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    random = np.random.default_rng(11)
    close = (100 * np.exp(random.normal(0, 0.01, 80).cumsum())).round(2)
    path = tmp_path / "candles.csv"
    rows = (f"{60_000 * i},{c},{c + 1},{c - 1},{c},{i}" for i, c in enumerate(close.tolist()))
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return path


# ── indicators ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_columns_as_csv_are_the_indicators_to_the_last_digit(candles: Path) -> None:
    result = run("indicators", candles, "rsi:14", "macd:12,26,9", "vwap", "--csv")
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == ["timestamp_ms", "rsi", "macd", "macd_signal", "macd_histogram", "vwap"]
    assert [int(row["timestamp_ms"]) for row in rows] == [60_000 * i for i in range(80)]
    bars = read_candles(candles)
    for name in ("rsi", "macd", "vwap"):
        for column, values in over_bars(INDICATORS[name], bars, compiled=False).items():
            printed = np.array([float(row[column] or "nan") for row in rows])
            assert printed.tobytes() == values.tobytes()
    assert [row["rsi"] for row in rows[:14]] == [""] * 14


def test_one_indicator_asked_for_several_times_has_its_parameters_in_its_columns(candles: Path) -> None:
    result = run("indicators", candles, "rsi:7", "rsi", "bollinger:20,2.5", "bollinger", "vwap:5", "--csv")
    assert result.stdout.splitlines()[0].split(",") == [
        "timestamp_ms", "rsi_7", "rsi_14",
        "bollinger_20_2.5_upper", "bollinger_20_2.5_middle", "bollinger_20_2.5_lower",
        "bollinger_20_2_upper", "bollinger_20_2_middle", "bollinger_20_2_lower", "rolling_vwap",
    ]  # fmt: skip


def test_long_files_are_compiled_and_give_the_same(candles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("indicators", candles, "rsi", "--csv")
    plain = run(*words).stdout
    monkeypatch.setattr(indicator_columns, "COMPILE_FROM", 1)
    assert run(*words).stdout == plain


def test_the_table_shows_the_newest_rows_and_the_list_every_indicator(candles: Path) -> None:
    table = run("indicators", candles, "sma:5", "--rows", 3).stdout.splitlines()
    assert table[0].split() == ["time", "(UTC)", "sma"]
    assert [line[:16] for line in table[1:]] == ["1970-01-01 01:17", "1970-01-01 01:18", "1970-01-01 01:19"]
    listed = run("indicators", "--list").stdout
    for name, indicator in INDICATORS.items():
        assert name in listed
        assert all(f"{each.name} {each.default:g} (" in listed for each in indicator.parameters)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rsx",), "no indicator 'rsx'"),
        (("rsi:",), ""),
        (("rsi:x",), "rsi:x: parameters are numbers"),
        (("rsi:1",), "period is a whole number from 2"),
        (("rsi:14,2",), "rsi has 1 parameters (period), not 2"),
        (("macd:26,12",), "fast < slow"),
        ((), "name a file and one indicator"),
        (("rsi", "--repair", "glue"), "drop_duplicates"),
    ],
)
def test_what_cannot_be_computed_is_one_line(candles: Path, words: tuple[str, ...], told: str) -> None:
    if not told:  # no parameters: the defaults
        assert run("indicators", candles, *words).exit_code == 0
    else:
        assert told in refused("indicators", candles, *words)


def test_bad_candles_are_refused_with_their_row_and_mended_if_asked(candles: Path) -> None:
    rows = candles.read_text().splitlines()
    candles.write_text("\n".join([*rows[:5], rows[4], *rows[5:]]))
    assert "row 6 (1970-01-01 00:03:00): the time was there before" in refused("indicators", candles, "sma:2")
    mended = run("indicators", candles, "sma:2", "--csv", "--repair", "drop_duplicates")
    assert len(mended.stdout.splitlines()) == 81
    assert mended.stderr == "mended: row 6 (1970-01-01 00:03:00): the time was there before\n"
    candles.write_text(HEADER + "0,1,1,1,,1\n")
    assert "row 2 (1970-01-01 00:00:00): close is missing" in refused("indicators", candles, "sma:2")
    assert "cannot read" in refused("indicators", candles.parent / "none.csv", "sma:2")


def test_a_reader_that_has_enough_is_no_error(candles: Path) -> None:
    script = f"{sys.executable} -m algotrendy_local indicators {candles} sma:2 --csv | head -1"
    piped = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert (piped.stdout, piped.stderr) == ("timestamp_ms,sma\n", "")


def test_the_command_starts_without_what_computes() -> None:
    script = (
        "import sys, algotrendy_local.cli; print({'numba', 'numpy', 'algotrendy_core.indicators'} & set(sys.modules))"
    )
    started = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert started.stdout == "set()\n"


# ── candles ─────────────────────────────────────────────────────────────────────────────────────────────────────

TRADES = (
    "timestamp_ms,id,side,price,amount\n"
    "1600000020000,1,buy,10.5,1\n"
    "1600000030000.250,2,buy,10.75,2.50\n"
    "1600000079999.999,3,sell,10.1,0.25\n"
    "1600000080000,4,sell,10.2,4\n"
    "1600000200000,5,buy,11,1\n"
)
CANDLES = (
    HEADER + "1600000020000,10.5,10.75,10.1,10.1,3.75\n"
    "1600000080000,10.2,10.2,10.2,10.2,4\n"
    "1600000200000,11,11,11,11,1\n"
)  # fmt: skip


def built(tmp_path: Path, trades: str, *words: object) -> Result:
    path = tmp_path / "trades.csv"
    path.write_text(trades)
    return run("data", "candles", path, "--from-trades", "--timeframe", "1m", *words)


def test_trades_become_candles_in_exact_decimals(tmp_path: Path) -> None:
    result = built(tmp_path, TRADES)
    assert (result.exit_code, result.stdout) == (0, CANDLES)
    assert result.stderr.startswith("5 trades, 3 candles of 1m; 1 intervals without a trade have none; ")
    output = tmp_path / "out.csv"
    assert built(tmp_path, TRADES, "--output", output).stdout == ""
    assert output.read_text() == CANDLES
    assert read_candles(output, repair="keep_holes").close.tolist() == [10.1, 10.2, 11.0]


@pytest.mark.parametrize(
    ("header", "times"),
    [
        ("timestamp", ["1600000020", "1600000079.999999", "1600000080"]),
        ("time", ["1600000020000", "1600000079999", "1600000080000"]),
        ("timestamp", ["1600000020000000", "1600000079999999", "1600000080000000"]),
        ("timestamp_ns", ["1600000020000000000", "1600000079999999999", "1600000080000000000"]),
        ("datetime", ["2020-09-13 12:27:00.5+00:00", "2020-09-13T14:27:59.999999+02:00", "2020-09-13T12:28:00Z"]),
        ("date", ["2020-09-13 12:27:00", "2020-09-13 12:27:59.999", "2020-09-13 12:28"]),
    ],
)
def test_times_are_read_in_the_unit_that_they_are_in(tmp_path: Path, header: str, times: list[str]) -> None:
    rows = "".join(f"{time},10,1\n" for time in times)
    candles = built(tmp_path, f"{header},Price,Size\n{rows}").stdout.splitlines()[1:]
    assert candles == ["1600000020000,10,10,10,10,2", "1600000080000,10,10,10,10,1"]
    if "-" not in times[0]:
        words = ("--columns", f"{header},price,quantity")
        assert built(tmp_path, rows, *words).stdout.splitlines()[1:] == candles


@pytest.mark.parametrize(
    ("trades", "told"),
    [
        ("timestamp_ms,price,qty\n1600000020000000,10,1\n", "row 2: 1600000020000000 is not in milliseconds but"),
        ("timestamp_ms,price,qty\n1600000020,10,1\n", "in seconds"),
        ("timestamp,price,qty\n60000,10,1\n", "row 2: 60000 is no time of this century; name its unit: --time-unit"),
        ("timestamp,price,qty\nnoon,10,1\n", "row 2: this is no time: 'noon'"),
        ("timestamp_s,price,qty\n1e30,10,1\n", "row 2: this is no time"),
        ("timestamp_s,price,qty\n1600000020,0,1\n", "row 2: the price is not a number above zero: '0'"),
        ("timestamp_s,price,qty\n1600000020,10,-1\n", "row 2: the quantity is not"),
        ("timestamp_s,price,qty\n1600000020,10,NaN\n", "row 2: the quantity is not"),
        ("timestamp_s,price,qty\n1600000020,10\n", "row 2: the quantity is not a number above zero: ''"),
        ("timestamp_s,price,qty\n1600000080,10,1\n1600000020,10,1\n", "row 3: the time goes back"),
        ("timestamp_s,price,qty,id\n1600000020,10,1,a\n1600000021,10,1,a\n", "row 3: the trade a was there before"),
        ("timestamp_s,price\n1600000080,10\n", "row 1: no column of the quantity"),
        ("1600000080,10,1\n", "row 1: no column of the time"),
        ("timestamp_s,price,qty\n", "no trades"),
        ("", "row 1: no column"),
    ],
)
def test_a_trade_that_is_none_is_refused_with_its_row(tmp_path: Path, trades: str, told: str) -> None:
    path = tmp_path / "trades.csv"
    path.write_text(trades)
    assert told in refused("data", "candles", path, "--from-trades", "--timeframe", "1m")


def test_trades_out_of_order_are_sorted_if_asked(tmp_path: Path) -> None:
    header, *rows = TRADES.splitlines(keepends=True)
    assert built(tmp_path, header + "".join(reversed(rows)), "--sort").stdout == CANDLES


def test_what_the_command_is_told_wrongly(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_text(TRADES)
    assert "--from-trades" in refused("data", "candles", path, "--timeframe", "1m")
    assert "no timeframe 7m" in refused("data", "candles", path, "--from-trades", "--timeframe", "7m")
    assert "no time unit" in refused("data", "candles", path, "--from-trades", "-t", "1m", "--time-unit", "h")
    assert "not in seconds" in refused("data", "candles", path, "--from-trades", "-t", "1m", "--time-unit", "s")

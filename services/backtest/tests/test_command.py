"""``algotrendy backtest`` as somebody types it: no server, a folder of its own, results as files and JSON."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from algotrendy_backtest.cli.app import app
from algotrendy_backtest.cli.surroundings import Dataset, HistoryAsked, Surroundings
from algotrendy_backtest.domain import compute
from typer.testing import CliRunner, Result

RUNNER = CliRunner()
SWEEP = ("sweep", "--vary", "fast=2:8:2", "--vary", "slow=20:40:10", "--workers", "1", "--on", "processes")


@pytest.fixture
def candles_file(tmp_path: Path, bars) -> Path:
    return written(tmp_path / "btc-usdt.csv", zip(*(column.tolist() for column in bars.columns), strict=True))


def written(path: Path, rows) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("timestamp_ms", "open", "high", "low", "close", "volume"))
        writer.writerows(rows)
    return path


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(path.open()))[1:]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def typed(home, candles_file):
    """Runs a command over the file."""

    def run(*words: str, data: str | None = "", surroundings: Surroundings | None = None) -> Result:
        more = [] if data is None else ["--data", data or str(candles_file)]
        named = [] if words[0] in ("report", "compare", "list") else more
        return RUNNER.invoke(app, [*words, *named], obj=surroundings or Surroundings(home=home))

    return run


def document_of(result: Result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_run_says_all_of_itself_in_json_and_files(typed, tmp_path, spec, instrument, bars) -> None:
    out = tmp_path / "out"
    words = (
        "run",
        "--set",
        "fast=5",
        "--set",
        "slow=20",
        "--slippage",
        "2",
        "--fee",
        "0.0005",
        "--json",
        "--out",
        str(out),
    )
    document = document_of(typed(*words))
    plain = instrument.model_copy(
        update=dict.fromkeys(("price_step", "quantity_step", "min_quantity"), Decimal("0.00000001"))
        | {"min_notional": Decimal(0), "max_quantity": Decimal(10**9)}
    )
    asked = spec(slippage_bps=Decimal(2), maker_fee=Decimal("0.0005"), taker_fee=Decimal("0.0005"))
    expected = compute(asked, plain, bars, lambda done, total: None)
    assert document["result_hash"] == expected.result_hash
    assert document["statistics"]["trades"] == len(document["trades"]) == len(expected.round_trips) > 2
    profit = sum(Decimal(trade["profit"]) for trade in document["trades"])
    assert abs(float(profit) - sum(float(trip.profit) for trip in expected.round_trips)) < 1e-6
    assert all(Decimal(trade["fees"]) > 0 for trade in document["trades"])
    assert document["equity"][-1]["equity"] == str(expected.equity[-1].equity)
    assert "next bar's open" in document["conventions"]["fill"]
    assert {file.name for file in out.iterdir()} >= {
        "manifest.json", "result.json", "trades.csv", "fills.csv", "equity.csv", "report.html", "sheet.json"
    }  # fmt: skip
    assert json.loads((out / "manifest.json").read_text())["result_hash"] == expected.result_hash
    assert len(rows_of(out / "trades.csv")) == len(document["trades"])
    assert len(rows_of(out / "equity.csv")) == len(bars)


def test_a_table_is_shown_where_nobody_asks_for_json(typed) -> None:
    result = typed("run", "--set", "fast=5", "--set", "slow=20")
    assert result.exit_code == 0
    assert "sma_cross (fast 5, slow 20" in result.stdout
    assert "max drawdown" in result.stdout


FAULTS = {
    "a hole": (lambda rows: rows[:100] + rows[103:], "3 candles are missing", "forward_fill"),
    "a NaN": (lambda rows: [*rows[:50], [*rows[50][:4], "nan", "1"], *rows[51:]], "row 52", "drop_invalid,keep_holes"),
    "time going back": (lambda rows: [*rows[:9], rows[10], rows[9], *rows[11:]], "row 12", "sort"),
    "a repeat": (lambda rows: [*rows[:20], rows[19], *rows[20:]], "row 22", "drop_duplicates"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_data_are_refused_unless_a_repair_is_chosen(typed, candles_file, fault) -> None:
    spoil, said, repair = FAULTS[fault]
    written(candles_file, spoil(rows_of(candles_file)))
    refused = typed("run", "--json")
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert refused.stdout == ""
    assert typed("run", "--repair", repair).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--strategy", "oracle"), "no strategy 'oracle'"),
        (("run", "--set", "fast"), "takes name=value"),
        (("run", "--set", "fast=0"), "greater than or equal to 1"),
        (("run", "--cash", "much"), "not a number"),
        (("run", "--from", "soon"), "is not a time"),
        (("run", "--timeframe", "7m"), "is none of"),
        (("run", "--leverage", "0.5"), "leverage"),
        (("sweep", "--vary", "speed=1:2"), "no parameter speed"),
        (("sweep", "--vary", "fast=1:2", "--method", "luck"), "method"),
        (("walkforward", "--vary", "fast=2:5", "--windows", "200"), "windows need parts"),
    ],
)
def test_what_cannot_be_meant_is_one_line(typed, words, said) -> None:
    result = typed(*words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_strategy_of_ones_own_runs_and_a_bad_one_is_refused_with_its_line(typed, tmp_path) -> None:
    own = tmp_path / "own.py"
    text = (
        "from dataclasses import dataclass\n"
        "from algotrendy_core.strategies.interface import Decision, Parameters, Strategy\n"
        "class Nothing(Parameters):\n    pass\n"
        "@dataclass(slots=True)\nclass State:\n    bars: int\n"
        "def step(parameters, state, candle):\n    return Decision(1.0, 1)\n"
        "OWN = Strategy(name='own', description='Always in', parameters=Nothing, initial_state=lambda p: State(0),\n"
        "               step=step, warm_up=lambda p: 1, reasons=('warming_up', 'in'))\n"
    )
    own.write_text(text)
    document = document_of(typed("run", "--strategy", str(own), "--json"))
    assert (document["strategy"], len(document["fills"])) == ("own", 1)
    own.write_text(text.replace("    return Decision", "    import socket\n    return Decision"))
    refused = typed("run", "--strategy", str(own))
    assert refused.exit_code == 1
    assert "line 9" in refused.stderr
    assert "socket" in refused.stderr


def test_datasets_and_stored_history_stand_in_for_a_file(typed, home, tmp_path, candles_file, instrument, bars) -> None:
    asked: list[HistoryAsked] = []

    def history(range_: HistoryAsked):
        asked.append(range_)
        return instrument, bars

    named = Dataset("BTC-USDT", candles_file, json.loads(instrument.model_dump_json()))
    around = Surroundings(home, lambda: [named], history)
    from_dataset = document_of(typed("run", "--json", data="btc-usdt", surroundings=around))
    stored = (
        "run",
        "--json",
        "--venue",
        "binance",
        "--symbol",
        "BTC-USDT",
        "--timeframe",
        "1m",
        "--from",
        "2026-01-05",
    )
    from_stack = document_of(typed(*stored, data=None, surroundings=around))
    assert from_dataset["result_hash"] == from_stack["result_hash"]
    assert asked[0].start.isoformat() == "2026-01-05T00:00:00+00:00"
    assert asked[0].home == home
    assert "known=BTC-USDT" in typed("run", data="GOLD", surroundings=around).stderr
    assert "say what to run on" in typed("run", data=None).stderr


def test_a_walk_forward_a_report_and_a_comparison(typed, tmp_path) -> None:
    walked = document_of(
        typed(
            "walkforward", "--vary", "fast=2:6:2", "--vary", "slow=20,30", "--windows", "2", "--workers", "1", "--json"
        )
    )
    assert len(walked["manifest"]["windows"]) == 2
    document_of(typed("run", "--set", "fast=3", "--set", "slow=20", "--json"))
    kept = document_of(typed("list", "--json"))
    assert [run["kind"] for run in kept] == ["run", "walkforward"]
    assert document_of(typed("report", kept[1]["run_id"][:10], "--json"))["result_hash"] == walked["result_hash"]
    page = tmp_path / "page.html"
    assert typed("report", "last", "--out", str(page)).exit_code == 0
    assert "<html" in page.read_text()
    compared = document_of(typed("compare", *(run["run_id"] for run in kept), "--out", str(tmp_path), "--json"))
    assert compared["results"][1]["result_hash"] == walked["result_hash"]
    assert "<html" in (tmp_path / "comparison.html").read_text()
    assert "no such run" in typed("report", "0000").stderr


def trials_in(home: Path) -> int:
    store = home / "research" / "research.sqlite"
    if not store.exists():
        return 0
    with sqlite3.connect(store, timeout=10) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM trial").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # the tables are not there yet


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_sweep_goes_on_and_computes_nothing_twice(typed, home, candles_file, how) -> None:
    words = ["sweep", "--data", str(candles_file), "--home", str(home), "--method", "random", "--trials", "400",
             "--vary", "fast=2:15", "--vary", "slow=20:60", "--workers", "1", "--uncompiled"]  # fmt: skip
    code = "import sys; from algotrendy_backtest.cli.app import carry_out; "
    code += "from algotrendy_backtest.cli.surroundings import Surroundings; carry_out(sys.argv[1:], Surroundings())"
    process = subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True, env=os.environ)
    while not trials_in(home) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(how)
    _, said = process.communicate()
    done = trials_in(home)
    assert 0 < done < 400
    if how == signal.SIGINT:
        assert process.returncode == 5
        assert "--resume" in said
    document = document_of(typed("sweep", "--resume", "last", "--workers", "1", "--json"))
    assert [trial["number"] for trial in document["trials"]] == list(range(400))
    with sqlite3.connect(home / "research" / "research.sqlite") as connection:
        # Rows are numbered as they came: what was there before stayed as it was.
        first = connection.execute("SELECT count(*) FROM trial WHERE rowid <= ?", (done,)).fetchone()[0]
    assert first == done
    assert "that run is finished" in typed("sweep", "--resume", "last").stderr


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, algotrendy_backtest.cli.app; print({'numpy', 'numba', 'ray', 'optuna'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

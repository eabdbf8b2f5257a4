"""``algotrendy data quality`` and ``data restore``: what they print, write and refuse."""

import json
from pathlib import Path

import pytest
from algotrendy_local.cli import app
from click.testing import Result
from typer.testing import CliRunner

DAY = 86_400_000
START = 1_660_521_600_000


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Thirty days at about 100, of which one was at zero, one at 900 for a moment, and one has no time."""
    rows = [
        f"{START + DAY * day},{100 + day % 3},{102 + day % 3},{99 + day % 3},{101 + day % 3},5" for day in range(30)
    ]
    rows[10] = f"{START + DAY * 10},0,0,0,0,5"
    rows[20] = f"{START + DAY * 20},101,900,99,101,5"
    rows[25] = "yesterday,101,102,99,101,5"
    path = tmp_path / "faulty.csv"
    path.write_text("timestamp_ms,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return path


def test_faults_are_told_and_set_aside_and_may_come_back(faulty: Path, tmp_path: Path) -> None:
    clean, quarantine, page = tmp_path / "clean.csv", tmp_path / "aside.jsonl", tmp_path / "report.html"
    before = faulty.read_text()
    result = run("data", "quality", faulty, "--write", clean, "--quarantine", quarantine, "--html", page, "--json")
    assert result.exit_code == 1
    [document] = json.loads(result.stdout)
    # The day without a time leaves a hole.
    assert document["counts"] == {"gap": 1, "not_positive": 1, "spike": 1, "unreadable": 1}
    assert (document["rows"], document["set_aside"]) == (30, [12, 22, 27])
    assert faulty.read_text() == before
    assert len(clean.read_text().splitlines()) == 1 + 27
    assert "not_positive" in page.read_text()

    entries = [json.loads(line) for line in quarantine.read_text().splitlines()]
    assert [(entry["row"], entry["line"]) for entry in entries] == [
        (row, before.splitlines()[row - 1]) for row in (12, 22, 27)
    ]
    restored = run("data", "restore", quarantine, clean, "--rows", 22)
    assert "put back 1 rows; 2 stay set aside" in restored.stderr
    lines = clean.read_text().splitlines()
    assert len(lines) == 1 + 28
    assert lines[1 + 19] == f"{START + DAY * 20},101.0,900.0,99.0,101.0,5.0"
    again = run("data", "restore", quarantine, clean, "--rows", 22)
    assert (again.exit_code, "no row 22 that could be put back" in again.stderr) == (2, True)
    assert len(clean.read_text().splitlines()) == 1 + 28
    without_time = run("data", "restore", quarantine, clean, "--rows", 27)
    assert "row 27 has no time" in without_time.stderr


def test_a_report_says_in_words_what_is_wrong(faulty: Path) -> None:
    result = run("data", "quality", faulty)
    assert result.exit_code == 1
    told = " ".join(result.stdout.split())
    for words in ("not_positive", "set aside", "gap", "30 rows, 2022-08-15"):
        assert words in told


def test_what_is_right_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "right.csv"
    rows = "".join(f"{START + DAY * day},100,101,99,100,1\n" for day in range(10))
    path.write_text("timestamp_ms,open,high,low,close,volume\n" + rows)
    result = run("data", "quality", path)
    assert (result.exit_code, "nothing is wrong" in result.stdout) == (0, True)


def test_bad_input_is_one_line(faulty: Path, tmp_path: Path) -> None:
    for words in (
        ("data", "quality"),
        ("data", "quality", tmp_path / "none.csv"),
        ("data", "quality", faulty, "--keep", "both"),
        ("data", "quality", faulty, "--write", faulty),
        ("data", "quality", faulty, "--write", tmp_path / "no" / "folder.csv"),
        ("data", "quality", "--venue", "binance"),
        ("data", "quality", "--venue", "binance", "--symbol", "BTC-USDT", "--home", tmp_path),
        ("data", "restore", faulty, faulty),
        ("data", "quarantine", "--home", tmp_path),
        ("data", "quarantine", "--restore", "7"),
    ):
        result = run(*words)
        assert result.exit_code == 2, words
        assert len(result.stderr.splitlines()) == 1, result.stderr

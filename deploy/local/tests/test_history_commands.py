"""``algotrendy data download|coverage|verify|export|import``: what a person may get wrong, each told in one line."""

from datetime import UTC, datetime

import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_local.cli import app
from algotrendy_local.history.wanted import wanted, window
from typer.testing import CliRunner

BTC = ("--venue", "binance", "--symbols", "BTC-USDT")


def said(*words: str) -> str:
    """The one line on standard error."""
    result = CliRunner().invoke(app, ["data", *words])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    return line


@pytest.mark.parametrize("command", ["download", "verify"])
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("-v", "nope", "-s", "BTC-USDT", "--from", "2022-12-01"), "there is no venue nope; there are: binance, "),
        ((*BTC, "--from", "2022-12-05", "--to", "2022-12-01"), "the range ends (2022-12-01 00:00) before it starts"),
        ((*BTC, "--from", "2022-12-05", "-t", "7m"), "there is no timeframe 7m; there are: "),
        (("-v", "binance", "-s", "btcusdt", "--from", "2022-12-05"), "'BTCUSDT' is no symbol"),
        (("-v", "binance", "-s", " , ", "--from", "2022-12-05"), "name a symbol at least"),
    ],
    ids=["venue", "range", "timeframe", "symbol", "no symbol"],
)
def test_what_cannot_be_is_refused_before_anything_starts(command, words, line):
    assert line in said(command, *words)


def test_without_a_stack_each_command_says_so(tmp_path):
    home = ("--home", str(tmp_path / "nowhere"))
    for words in (
        ("download", *BTC, "--from", "2022-12-01"),
        ("verify", *BTC, "--from", "2022-12-01"),
        ("coverage",),
        ("coverage", *BTC),
        ("export", str(tmp_path), *BTC),
        ("import", str(tmp_path / "file.parquet")),
    ):
        assert said(*words, *home) == "error: no stack is running here; start it: algotrendy up"


def test_symbols_alone_do_not_say_of_which_venue(tmp_path):
    assert "say of which venue" in said("coverage", "--symbols", "BTC-USDT", "--home", str(tmp_path))


def test_what_is_asked_for_is_on_the_grid_and_each_symbol_once():
    asked = wanted("okx", "btc-usdt, BTC-USDT,eth-usdt-perp", "5m")
    assert (asked.symbols, asked.timeframe) == (("BTC-USDT", "ETH-USDT-PERP"), Timeframe.M5)
    start, end = window(datetime(2022, 12, 1, 10, 1), datetime(2022, 12, 1, 11, tzinfo=UTC), Timeframe.M5)
    assert (start, end) == (datetime(2022, 12, 1, 10, 5, tzinfo=UTC), datetime(2022, 12, 1, 11, tzinfo=UTC))
    with pytest.raises(Refused, match="before it starts"):
        window(end, end, Timeframe.M1)

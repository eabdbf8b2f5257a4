"""``algotrendy providers``: what it prints and refuses, and a night's batch that is killed and started again."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from algotrendy_common.testing.waiting import eventually
from algotrendy_local.cli import app
from algotrendy_local.providers.asking import VARIABLE
from algotrendy_simulator.providers.faults import ProviderFaultKind
from algotrendy_simulator.providers.server import ProviderHall, serving_providers
from click.testing import Result
from typer.testing import CliRunner

KEY = "k3y-never-to-be-seen"
RANGE = ("--start", "2020-06-01", "--end", "2020-06-17")


@pytest.fixture
async def hall() -> AsyncIterator[ProviderHall]:
    async with serving_providers(stand_ins=True) as running:
        yield running


def settings(hall: ProviderHall, *names: str, timeout_s: int = 60) -> str:
    members = [
        {"name": name, "base_url": hall.base_url(name), "api_key": KEY, "calls_a_minute": 1e6, "timeout": timeout_s}
        for name in names
    ]
    return json.dumps({"members": members, "attempts": 1})


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command in a thread: the providers answer in this one. Without a stack."""

    async def ran(told: str | None, *words: object) -> Result:
        monkeypatch.delenv(VARIABLE, raising=False)
        if told is not None:
            monkeypatch.setenv(VARIABLE, told)
        words = ("providers", *words, "--home", tmp_path / "home")
        return await asyncio.to_thread(CliRunner().invoke, app, [str(word) for word in words])

    return ran


def one_line(result: Result, code: int = 2) -> str:
    assert (result.exit_code, result.stdout) == (code, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    assert KEY not in result.stderr
    return result.stderr


async def test_bars_as_a_table_and_as_json(hall, run):
    told = settings(hall, "polygon")
    table = await run(told, "fetch", "bars", "AAPL", *RANGE)
    assert "2020-06-01  79.4375  80.5875  79.3025  80.4625  81000752" in table.stdout
    assert "adjusted: splits" in table.stdout
    told_json = json.loads((await run(told, "fetch", "bars", "AAPL", *RANGE, "--json")).stdout)
    assert len(told_json["bars"]) == 13
    assert told_json["bars"][0]["close"] == "80.4625"
    assert told_json["source"]["provider"] == "polygon"


async def test_a_quorum_a_failover_and_a_series(hall, run):
    hall.arm(ProviderFaultKind.ERROR, "fmp")
    passed_on = json.loads(
        (await run(settings(hall, "fmp", "polygon"), "fetch", "bars", "AAPL", *RANGE, "--json")).stdout
    )
    assert [one["provider"] for one in passed_on["source"]["tried"]] == ["fmp"]
    agreed = await run(settings(hall, "fmp", "polygon"), "fetch", "bars", "AAPL", *RANGE, "--agree", "2", "--json")
    assert json.loads(agreed.stdout)["source"]["agreed"] == ["fmp", "polygon"]
    observed = await run(settings(hall, "fred"), "fetch", "observations", "DGS10", "--start", "2022-03-21")
    assert "2022-03-21  2.32   2022-03-23" in observed.stdout


async def test_main_indicators_need_no_provider(run):
    assert "DGS10" in (await run(None, "fetch", "indicators")).stdout


async def test_status_shows_each_provider_and_no_key(hall, run):
    result = await run(settings(hall, "fmp", "fred"), "status", "--json")
    assert KEY not in result.stdout
    shown = {one["provider"]: one for one in json.loads(result.stdout)["providers"]}
    assert shown["fmp"]["calls_a_day"] == 250
    assert shown["fred"]["answers"] == ["observations", "series", "series_search"]
    assert "closed" in (await run(settings(hall, "fmp"), "status")).stdout


async def test_bad_input_is_one_line(hall, run, tmp_path):
    told = settings(hall, "polygon")
    assert VARIABLE in one_line(await run(None, "status"))
    assert "bloomberg" not in one_line(await run('{"members":[{"name":"bloomberg"}]}', "status"))
    assert "is no symbol" in one_line(await run(told, "fetch", "bars", "aapl"))
    assert "is no series" in one_line(await run(told, "fetch", "observations", "no/such"))
    assert "ends" in one_line(await run(told, "fetch", "bars", "AAPL", "--start", "2020-06-01", "--end", "2020-01-01"))
    assert "latest_price" in one_line(await run(told, "fetch", "price", "AAPL"))
    hall.arm(ProviderFaultKind.ERROR, "polygon")
    assert "503" in one_line(await run(told, "fetch", "bars", "AAPL", *RANGE), code=1)
    symbols = tmp_path / "symbols"
    symbols.write_text("AAPL\n\nno symbol\n")
    assert "line 3" in one_line(await run(told, "batch", symbols, "-o", tmp_path / "out"))
    symbols.write_text("# none\n")
    assert "names no symbol" in one_line(await run(told, "batch", symbols, "-o", tmp_path / "out"))
    assert "No such file" in one_line(await run(told, "batch", tmp_path / "none", "-o", tmp_path / "out"))


async def test_what_cannot_be_had_is_left_for_the_next_run_and_what_is_refused_is_said(hall, run, tmp_path):
    symbols = tmp_path / "symbols"
    symbols.write_text("AAPL\nMSFT\n^GSPC\n")
    told = settings(hall, "polygon")
    result = await run(told, "batch", symbols, "-o", tmp_path / "out", *RANGE, "--json")
    assert result.exit_code == 4
    outcome = json.loads(result.stdout)
    assert (outcome["fetched"], list(outcome["refused"]), outcome["left"]) == (2, ["^GSPC"], {})


async def test_a_night_that_is_killed_goes_on_where_it_was(hall, tmp_path):
    """Twenty symbols, kill -9 after six; then all are there, and only the two under way were asked for twice."""
    symbols = [f"S{number:02}" for number in range(20)]
    (tmp_path / "symbols").write_text("\n".join(symbols))
    out = tmp_path / "out"
    # After six answers none comes, so that the kill is in the middle however fast or slow the machine is.
    hall.arm(ProviderFaultKind.SLOW, "polygon", times=100, skip=6, delay_ms=600_000)
    environment = {**os.environ, VARIABLE: settings(hall, "polygon", timeout_s=900)}
    line = [
        *(sys.executable, "-m", "algotrendy_local", "providers", "batch", str(tmp_path / "symbols")),
        *("-o", str(out), *RANGE, "--at-once", "2", "--home", str(tmp_path / "home"), "--json"),
    ]

    def there() -> list[Path]:
        return sorted(out.glob("*.json"))

    process = await asyncio.create_subprocess_exec(*line, env=environment, stdout=subprocess.DEVNULL)
    await eventually(lambda: len(there()) == 6)
    await eventually(lambda: hall.calls["polygon"] == 8)
    process.kill()
    await process.wait()
    before = {file.name: file.stat().st_mtime_ns for file in there()}
    hall.faults.clear()
    # What a kill in the middle of a write leaves behind.
    (out / "S19.1.half").write_text('{"asked":')

    again = await asyncio.create_subprocess_exec(*line, env=environment, stdout=subprocess.PIPE)
    said, _ = await asyncio.wait_for(again.communicate(), 120)
    outcome = json.loads(said)
    assert again.returncode == 0
    assert (outcome["there_before"], outcome["fetched"]) == (6, 14)
    assert [file.stem for file in there()] == symbols
    assert {file.name: file.stat().st_mtime_ns for file in there() if file.name in before} == before
    assert not list(out.glob("*.half"))
    assert hall.calls["polygon"] == 22
    kept = json.loads(there()[0].read_text())
    assert (kept["answer"]["symbol"], len(kept["answer"]["bars"])) == ("S00", 13)

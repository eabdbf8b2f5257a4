"""``algotrendy migrate v25``: an old export in real servers, again, and with what it must not overwrite."""

import csv
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
from algotrendy_broker_gateway.migration_v25.importing import import_books
from algotrendy_common.errors import Refused
from algotrendy_common.migration_v25 import TableResult
from algotrendy_ingest.migration_v25.importing import import_market_data
from algotrendy_ingest.store.quest import QuestStore
from algotrendy_local.cli import app
from algotrendy_local.migration_v25 import report
from algotrendy_local.testing import Servers, servers_running
from typer.testing import CliRunner

EXPORT = Path(__file__).parents[3] / "examples" / "migration_v25" / "export"
GOOD = {"candles": 2562, "trades": 1141, "orders": 297, "positions": 84}
BAD = {"candles": 10, "trades": 5, "orders": 3, "positions": 2}

type Import = Callable[..., Awaitable[dict[str, TableResult]]]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with servers_running("postgres", "questdb", migrate=True) as servers:
        yield servers


@pytest.fixture
def imported(servers: Servers) -> Import:
    books = servers.addresses.service_postgres_url("broker_gateway")

    async def imported(folder: Path = EXPORT, *, dry_run: bool = False) -> dict[str, TableResult]:
        market = await import_market_data(folder, servers.addresses.questdb_url, dry_run=dry_run)
        results = [*market, *await import_books(folder, books, dry_run=dry_run)]
        return {result.table: result for result in results}

    return imported


async def counted(servers: Servers) -> dict[str, int]:
    store = QuestStore(servers.addresses.questdb_url)
    connection = await asyncpg.connect(servers.addresses.service_postgres_url("broker_gateway"))
    try:
        return {
            "candles": (await store.quest.ask("SELECT count() FROM bar"))[0][0],
            "trades": (await store.quest.ask("SELECT count() FROM trade"))[0][0],
            "orders": await connection.fetchval("SELECT count(*) FROM v25_orders"),
            "positions": await connection.fetchval("SELECT count(*) FROM v25_positions"),
        }
    finally:
        await connection.close()
        await store.close()


@pytest.mark.timeout(900)
async def test_an_export_is_imported_once_whole_and_never_written_over(
    servers: Servers, imported: Import, tmp_path: Path
) -> None:
    tried = await imported(dry_run=True)
    assert {name: result.accepted for name, result in tried.items()} == GOOD
    assert {name: len(result.rejected) for name, result in tried.items()} == BAD
    assert await counted(servers) == dict.fromkeys(GOOD, 0)

    first = await imported()
    assert await counted(servers) == GOOD
    for name, result in first.items():
        assert (result.written, result.there, result.repeated) == (GOOD[name], 0, 1)
        assert result.rows == result.accepted + result.repeated + len(result.rejected)
        assert result.verified
        assert (result.checksum, result.sums) == (tried[name].checksum, tried[name].sums)
    with (EXPORT / "candles.csv").open() as file:
        volumes = [Decimal(row["volume"]) for row in list(csv.DictReader(file))[: GOOD["candles"]]]
    assert first["candles"].kept_sums is not None
    assert first["candles"].kept_sums["volume"] == sum(volumes)

    second = await imported()
    assert await counted(servers) == GOOD
    assert [(result.written, result.there, result.verified) for result in second.values()] == [
        (0, count, True) for count in GOOD.values()
    ]

    # An export that says otherwise of four rows changes none of them, and adds what is new.
    for name in GOOD:
        lines = (EXPORT / f"{name}.csv").read_text().splitlines()[:20]
        cells = lines[1].split(",")
        place = lines[0].split(",").index({"candles": "volume", "trades": "amount"}.get(name, "quantity"))
        cells[place] = "77"
        (tmp_path / f"{name}.csv").write_text("\n".join((lines[0], ",".join(cells), *lines[2:])) + "\n")
    with (tmp_path / "trades.csv").open("a") as file:
        file.write("2022-12-11 23:59:59+00,binance,BTC/USDT,999,buy,17000,0.5\n")
    third = await imported(tmp_path)
    assert await counted(servers) == GOOD | {"trades": GOOD["trades"] + 1}
    for name, result in third.items():
        [other] = [each for each in result.rejected if each.line == 2]
        assert other.reason.startswith("there already, with other values: ")
        assert (result.written, result.verified) == (int(name == "trades"), True)


async def test_every_rejected_row_is_told_with_its_line_and_reason(imported: Import) -> None:
    results = await imported(dry_run=True)
    assert [(each.line, each.reason) for each in results["trades"].rejected] == [
        (1142, "trade_id is missing: a repeated trade could not be told from another"),
        (1143, "side is none of buy, sell: 'BUYER'"),
        (1144, "price is not above 0: 0"),
        (1145, "amount has more digits than can be kept: 1e-30"),
        (1147, "line 1146 is the same trade and says otherwise"),
    ]
    [old] = [each for each in results["candles"].rejected if "older" in each.reason]
    assert old.line == 2573
    document = report.document(list(results.values()), dry_run=True)
    assert json.loads(json.dumps(document))["rejected"] == sum(BAD.values())


async def test_a_folder_that_is_no_export_is_refused(imported: Import, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"the export has no candles\.csv"):
        await imported(tmp_path)
    (tmp_path / "candles.csv").write_text("time,open\n")
    with pytest.raises(Refused, match="the columns are time,open, not time,exchange"):
        await imported(tmp_path)
    result = CliRunner().invoke(app, ["migrate", "v25", str(tmp_path), "--home", str(tmp_path / "home")])
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "has no trades.csv, orders.csv, positions.csv" in result.stderr


def test_the_committed_export_is_what_its_generator_writes(tmp_path: Path) -> None:
    script = EXPORT.parent / "generate.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, capture_output=True, timeout=60)
    for name in GOOD:
        assert (tmp_path / f"{name}.csv").read_bytes() == (EXPORT / f"{name}.csv").read_bytes(), name

"""Kill -9 of ingest, of NATS and of QuestDB in mid-stream: what is recorded is the venue's tape, count and sum."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from decimal import Decimal

import httpx
import pytest
from algotrendy_local import migrate
from algotrendy_simulator.testing import running_venue

SYMBOLS = ("BTC-USDT", "LTC-USDT")
PATIENCE_S = 240.0


@pytest.fixture
async def venue():
    # Slow enough that what a machine under load misses between two starts is within what the venue gives again.
    async with running_venue(speed=10) as running:
        yield running


class Process:
    """Ingest as it runs in earnest, in a process of its own."""

    def __init__(self, servers, venue):
        self._environment = os.environ | servers.environment("ingest") | {
            "ALGOTRENDY_INGEST_BINANCE_HTTP_URL": venue.http,
            "ALGOTRENDY_INGEST_BINANCE_WS_URL": venue.ws,
            "ALGOTRENDY_INGEST_SYMBOLS": ",".join(SYMBOLS),
            "ALGOTRENDY_INGEST_REPLAY": "true",
            "ALGOTRENDY_INGEST_HEALTH_PORT": "0",
            "ALGOTRENDY_INGEST_HISTORY_CANDLES": "10",
            "ALGOTRENDY_INGEST_OVERDUE_AFTER": "PT7S",
        }  # fmt: skip
        self._process = None

    async def start(self):
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "algotrendy_ingest", env=self._environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def kill(self):
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def process_of(servers, venue):
    process = Process(servers, venue)
    await process.start()
    try:
        yield process
    finally:
        await process.kill()


async def newest_number(venue, symbol):
    return (await venue.admin("GET", f"/api/v3/trades?symbol={symbol.replace('-', '')}&limit=1"))[0]["id"]


async def tape_of(venue, symbol, first, last):
    tape = []
    while first <= last:
        name = symbol.replace("-", "")
        tape += await venue.admin("GET", f"/api/v3/trades?symbol={name}&fromId={first}&limit=1000")
        first = tape[-1]["id"] + 1
    return [row for row in tape if row["id"] <= last]


@pytest.fixture
async def ask(servers, quest):
    """Rows of QuestDB; none while it is away."""
    async with httpx.AsyncClient(base_url=servers.addresses.questdb_url, timeout=10) as client:

        async def rows(sql):
            try:
                answer = await client.get("/exec", params={"query": sql})
                return answer.json().get("dataset") or []
            except (httpx.HTTPError, ValueError):
                return []

        yield rows


async def rows_of(ask, symbol):
    """By number, and how many rows there are."""
    found = await ask(f"SELECT trade_id, price, quantity FROM trade WHERE symbol = '{symbol}'")
    return {int(row[0]): (Decimal(row[1]), Decimal(row[2])) for row in found}, len(found)


async def numbers_of(ask, symbol):
    """The first and the last that are recorded."""
    found = await ask(
        f"SELECT min(cast(trade_id AS LONG)), max(cast(trade_id AS LONG)) FROM trade WHERE symbol = '{symbol}'"
    )
    return found[0] if found and found[0][0] is not None else None


@pytest.mark.timeout(900)
async def test_count_and_sum_are_the_tapes_whatever_is_killed_and_when(servers, venue, ask, until):
    async with process_of(servers, venue) as ingest:

        async def begun():
            found = {symbol: await numbers_of(ask, symbol) for symbol in SYMBOLS}
            return None not in found.values() and {symbol: numbers[0] for symbol, numbers in found.items()}

        firsts = await until(begun, PATIENCE_S)

        async def goes_on():
            """Something that was traded after this moment is recorded."""
            number = await newest_number(venue, SYMBOLS[0])

            async def recorded():
                numbers = await numbers_of(ask, SYMBOLS[0])
                return numbers is not None and numbers[1] > number

            await until(recorded, PATIENCE_S)

        async def start_nats():
            await servers.start("nats")
            await migrate.up(servers.addresses, streams=True, services=())

        await servers.kill("questdb")
        await servers.start("questdb")
        await goes_on()
        await ingest.kill()
        await ingest.start()
        await goes_on()
        await servers.kill("nats")
        await start_nats()
        await goes_on()
        # Everything at once, before the ledger could write what the bus had not delivered.
        await asyncio.gather(servers.kill("nats"), ingest.kill(), servers.kill("questdb"))
        await asyncio.gather(start_nats(), servers.start("questdb"))
        await ingest.start()
        await goes_on()

        for symbol in SYMBOLS:
            first, last = firsts[symbol], await newest_number(venue, symbol)
            tape = {
                row["id"]: (Decimal(row["price"]), Decimal(row["qty"]))
                for row in await tape_of(venue, symbol, first, last)
            }
            assert len(tape) == last - first + 1

            async def whole(symbol=symbol, tape=tape):
                rows, count = await rows_of(ask, symbol)
                return tape.keys() <= rows.keys() and (rows, count)

            rows, count = await until(whole, PATIENCE_S)
            assert count == len(rows), "a trade is recorded twice"
            mine = {number: row for number, row in rows.items() if first <= number <= last}
            assert len(mine) == len(tape)
            assert _sums(mine) == _sums(tape)


def _sums(rows):
    return sum(quantity for _, quantity in rows.values()), sum(price * quantity for price, quantity in rows.values())

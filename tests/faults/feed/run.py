"""Feeds survive what sockets do: the whole ingest on real servers, each seed another venue and another order of faults.

``undetected`` are faults that no metric told of; ``healed_p95_s`` is from the detection to books, quotes and trades on
the bus again. ``missing`` and ``doubled`` are rows of QuestDB against the venue's own tape.
"""

import asyncio
import json
import math
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import httpx
import nats
from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import FeedState
from algotrendy_common.events.market import BookSnapshotTaken, FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.settings import load
from algotrendy_common.subjects import inbox_prefix
from algotrendy_ingest.adapters.registry import ADAPTERS
from algotrendy_ingest.service import build_app
from algotrendy_ingest.settings import IngestSettings
from algotrendy_local.testing import Servers, running_servers
from algotrendy_simulator.testing import running_venue

from tests.faults.feed.witness import SYMBOL, Witness, counted, until, watching

BOOK = {
    "binance": ("depthUpdate",),
    "bybit": ("orderbook.50.", '"delta"'),
    "coinbase": ("l2_data", '"update"'),
    "cryptocom": ("book.update",),
    "kraken": ('"channel":"book"', '"update"'),
    "okx": ('"channel":"books"', '"update"'),
}
TRADE = {
    "binance": ('"e":"trade"',),
    "bybit": ("publicTrade.",),
    "coinbase": ("market_trades", '"update"'),
    "cryptocom": ('"channel":"trade"',),
    "kraken": ('"channel":"trade"', '"update"'),
    "okx": ('"channel":"trades"',),
}
"""What stands in a message that changes a book, and in one that tells a trade."""
NUMBERED = frozenset({"binance", "coinbase", "kraken", "okx"})
"""Venues that number their trades or messages, so that one lost by itself shows."""
CHECKED = frozenset({"kraken", "okx"})


@dataclass
class Found:
    injected: int = 0
    undetected: list[str] = field(default_factory=list)
    healed_s: list[float] = field(default_factory=list)
    unequal: int = 0
    missing: int = 0
    doubled: int = 0
    trades: int = 0


def faults_at(venue: str) -> list[str]:
    every = ["drop", "mute", "lose_book", "reorder_book", "duplicate_book", "duplicate_trade"]
    return every + ["lose_trade"] * (venue in NUMBERED) + ["corrupt_book"] * (venue in CHECKED)


async def inject(fault: str, witness: Witness, found: Found) -> None:
    name, venue = witness.name, witness.venue
    kind, _, stream = fault.partition("_")
    found.injected += 1
    lost, books, gaps, repeated = (
        _rise(metric, name)
        for metric in ("algotrendy_feed_lost", "algotrendy_feed_books_lost", "algotrendy_feed_gaps",
                       "algotrendy_feed_repeated_trades")
    )  # fmt: skip
    told: Callable[[], bool]
    match fault:
        case "drop":
            await venue.admin("POST", "/admin/sockets/drop", {"kind": "market"})
            told = lost
        case "mute":
            await venue.admin("POST", "/admin/sockets/mute", {"muted": True})
            told = lost
        case _:
            marks = BOOK[name] if stream == "book" else TRADE[name]
            struck = (await venue.admin("POST", "/admin/sockets/spoil"))["struck"]
            await venue.admin("POST", "/admin/sockets/spoil", {"kind": kind, "contains": marks})

            async def strikes() -> bool:
                return bool((await venue.admin("POST", "/admin/sockets/spoil"))["struck"] > struck)

            await until(strikes, f"{fault} at {name}")
            told = {"duplicate_trade": repeated, "lose_trade": lambda: gaps() or books()}.get(fault, books)
    if fault == "duplicate_book":
        return  # says what the book says already: the comparison at the end is the proof
    try:
        await until(told, f"{fault} at {name} told of", 60.0)
    except AssertionError:
        found.undetected.append(f"{fault} at {name}")
    if fault == "mute":
        await venue.admin("POST", "/admin/sockets/mute", {"muted": False})
    if fault != "duplicate_trade":
        found.healed_s.append(await healing(witness))


def _rise(metric: str, venue: str) -> Callable[[], bool]:
    before = counted(metric, venue)
    return lambda: counted(metric, venue) > before


async def healing(witness: Witness) -> float:
    """Seconds until the bus has trades, quotes and a book again and health says so."""
    begun, before = monotonic_s(), dict(witness.heard)
    kinds = (TradePrinted, QuoteChanged, BookSnapshotTaken)

    def well() -> bool:
        health = witness.last.get(FeedHealthChanged)
        assert isinstance(health, FeedHealthChanged)
        return health.state is FeedState.LIVE and all(witness.heard[kind] > before[kind] for kind in kinds)

    await until(well, f"healing at {witness.name}")
    return monotonic_s() - begun


async def one_run(servers: Servers, seed: int, found: Found) -> None:
    name = sorted(ADAPTERS)[seed % len(ADAPTERS)]
    order = faults_at(name)
    Random(seed).shuffle(order)
    await _empty(servers)
    async with (
        running_venue(venue=name, speed=60, seed=seed, history=60) as venue,
        watching(servers, name, venue) as seen,
    ):
        feeds = [{"venue": name, "symbols": [SYMBOL], "http_url": venue.http, "ws_url": venue.ws}]
        environment = servers.environment("ingest") | {
            "ALGOTRENDY_INGEST_FEEDS": json.dumps(feeds),
            "ALGOTRENDY_INGEST_REPLAY": "true",
            "ALGOTRENDY_INGEST_HEALTH_PORT": "0",
            "ALGOTRENDY_INGEST_MUTE_AFTER": "PT3S",
            "ALGOTRENDY_INGEST_MUTE_TRADES_AFTER": "PT3S",
        }
        async with build_app(load(IngestSettings, "ingest", environment)).running():
            await until(lambda: seen.heard[TradePrinted] >= 20 and seen.heard[BookSnapshotTaken], f"{name} live")
            for fault in order:
                await inject(fault, seen, found)
            found.unequal += not await seen.book_is_the_venues()
            doubled, missing = await seen.rows()
            found.doubled += doubled
            found.missing += len(missing)
            found.trades += seen.heard[TradePrinted]
    print(f"seed {seed}: {name}, {' '.join(order)}; {len(missing)} missing", flush=True)


async def _empty(servers: Servers) -> None:
    """Every run's venue begins in the same year with the same numbers."""
    migrator = await nats.connect(
        servers.addresses.nats_url,
        nkeys_seed_str=servers.addresses.nats_seed("migrator"),
        inbox_prefix=inbox_prefix("migrator"),
    )
    await migrator.jetstream().purge_stream("MARKET")
    await migrator.close()
    async with httpx.AsyncClient(timeout=30) as client:
        for table in ("trade", "quote", "bar", "book"):
            await client.get(f"{servers.addresses.questdb_url}/exec", params={"query": f"DROP TABLE IF EXISTS {table}"})


async def _runs(seeds: range, found: Found) -> None:
    async with running_servers("nats", "questdb", "redis", migrate=True) as servers:
        for seed in seeds:
            await one_run(servers, seed, found)


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="python -m tests.faults feed", description=__doc__)
    parser.add_argument("--seeds", type=int, default=12, help="runs; six take every venue once")
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args(arguments)
    begun, found = time.monotonic(), Found()
    asyncio.run(_runs(range(options.first, options.first + options.seeds), found))
    for line in found.undetected:
        print(f"undetected: {line}")
    healed = sorted(found.healed_s)
    p95 = healed[max(0, math.ceil(0.95 * len(healed)) - 1)] if healed else math.nan
    ok = not (found.undetected or found.unequal or found.missing or found.doubled) and p95 < 2.0
    figures = {
        "name": "feed", "seeds": options.seeds, "venues": min(options.seeds, len(ADAPTERS)),
        "injected": found.injected, "undetected": len(found.undetected), "books_unequal": found.unequal,
        "healed_p95_s": round(p95, 3), "healed_worst_s": round(healed[-1], 3) if healed else None,
        "trades": found.trades, "missing": found.missing, "doubled": found.doubled,
        "took_s": round(time.monotonic() - begun, 1), "ok": ok,
    }  # fmt: skip
    print(json.dumps(figures), flush=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

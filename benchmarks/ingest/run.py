"""Feeds by the core: recorded raw messages into ticks and checked books, cryptofeed on the same ones beside it.

Both are given the same texts and the same REST snapshots, take turns in the same run, and must end with the same best
levels; each figure is the best of several passes, in processor seconds, for both work on one core. cryptofeed's version
that can be installed reads no layout before today's, so of Kraken, Coinbase and Crypto.com there is ours alone. Then
the ticks are published: on top of the reading, as events on a real NATS.
"""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

from algotrendy_common.app import App
from algotrendy_common.clock import monotonic_s
from algotrendy_common.events.market import BookSnapshotTaken, QuoteChanged, TradePrinted
from algotrendy_common.settings import load
from algotrendy_ingest.adapters.registry import ADAPTERS, loaded
from algotrendy_ingest.domain.ticks import QuoteTick, Stamp, TradeTick
from algotrendy_ingest.settings import IngestSettings
from algotrendy_ingest.wire.protocol import Heard, Line, SnapshotWanted
from algotrendy_local.testing import running_servers

from benchmarks.environments import Missing, answer_of, python_of
from benchmarks.result import close, percentile

RECORDINGS = Path(__file__).parents[2] / "services/ingest/tests/recordings"
CASES = {
    "binance": ("binance", ("binance_ws.1", "binance_http")),
    "binance_futures": ("binance", ("binance_futures_ws.1", "binance_futures_http")),
    "okx": ("okx", ("okx_ws.1",)),
    "bybit": ("bybit", ("bybit_v5_XRPUSDT_ob500",)),
    "coinbase": ("coinbase", ("coinbase_ws.28",)),
    "kraken": ("kraken", ("kraken_ws.48", "kraken_ws.49", "kraken_ws.50")),
}
PEERS = ("binance", "binance_futures", "okx", "bybit")
PASSES, TURNS = 10, 3
RATE, SECONDS = 5_000, 5
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 0)
type Entry = dict[str, Any]


def recorded(names: tuple[str, ...]) -> list[Entry]:
    entries = [json.loads(line) for name in names for line in (RECORDINGS / f"{name}.jsonl").open()]
    if "raw" not in entries[0]:  # an archive of bare messages
        return [{"kind": "recv", "raw": json.dumps(entry, separators=(",", ":")), "t": "0"} for entry in entries]
    entries.sort(key=lambda entry: float(entry["t"]))
    return entries


def opened(venue: str, entries: list[Entry]) -> Line:
    line: Line = loaded(ADAPTERS[venue].line)()
    for entry in entries:
        if entry["kind"] == "open":
            line.opened(entry["url"])
    return line


def read(line: Line, texts: list[str], bodies: dict[str, str]) -> Iterator[Heard]:
    """What is heard, with each snapshot as soon as it is asked for."""
    for text in texts:
        for heard in line.read(text, NOW):
            if isinstance(heard, SnapshotWanted):
                market = line.find(heard.symbol)
                assert market is not None
                yield from line.snapshot(heard.symbol, bodies[market.names.id], NOW)
            else:
                yield heard


def ours(venue: str, entries: list[Entry]) -> tuple[float, Line, int]:
    """Processor seconds of the best pass, the line as it ended, and how many messages it was."""
    texts = [entry["raw"] for entry in entries if entry["kind"] == "recv"]
    bodies = {_symbol(entry["url"]): entry["raw"] for entry in entries if entry["kind"] == "http"}
    best = float("inf")
    for _ in range(PASSES):
        line = opened(venue, entries)
        begun = process_time()
        for _heard in read(line, texts, bodies):
            pass
        best = min(best, process_time() - begun)
    return best, line, len(texts)


def _symbol(url: str) -> str:
    return url.split("symbol=")[1].split("&")[0]


def beside(case: str, entries: list[Entry], figures: dict[str, float | int | str]) -> float | None:
    """Ours over theirs, in turns; None where the peer cannot be had. The books at the end must agree."""
    mine, theirs = [], []
    try:
        python = python_of("cryptofeed", "cryptofeed==3.0.1", versions=("3.13",))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "messages.jsonl"
            path.write_text("".join(json.dumps(entry) + "\n" for entry in entries if entry["kind"] in ("recv", "http")))
            script = Path(__file__).parent / "peers/run_cryptofeed.py"
            for _ in range(TURNS):
                cpu_s, line, messages = ours(CASES[case][0], entries)
                mine.append(cpu_s)
                answer = answer_of("cryptofeed", python, script, case, str(path), str(PASSES))
                theirs.append(answer["cpu_s"])
    except Missing as missing:
        print(missing)
        return None
    for id, sides in answer["books"].items():
        book = line.markets[id.replace("/", "")].book
        told = {
            "bids": [list(level) for level in book.bids.best(5)],
            "asks": [list(level) for level in book.asks.best(5)],
        }
        assert told == sides, f"{case}: the books of {id} differ: {told} {sides}"
    figures[f"{case}_per_s"] = round(messages / min(mine))
    figures[f"{case}_cryptofeed_per_s"] = round(messages / min(theirs))
    return min(theirs) / min(mine)


async def publishing(figures: dict[str, float | int | str]) -> None:
    """Binance's futures over and over as events: what one costs, and how late it is at a steady pace."""
    entries = recorded(CASES["binance_futures"][1])
    texts = [entry["raw"] for entry in entries if entry["kind"] == "recv"]
    bodies = {_symbol(entry["url"]): entry["raw"] for entry in entries if entry["kind"] == "http"}
    line = opened("binance", entries)
    ticks = [one for one in read(line, texts, bodies) if isinstance(one, TradeTick | QuoteTick)]
    async with running_servers("nats", migrate=True) as servers:
        environment = servers.environment("ingest") | {"ALGOTRENDY_INGEST_HEALTH_PORT": "0"}
        app = App("ingest", load(IngestSettings, "ingest", environment))
        app.publishes(TradePrinted, QuoteChanged, BookSnapshotTaken)
        async with app.running():
            begun = process_time()
            for tick in ticks * 5:
                await app.bus.publish(_event(app, tick))
            await app.bus.client.flush()
            figures["publish_us"] = round((process_time() - begun) / (len(ticks) * 5) * 1e6, 1)
            late: list[float] = []
            start, sent = monotonic_s(), 0
            while sent < RATE * SECONDS:
                due = int((monotonic_s() - start) * RATE) - sent
                for _ in range(min(due, RATE * SECONDS - sent)):
                    read_s = monotonic_s()
                    await app.bus.publish(_event(app, ticks[sent % len(ticks)]))
                    late.append(monotonic_s() - read_s)
                    sent += 1
                await asyncio.sleep(0.0005)
    figures["paced_per_s"] = round(sent / (monotonic_s() - start))
    figures["publish_p50_ms"] = round(percentile(late, 0.5) * 1000, 3)
    figures["publish_p99_ms"] = round(percentile(late, 0.99) * 1000, 3)


def _event(app: App, tick: TradeTick | QuoteTick) -> TradePrinted | QuoteChanged:
    common = {"event_time": tick.event_time, "venue": "binance", "symbol": tick.symbol}
    if isinstance(tick, TradeTick):
        return app.events.make(
            TradePrinted, trade_id=tick.trade_id, price=tick.price, quantity=tick.quantity, side=tick.side, **common
        )
    return app.events.make(
        QuoteChanged,
        bid=tick.bid,
        bid_quantity=tick.bid_quantity,
        ask=tick.ask,
        ask_quantity=tick.ask_quantity,
        **common,
    )


def main() -> None:
    figures: dict[str, float | int | str] = {}
    targets: dict[str, tuple[str, float]] = {"publish_p50_ms": ("<=", 0.5), "paced_per_s": (">=", 0.98 * RATE)}
    for case, (venue, names) in CASES.items():
        entries = recorded(names)
        ratio = beside(case, entries, figures) if case in PEERS else None
        if ratio is None:
            cpu_s, _, messages = ours(venue, entries)
            figures[f"{case}_per_s"] = round(messages / cpu_s)
        else:
            figures[f"{case}_ratio"] = round(ratio, 2)
            targets[f"{case}_ratio"] = (">=", 1.0)
        print(f"{case}: {figures[f'{case}_per_s']} messages/s a core", flush=True)
    asyncio.run(publishing(figures))
    close("ingest", figures, targets)


if __name__ == "__main__":
    main()

"""A night of 500 symbols: calls to the provider with the cache and without, counted by the provider itself.

The first round is the command, killed in the middle and started again; the rounds after it are questions for ranges of
four lengths, by processes that know of the first one by Redis alone.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
from algotrendy_common import telemetry
from algotrendy_common.clock import SystemClock
from algotrendy_common.rpc.providers import DailyBarsAsked
from algotrendy_common.settings import PlatformSettings
from algotrendy_ingest.providers.desk import build_desk
from algotrendy_ingest.providers.settings import ProvidersSettings
from algotrendy_local.providers.asking import VARIABLE
from algotrendy_local.testing import running_servers

from benchmarks.result import close, percentile

SYMBOLS = int(os.environ.get("ALGOTRENDY_BENCH_SYMBOLS", "500"))
ROUNDS = 24
"""Half an hour apart from eight in the evening to eight in the morning."""
AT_ONCE = 4
END = date(2020, 6, 17)
SPANS = tuple(timedelta(days=days) for days in (365, 30, 5, 90))


def names() -> list[str]:
    return [f"S{number:04}" for number in range(SYMBOLS)]


def there(folder: Path) -> int:
    return len(list(folder.glob("out/*.json")))


@asynccontextmanager
async def recorded_providers() -> AsyncIterator[str]:
    """In a process of its own; its base URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "algotrendy_simulator.providers", "--port", "0", "--stand-ins"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield json.loads(await process.stdout.readline())["http"]
    finally:
        process.terminate()
        await process.wait()


def settings(http: str, redis_url: str, cache: bool) -> dict[str, Any]:
    member = {"name": "polygon", "base_url": f"{http}/polygon", "api_key": "none", "calls_a_minute": 1e9}
    return {"members": [member], "redis_url": redis_url, "cache": cache}


async def calls(http: str) -> int:
    async with httpx.AsyncClient() as client:
        answered = await client.get(f"{http}/admin/calls")
    return int(answered.json().get("polygon", 0))


async def batch(told: dict[str, Any], folder: Path, kill_at: int | None) -> dict[str, Any] | None:
    """The command; killed once so many files are there, then None."""
    file = folder / "symbols"
    file.write_text("\n".join(names()))
    line = [
        *(sys.executable, "-m", "algotrendy_local", "providers", "batch", str(file), "-o", str(folder / "out")),
        *("--start", str(END - SPANS[0]), "--end", str(END), "--at-once", str(AT_ONCE)),
        *("--home", str(folder / "home"), "--json"),
    ]
    process = await asyncio.create_subprocess_exec(
        *line, env={**os.environ, VARIABLE: json.dumps(told)}, stdout=asyncio.subprocess.PIPE
    )
    if kill_at is not None:
        while there(folder) < kill_at and process.returncode is None:
            await asyncio.sleep(0.005)
        process.kill()
        await process.wait()
        return None
    said, _ = await process.communicate()
    outcome: dict[str, Any] = json.loads(said)
    return outcome


async def ask_all(told: dict[str, Any], rounds: range, tooks: list[float]) -> None:
    """Every symbol, once a round, by a desk of its own each round."""
    for number in rounds:
        desk = build_desk(ProvidersSettings.model_validate(told), SystemClock())
        for symbol in names():
            started = time.perf_counter()
            await desk.ask(DailyBarsAsked(symbol=symbol, start=END - SPANS[number % len(SPANS)], end=END))
            tooks.append((time.perf_counter() - started) * 1000)
        await desk.close()


async def measure() -> tuple[dict[str, float | int | str], bool]:
    async with running_servers("redis") as servers, recorded_providers() as http:
        url = servers.addresses.redis_url
        hits: list[float] = []
        fetches: list[float] = []
        with tempfile.TemporaryDirectory() as folder:
            with_cache = settings(http, url, True)
            await batch(with_cache, Path(folder), kill_at=SYMBOLS * 2 // 5)
            outcome = await batch(with_cache, Path(folder), kill_at=None)
            assert outcome is not None
            after_batch = await calls(http)
            print(f"batch, killed once: {outcome['there_before']} were there, {outcome['fetched']} fetched after")
            await ask_all(with_cache, range(1, ROUNDS), hits)
            cached = await calls(http)
            whole = outcome["there_before"] + outcome["fetched"] == SYMBOLS == there(Path(folder))
        await ask_all(settings(http, url, False), range(ROUNDS), fetches)
        uncached = await calls(http) - cached
    return {
        "symbols": SYMBOLS,
        "questions": SYMBOLS * ROUNDS,
        "calls_of_the_batch": after_batch,
        "asked_twice_for_the_kill": after_batch - SYMBOLS,
        "calls_with_cache": cached,
        "calls_without_cache": uncached,
        "fewer_calls_percent": round(100 * (1 - cached / uncached), 2),
        "cached_answer_ms_p50": round(percentile(hits, 0.5), 3),
        "cached_answer_ms_p99": round(percentile(hits, 0.99), 3),
        "fetched_answer_ms_p50": round(percentile(fetches, 0.5), 3),
    }, whole


def main() -> None:
    telemetry.set_up("bench", PlatformSettings(log_level="ERROR"))
    figures, whole = asyncio.run(measure())
    if not whole:
        raise SystemExit("the night is not whole")
    close(
        "providers",
        figures,
        {"fewer_calls_percent": (">=", 95), "asked_twice_for_the_kill": ("<=", AT_ONCE)},
    )


if __name__ == "__main__":
    main()

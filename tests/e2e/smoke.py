"""The demo without a person: ``python -m tests.e2e.smoke [--no-browser] [--orders N]``.

Exit status 0 only when orders have gone from signal through approval and fill to a position, our books equal the
venue's own, the backtest of the same candles decides and orders the same, and the page in a headless browser shows
that position. The last line is JSON.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import httpx

from tests.e2e.books import differences
from tests.e2e.hops import Watcher, until
from tests.e2e.stack import ROOT, NotStarted, Page, Stack, running_stack

ACCOUNT = "paper-1"


def say(text: str) -> None:
    print(f"  {text}", flush=True)


async def watch_orders(stack: Stack, wanted: int) -> Watcher:
    watcher = Watcher()
    await watcher.start(stack.nats_url, stack.seed_file("observer"))
    try:
        await until(lambda: len(watcher.complete()) >= wanted, 180, f"{wanted} filled order(s)")
    finally:
        await watcher.stop()
    return watcher


def settled(api: Page, venue: str) -> list[str]:
    """Differences between our books and the venue's, once nothing moves any more."""
    deadline = time.monotonic() + 30
    while True:
        found = differences(api, venue, ACCOUNT)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def parity(stack: Stack) -> dict[str, object]:
    """What the backtest makes of what was traded: counts, and where the P&L differs.

    ``ok``: every decision is the backtest's, every order is one of its orders with its quantity, and what was earned
    differs by latency, slippage and fees alone. A bar lasts half a second here, so an order may come a bar late (the
    one before was still under way): that is latency, and counted.
    """
    ended = stack.algotrendy("parity", "--json", check=False)
    if not ended.stdout.strip():
        raise RuntimeError(f"no parity report: {ended.stderr.strip()}")
    told = json.loads(ended.stdout.strip().splitlines()[-1])
    rows = [row for report in told["strategies"] for row in report["orders"]]
    kinds = Counter(row["kind"] for row in rows)
    parts = ("signal", "latency", "slippage", "fees", "missed")
    split = {part: sum((Decimal(row["split"][part]) for row in rows), Decimal(0)) for part in parts}
    matched = bool(kinds["same"]) and kinds["same"] + kinds["later"] == len(rows)
    explained = not (split["signal"] or split["missed"])
    return {
        "ok": ended.returncode == 0 and matched and explained and not told["left_out"],
        "bars": sum(report["bars"] for report in told["strategies"]),
        "signals": sum(report["signals"] for report in told["strategies"]),
        "signals_same": sum(report["signals_same"] for report in told["strategies"]),
        "decisions_differing": sum(len(report["decisions"]) for report in told["strategies"]),
        "orders": dict(kinds),
        "left_out": told["left_out"],
        "pnl_difference": str(sum(split.values())),
        "split": {part: str(amount) for part, amount in split.items()},
    }


def look_at_page(stack: Stack, symbol: str, quantity: str) -> dict[str, object]:
    """The page in a real browser: logs in and finds the position; raises where it does not."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
    told = json.dumps(
        {"url": stack.url, "user": stack.user, "password": stack.password, "symbol": symbol, "quantity": quantity,
         "pictures": str(ROOT / ".build" / "smoke")}
    )  # fmt: skip
    ended = subprocess.run(
        ["node", "e2e/smoke.mjs"],
        cwd=ROOT / "web",
        input=told,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"CHROMIUM": chromium},
    )
    if ended.returncode != 0:
        raise RuntimeError(f"the page does not show the position: {ended.stderr or ended.stdout}")
    seen: dict[str, object] = json.loads(ended.stdout.strip().splitlines()[-1])
    return seen


def run(home: Path, browser: bool, wanted: int) -> dict[str, object]:
    began = time.monotonic()
    with running_stack(home, "--speed", "120") as stack:
        started_s = round(time.monotonic() - began, 1)
        say(f"started in {started_s} s: {stack.url}")
        watcher = asyncio.run(watch_orders(stack, wanted))
        say(f"{len(watcher.complete())} order(s) went from signal to fill")
        api = Page(stack)
        strategies = [row["strategy"] for row in api.get("strategies") if row["status"] == "running"]
        for strategy in strategies:
            api.post(f"strategies/{strategy}/stop")
        httpx.post(f"{stack.venue}/admin/pause").raise_for_status()
        found = settled(api, stack.venue)
        positions = [row for row in api.get("positions", account=ACCOUNT) if Decimal(row["quantity"])]
        fills = api.get("fills", account=ACCOUNT, limit=1000)
        say(f"books compared: {len(found)} difference(s), {len(fills)} fills, {len(positions)} open position(s)")
        for line in found:
            say(line)
        matched = parity(stack)
        say(
            f"backtest of the same candles over {matched['bars']} bars: {matched['signals_same']} of"
            f" {matched['signals']} signal(s) the same, orders {matched['orders']}"
        )
        seen: dict[str, object] | str = "not looked at"
        if browser and positions:
            seen = look_at_page(stack, positions[0]["symbol"], positions[0]["quantity"])
            say(f"the page shows {positions[0]['quantity']} {positions[0]['symbol']}")
        rows = stack.status()
        api.close()
        return {
            "ok": not found and bool(positions) and bool(fills) and not watcher.unreadable and bool(matched["ok"]),
            "hops_ms": watcher.medians(),
            "counts": {
                "orders": len(watcher.journeys),
                "complete": len(watcher.complete()),
                "fills": len(fills),
                "positions": len(positions),
                "differences": len(found),
                "unreadable": len(watcher.unreadable),
                "restarts": sum(row["restarts"] for row in rows.values()),
            },
            "parity": matched,
            "traces_followed": sum(len(journey.trace_ids) == 1 for journey in watcher.journeys.values()),
            "started_s": started_s,
            "resident_mib": round(sum(row["memory_bytes"] or 0 for row in rows.values()) / 1024**2),
            "page": seen,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-browser", action="store_true", help="do not look at the page")
    parser.add_argument("--orders", type=int, default=1, help="filled orders to wait for")
    parser.add_argument("--keep", type=Path, help="keep the data in this folder")
    options = parser.parse_args()
    home = options.keep or Path(tempfile.mkdtemp(prefix="algotrendy-smoke-"))
    try:
        result = run(home, not options.no_browser, options.orders)
    except (NotStarted, TimeoutError, RuntimeError, httpx.HTTPError) as error:
        result = {"ok": False, "error": str(error)}
    finally:
        if options.keep is None:
            shutil.rmtree(home, ignore_errors=True)
    print(json.dumps({"name": "smoke"} | result), flush=True)
    sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
    main()

"""``algotrendy feed record``: the recorder run until its time is over or somebody ends it.

Invariant: however it ends, the file holds whole lines; a file that is there is left alone.
"""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from algotrendy_common.clock import SystemClock
from algotrendy_common.errors import Refused
from algotrendy_ingest.recording import Recorder


def record(
    file: Path,
    venue: str,
    symbols: Sequence[str],
    seconds: float | None,
    http_url: str | None,
    ws_url: str | None,
    say: Callable[[str], None],
) -> int:
    """How many messages were received. Raises Refused."""
    if not symbols:
        raise Refused("nothing_wanted", "name a symbol at least: --symbols BTC-USDT")
    if file.exists():
        raise Refused("file_there", f"{file} is there already; name another")

    async def run() -> int:
        with file.open("x", buffering=1, encoding="utf-8") as target:
            recorder = Recorder(venue, symbols, target, SystemClock(), say, http_url=http_url, ws_url=ws_url)
            running = asyncio.ensure_future(recorder.run())
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, running.cancel)
            with suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(running, seconds)
            return recorder.received

    try:
        return asyncio.run(run())
    except Refused:
        if file.exists() and not _heard(file):
            file.unlink()
        raise


def _heard(file: Path) -> bool:
    with file.open(encoding="utf-8") as lines:
        return any('"kind": "recv"' in line for line in lines)

"""Log files of the programs: kept small, and read back.

Invariant: a program keeps its open file while it is rotated; it writes at the end, so a copy and a cut lose at most
what is written between the two.
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from algotrendy_local.home import Home

LIMIT_BYTES = 10 * 1024**2
KEEP = 3
_CHECK_EVERY_S = 10.0
_FOLLOW_EVERY_S = 0.2


async def rotate_forever(home: Home) -> None:
    while True:
        await asyncio.sleep(_CHECK_EVERY_S)
        for log in home.logs.glob("*.log"):
            if log.stat().st_size > LIMIT_BYTES:
                await asyncio.to_thread(rotate, log)


def rotate(log: Path) -> None:
    """Move the content to ``.1``, what was there to ``.2`` and so on; the oldest goes."""
    for number in range(KEEP - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    with log.open("r+b") as file:
        file.truncate(0)


async def follow(log: Path) -> AsyncIterator[str]:
    """Lines that are written from now on, across rotations."""
    position = _size(log)
    rest = ""
    while True:
        size = _size(log)
        if size < position:
            position = 0
        if size > position:
            with log.open("rb") as file:
                file.seek(position)
                added = file.read(size - position)
            position += len(added)
            *lines, rest = (rest + added.decode(errors="replace")).split("\n")
            for line in lines:
                yield line
        else:
            await asyncio.sleep(_FOLLOW_EVERY_S)


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


async def follow_all(files: dict[str, Path], show: Callable[[str, str], None]) -> None:
    """Follow several logs at once, until cancelled."""

    async def each(name: str, file: Path) -> None:
        async for line in follow(file):
            show(name, line)

    await asyncio.gather(*(each(name, file) for name, file in files.items()))


def readable(line: str) -> str:
    """A line of JSON as ``time level event key=value``; any other line as it is."""
    if not line.startswith("{"):
        return line
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    head = [str(fields.pop(key)) for key in ("timestamp", "level", "event") if key in fields]
    trace = fields.pop("exception", "")
    text = "  ".join([*head, " ".join(f"{key}={value}" for key, value in fields.items())])
    return f"{text}\n{trace}" if trace else text

"""A night's batch as a command: symbols from a file, a bar of progress, and what came of it."""

import asyncio
import json
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

from algotrendy_common.clock import SystemClock
from algotrendy_common.errors import Refused
from algotrendy_common.rpc.providers import Adjusted, DailyBarsAsked
from algotrendy_ingest.providers.batch import Batch, Outcome, Rules
from algotrendy_ingest.providers.desk import build_desk
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from algotrendy_local.providers.asking import settings_of

_YEAR = timedelta(days=365)
_PATIENCE = timedelta(minutes=5)
"""A night has time: a symbol waits in line at the provider that is preferred."""
_SHOWN = 5


def run(
    home: Path | None,
    file: Path,
    out: Path,
    start: str | None,
    end: str | None,
    adjusted: str | None,
    at_once: int,
    as_json: bool,
) -> bool:
    """True where every symbol is there afterwards."""
    symbols = symbols_in(file)
    clock = SystemClock()
    first = date.fromisoformat(start) if start else clock.now().date() - _YEAR
    last = date.fromisoformat(end) if end else None
    if last is not None and last < first:
        raise Refused("bad_range", f"the range ends ({last}) before it starts ({first})")
    settings = settings_of(home).model_copy(update={"patience": _PATIENCE})

    async def work(progress: Progress) -> Outcome:
        task = progress.add_task("daily bars", total=len(symbols))
        desk = build_desk(settings, clock)

        def told(symbol: str, outcome: Outcome) -> None:
            progress.update(task, completed=outcome.there_before + outcome.fetched + len(outcome.refused))

        try:
            batch = Batch(desk, out, clock, Rules(at_once=at_once), told=told)
            return await batch.run(symbols, first, last, Adjusted(adjusted) if adjusted else None)
        finally:
            await desk.close()

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        outcome = asyncio.run(work(progress))
    if as_json:
        print(json.dumps({"symbols": len(symbols), **asdict(outcome)}))
    else:
        _show(outcome, len(symbols), out)
    return outcome.whole


def symbols_in(file: Path) -> list[str]:
    """Each once, in order. Raises Refused with the line's number where one is no symbol."""
    found: dict[str, None] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        symbol = line.partition("#")[0].strip()
        if not symbol:
            continue
        try:
            DailyBarsAsked(symbol=symbol, start=date(2020, 1, 1))
        except ValidationError as error:
            raise Refused("bad_symbol", f"{file}, line {number}: {symbol!r} is no symbol") from error
        found[symbol] = None
    if not found:
        raise Refused("no_symbols", f"{file} names no symbol")
    return list(found)


def _show(outcome: Outcome, count: int, out: Path) -> None:
    console = Console(highlight=False)
    console.print(
        f"{count} symbols: {outcome.there_before} were there, {outcome.fetched} fetched ({outcome.cached} without a"
        f" call), {len(outcome.refused)} refused, {len(outcome.left)} left; in {escape(str(out))}",
        soft_wrap=True,
    )
    for name, told in (("refused", outcome.refused), ("left for the next run", outcome.left)):
        for symbol, why in list(told.items())[:_SHOWN]:
            console.print(f"  {name}: {escape(symbol)}: {escape(why)}", soft_wrap=True)
        if len(told) > _SHOWN:
            console.print(f"  {name}: and {len(told) - _SHOWN} more")

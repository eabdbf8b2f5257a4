"""``algotrendy deadletter``, ``halt`` and ``resume``."""

import asyncio
import json
from dataclasses import asdict

import typer
from algotrendy_common.rpc import risk
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from algotrendy_local import state
from algotrendy_local.home import Home
from algotrendy_local.operations import dead_letters as letters
from algotrendy_local.operations import halting
from algotrendy_local.operations.connection import running_place
from algotrendy_local.settings import LocalSettings

output = Console(highlight=False)


def list_dead_letters(settings: LocalSettings, newest: int, as_json: bool) -> None:
    found = asyncio.run(letters.dead_letters(running_place(settings), newest))
    if as_json:
        print(json.dumps([asdict(letter) | {"at": letter.at.isoformat()} for letter in found]))
        return
    if not found:
        output.print("no dead letters")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("number", "when", "service", "subject", "error"):
        table.add_column(column, overflow="fold")
    for letter in found:
        why = f"{letter.error_type}: {letter.error}".splitlines()[0][:200]
        when = letter.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(str(letter.number), when, letter.service, letter.subject, escape(why))
    output.print(table)


def replay_dead_letters(settings: LocalSettings, numbers: list[int]) -> None:
    for letter in asyncio.run(letters.replay(running_place(settings), numbers)):
        output.print(f"{letter.number} put back on {letter.subject}")


def halt(settings: LocalSettings, account: str | None, strategy: str | None, reason: str, flatten: bool) -> None:
    asked = risk.HaltAsked(account=account, strategy=strategy, by=halting.operator(), reason=reason, flatten=flatten)
    if account is None and strategy is None:
        # Before anything that could fail: the services watch the file themselves.
        home = Home(settings.home.resolve())
        halting.engage_by_file(home, reason)
        if not state.is_running(home):
            output.print(f"kill file written ({home.kill_file}); nothing runs now, and what starts will start halted")
            return
    done = asyncio.run(halting.halt(running_place(settings), asked))
    output.print(f"halted{' (kill file written)' if done.file else ''}; risk: {done.risk}", soft_wrap=True)


def resume(settings: LocalSettings, account: str | None, strategy: str | None, reason: str) -> None:
    asked = risk.ResumeAsked(account=account, strategy=strategy, by=halting.operator(), reason=reason)
    home = Home(settings.home.resolve())
    if account is None and strategy is None and not state.is_running(home):
        home.kill_file.unlink(missing_ok=True)
        output.print("no kill file any more; nothing runs now")
        return
    released, left = asyncio.run(halting.resume(running_place(settings), asked))
    if released:
        output.print("released" + (f"; still halted: {left}" if left else ""), soft_wrap=True)
    else:
        output.print("asked for; a second person has to confirm it (on the page, or another login here)")
        raise typer.Exit(4)

"""``algotrendy drill NAME``: a drill for a person, in plain words, or for a program, as a line of JSON.

Invariant: exit status 0 only where every promise held.
"""

import asyncio
import json
from collections.abc import Callable

from rich.console import Console

from algotrendy_local.drills.exercises import DRILLS
from algotrendy_local.drills.ground import running_ground
from algotrendy_local.drills.trader import NotInTime, trading
from algotrendy_local.drills.verdict import Verdict
from algotrendy_local.errors import StackError

output = Console(highlight=False)


def drill(name: str, as_json: bool) -> bool:
    """Run one and say how it went; True where it passed. Raises StackError for a name that is none."""
    if name not in DRILLS:
        raise StackError("no_such_drill", f"there is no drill {name}", f"there are: {', '.join(DRILLS)}")

    def say(line: str) -> None:
        if not as_json:
            output.print(f"  {line}", markup=False, soft_wrap=True)

    verdict = asyncio.run(_run(name, say))
    if as_json:
        line = {"name": f"drill {name}", "figures": verdict.figures, "broken": verdict.broken, "ok": verdict.passed}
        print(json.dumps(line))
    else:
        _show(name, verdict)
    return verdict.passed


async def _run(name: str, say: Callable[[str], None]) -> Verdict:
    say(f"{name}: {DRILLS[name].about}")
    say("starting a private stack with a simulated venue; yours is not touched")
    async with running_ground() as ground:
        try:
            async with trading(ground) as trader:
                say("it trades; now it goes wrong")
                return await DRILLS[name].run(trader, say)
        except NotInTime as late:
            return Verdict(broken=[str(late)])


def _show(name: str, verdict: Verdict) -> None:
    for figure, value in verdict.figures.items():
        output.print(f"    {figure.replace('_', ' '):<28} {value}", markup=False)
    for line in verdict.broken:
        output.print(f"  [red]✕[/] {line}", soft_wrap=True)
    output.print(f"[bold green]PASS[/] {name}" if verdict.passed else f"[bold red]FAIL[/] {name}")

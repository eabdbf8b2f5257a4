"""The ``algotrendy`` command.

Invariant: whatever goes wrong is one line that says what to do, on standard error, and an exit status that is not 0.
Modules that know servers are imported by the commands that need them: they cost a second, and ``status`` needs none.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from algotrendy_local import detached, leftovers, logs, render, state
from algotrendy_local.errors import StackError
from algotrendy_local.feeds.commands import feed_app
from algotrendy_local.history.commands import data_app
from algotrendy_local.home import Home
from algotrendy_local.narrator import Narrator, info, welcome
from algotrendy_local.process import last_lines
from algotrendy_local.providers.commands import providers_app
from algotrendy_local.research.commands import indicators
from algotrendy_local.research.quality_commands import quality, quarantine, restore
from algotrendy_local.settings import LocalSettings
from algotrendy_local.state import Condition

app = typer.Typer(
    help="AlgoTrendy on this machine: real servers, a simulated venue and six services.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
migrate_app = typer.Typer(help="Bring streams and schemas up to date, or take schemas back.", no_args_is_help=True)
app.add_typer(migrate_app, name="migrate")

deadletter_app = typer.Typer(help="Messages that could not be handled.", no_args_is_help=True)
app.add_typer(deadletter_app, name="deadletter")
app.add_typer(data_app, name="data")
data_app.command()(quality)
data_app.command()(restore)
data_app.command()(quarantine)
app.add_typer(providers_app, name="providers")
app.add_typer(feed_app, name="feed")
app.command()(indicators)

output = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

NOT_RUNNING = 3

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder for data, logs and keys.", show_default=".algotrendy")
]
PortOption = Annotated[
    str | None, typer.Option("--port-base", help="First port, or 'auto' for any free block.", show_default="8000")
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")]


AccountOption = Annotated[str | None, typer.Option("--account", help="This account alone.")]
StrategyOption = Annotated[str | None, typer.Option("--strategy", help="This strategy alone.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; kept in the audit trail.")]


@app.command()
def up(
    home: HomeOption = None,
    port_base: PortOption = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once everything is healthy.")] = False,
    speed: Annotated[float | None, typer.Option(min=0.1, help="Recorded seconds a second.", show_default="60")] = None,
    only: Annotated[str | None, typer.Option(help="Only these programs (a,b) and what they need.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Start everything and keep it running until Ctrl-C."""
    with _one_line_errors():
        settings = _settings(home, port_base, speed)
        with Narrator(Home(settings.home.resolve()), output, as_json=as_json) as narrator:
            if detach:
                detached.run(settings, narrator.tell, only)
            else:
                from algotrendy_local.run import run

                run(settings, narrator.tell, only=only.split(",") if only else None)


@app.command()
def down(home: HomeOption = None) -> None:
    """Stop everything, and what an earlier stack left behind."""
    with _one_line_errors():
        place = _home(home)
        with output.status("Stopping AlgoTrendy"):
            ended = leftovers.stop(place)
        if ended is None:
            output.print("nothing was running")
        elif ended:
            output.print(f"stopped; ended what an earlier stack had left: {', '.join(ended)}")
        else:
            output.print("stopped")


@app.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show every program: state, pid, port, uptime, restarts, memory, health."""
    place = _home(home)
    last = state.read(place)
    if last is None or not state.is_running(place):
        left = len(leftovers.find(place))
        if as_json:
            output.print_json(data={"phase": "stopped", "leftovers": left, "rows": []})
        else:
            hint = f"; an earlier one left {left} processes, run: algotrendy down" if left else ""
            errors.print(f"the stack in {place.root} is not running{hint}")
        raise typer.Exit(NOT_RUNNING)
    if as_json:
        rows = [row.model_dump(mode="json") | {"memory_bytes": render.memory_bytes(row)} for row in last.rows]
        output.print_json(data=last.model_dump(mode="json") | {"rows": rows})
    else:
        output.print(render.status(last, state.present()))
    well = all(row.condition in (Condition.HEALTHY, Condition.DONE, Condition.EXTERNAL) for row in last.rows)
    raise typer.Exit(0 if well else 1)


@app.command(name="logs")
def show_logs(
    name: Annotated[str | None, typer.Argument(help="A program; all without it.")] = None,
    home: HomeOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of the past.")] = 40,
    raw: Annotated[bool, typer.Option("--json", help="Lines as they were written.")] = False,
) -> None:
    """Show what programs have logged."""
    with _one_line_errors():
        place = _home(home)
        names = sorted(log.stem for log in place.logs.glob("*.log"))
        if name is not None and name not in names:
            raise StackError("no_log", f"there is no log of {name}", f"there are: {', '.join(names) or 'none yet'}")
        chosen = names if name is None else [name]

        def show(program: str, line: str) -> None:
            text = line if raw else logs.readable(line)
            output.print(text if name else f"{program:<14} {text}", markup=False, soft_wrap=True)

        for each in chosen:
            for line in last_lines(place.log(each), lines):
                show(each, line)
        if follow:
            with suppress(KeyboardInterrupt):
                asyncio.run(logs.follow_all({each: place.log(each) for each in chosen}, show))


@app.command()
def doctor(home: HomeOption = None, port_base: PortOption = None, as_json: JsonOption = False) -> None:
    """Look for what would keep the stack from starting."""
    with _one_line_errors():
        from algotrendy_local.doctor import examine

        findings = examine(_settings(home, port_base))
    if as_json:
        output.print_json(data=[finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            mark = "[green]✓[/]" if finding.ok else "[bold red]✕[/]"
            advice = "" if finding.ok else f" [yellow]→ {finding.advice}[/]"
            output.print(f"{mark} {finding.check:<11} {finding.detail}{advice}", soft_wrap=True)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def reset(
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete all data, logs and keys of a stack that is not running; downloads are kept."""
    from algotrendy_local.servers.unprivileged import remove

    with _one_line_errors():
        place = _home(home)
        if not place.root.is_dir():
            output.print(f"nothing to delete in {place.root}")
            return
        place.run.mkdir(exist_ok=True)
        with state.Lock(place) as lock:
            lock.take(place)
            if not yes and not typer.confirm(f"Delete all data, logs and keys in {place.root}?"):
                raise StackError("not_confirmed", "nothing was deleted")
            leftovers.clear(place)
            for folder in (place.root / "data", place.logs, place.keys):
                remove(folder)
            place.demo_login.unlink(missing_ok=True)
        remove(place.run)
        output.print(f"{place.root} is as new")


@app.command()
def fetch(home: HomeOption = None) -> None:
    """Download what is not in a Python package (QuestDB), so that a start needs no network."""
    with _one_line_errors():
        from algotrendy_local.servers.questdb import VERSION, fetch_jar

        with output.status(f"Fetching QuestDB {VERSION}"):
            jar = fetch_jar(_settings(home).cache)
        output.print(f"QuestDB {VERSION} is in {jar}")


@app.command(name="demo-info")
def demo_info(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show where the page of the running stack is and how to log in."""
    with _one_line_errors():
        place = _home(home)
        last = state.read(place)
        if last is None or not state.is_running(place):
            raise StackError("not_running", f"the stack in {place.root} is not running", "start it with: algotrendy up")
        if as_json:
            output.print_json(data=info(place, last))
        else:
            output.print(welcome(place, last))


@migrate_app.command("up")
def migrate_up(
    home: HomeOption = None,
    service: Annotated[str | None, typer.Option(help="One service; all, and the streams, without it.")] = None,
) -> None:
    """Make streams, consumers and tables that are missing; starts the servers for it where they do not run."""
    with _one_line_errors():
        from algotrendy_local import run

        _print_changes(run.migrate_up(_settings(home), service))


@migrate_app.command("down")
def migrate_down(
    home: HomeOption = None,
    service: Annotated[str | None, typer.Option(help="One service; all without it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take tables back, with their data. The stack must not be running."""
    with _one_line_errors():
        from algotrendy_local import run

        if not yes and not typer.confirm(f"Delete the tables of {service or 'all services'}?"):
            raise StackError("not_confirmed", "nothing was deleted")
        _print_changes(run.migrate_down(_settings(home), service))


@migrate_app.command("v25")
def migrate_v25(
    folder: Annotated[Path, typer.Argument(help="With candles.csv, trades.csv, orders.csv and positions.csv.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, check and compare; write nothing.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the whole report into this JSON file.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import an export of AlgoTrendy 2.5 (TimescaleDB). It may be repeated: what is there stays as it is."""
    with _one_line_errors():
        from algotrendy_local.migration_v25 import command

        whole = command.migrate_v25(_settings(home), folder, dry_run=dry_run, into=report, as_json=as_json)
    raise typer.Exit(0 if whole else 1)


@deadletter_app.command("list")
def deadletter_list(
    home: HomeOption = None,
    newest: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Messages that no retry could get through, oldest first."""
    with _one_line_errors():
        from algotrendy_local.operations import commands

        commands.list_dead_letters(_settings(home), newest, as_json)


@deadletter_app.command("replay")
def deadletter_replay(
    numbers: Annotated[list[int], typer.Argument(help="As the list numbers them.")], home: HomeOption = None
) -> None:
    """Put messages back on their subjects, once their cause is mended."""
    with _one_line_errors():
        from algotrendy_local.operations import commands

        commands.replay_dead_letters(_settings(home), numbers)


@app.command()
def halt(
    reason: ReasonOption,
    account: AccountOption = None,
    strategy: StrategyOption = None,
    flatten: Annotated[bool, typer.Option("--flatten", help="Close the positions too.")] = False,
    home: HomeOption = None,
) -> None:
    """Stop trading at once: everything (works with every server down), one account, or one strategy."""
    with _one_line_errors():
        from algotrendy_local.operations import commands

        commands.halt(_settings(home), account, strategy, reason, flatten)


@app.command()
def resume(
    reason: ReasonOption, account: AccountOption = None, strategy: StrategyOption = None, home: HomeOption = None
) -> None:
    """Ask for a halt's release; it takes two people."""
    with _one_line_errors():
        from algotrendy_local.operations import commands

        commands.resume(_settings(home), account, strategy, reason)


@app.command()
def drill(
    name: Annotated[
        str, typer.Argument(help="restart, disconnect, lost-answer, partial-fill, stale-feed or kill-switch.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Have something go wrong with orders, on a private stack, and say whether all was kept."""
    with _one_line_errors():
        from algotrendy_local.drills import command

        passed = command.drill(name, as_json)
    raise typer.Exit(0 if passed else 1)


@app.command(
    name="backtest",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def backtest(context: typer.Context) -> None:
    """Run strategies over recorded candles, search for parameters, and try to prove the result wrong."""
    with _one_line_errors():
        from algotrendy_local.operations.research import backtest

        backtest(context.args, _settings(None))


@app.command()
def parity(
    strategy: StrategyOption = None,
    start: Annotated[
        datetime | None, typer.Option("--from", help="By the venue's clock (UTC); a day before the newest bar.")
    ] = None,
    end: Annotated[datetime | None, typer.Option("--to", help="Exclusive; the newest bar without it.")] = None,
    slippage_bps: Annotated[
        float, typer.Option(min=0, help="That the backtest assumes, in hundredths of a percent.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Write it to a .html or .json file too.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay a live day through the backtest: every decision and order, and where each difference comes from."""
    with _one_line_errors():
        from algotrendy_local.operations.parity import parity

        same = parity(_settings(home), strategy, start, end, Decimal(str(slippage_bps)), as_json, out)
    raise typer.Exit(0 if same else 1)


def _print_changes(changed: dict[str, list[str]]) -> None:
    for name, changes in changed.items():
        output.print(f"{name:<15} {', '.join(changes) or 'nothing to do'}", soft_wrap=True)


def _settings(home: Path | None, port_base: str | None = None, speed: float | None = None) -> LocalSettings:
    chosen: dict[str, object] = {}
    if home is not None:
        chosen["home"] = home
    if port_base is not None:
        chosen["port_base"] = None if port_base == "auto" else port_base
    settings = LocalSettings.from_environment(**chosen)
    if speed is not None:
        environment = settings.environment | {"ALGOTRENDY_SIMULATOR_SPEED": str(speed)}
        settings = settings.model_copy(update={"environment": environment})
    return settings


def _home(home: Path | None) -> Home:
    return Home(_settings(home).home.resolve())


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except StackError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        errors.print(f"[bold red]error:[/] settings refused: {escape(wrong)}", soft_wrap=True)
        raise typer.Exit(2) from error
    except ImportError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}; run: make install", soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(130) from error

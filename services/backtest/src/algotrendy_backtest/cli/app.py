"""``algotrendy backtest``: its commands and their options.

Invariant: nothing heavy is imported before a command is carried out, so help comes at once.
"""

from dataclasses import replace
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import typer
from algotrendy_common.events.backtest import BacktestKind

from algotrendy_backtest.cli import options as o
from algotrendy_backtest.cli.surroundings import Surroundings

app = typer.Typer(
    name="backtest",
    help="Run strategies over recorded candles, search for parameters, and try to prove the result wrong.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _command(kind: BacktestKind, text: str, *groups: o.Options) -> None:
    """A command with the options of these groups, as typer would read them off a function's signature."""

    def command(context: typer.Context, **given: Any) -> None:
        _begin(kind, context, given)

    options = {name: option for group in groups for name, option in group.items()}
    made: Any = command
    made.__signature__ = Signature(
        [
            Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
            *(
                Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
                for name, (annotation, default) in options.items()
            ),
        ]
    )
    made.__annotations__ = {"context": typer.Context} | {name: option[0] for name, option in options.items()}
    app.command(kind.value, help=text)(made)


_command(BacktestKind.RUN, "One strategy over one series of candles.", o.WHAT, o.COSTS, o.HOW)
_command(
    BacktestKind.SWEEP,
    "Many parameters over the same candles; Ctrl-C pauses, --resume goes on.",
    o.WHAT, o.SEARCH, o.COSTS, o.PLACES, o.HOW,
)  # fmt: skip
_command(
    BacktestKind.WALKFORWARD,
    "Search on one stretch and try on the next, again and again: what counts is out of sample.",
    o.WHAT, o.WINDOWS, o.SEARCH, o.COSTS, o.PLACES, o.HOW,
)  # fmt: skip


_command(
    BacktestKind.ROBUSTNESS,
    "Try to prove a result wrong: other data, other costs, other parameters, luck, knowledge of the future. "
    "Of the parameters given, or of the best where --vary says what to search.",
    o.WHAT, o.WINDOWS, o.SEARCH, o.COSTS, o.PLACES, o.HOW,
)  # fmt: skip


@app.command()
def report(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of it, last, or a folder of results.")] = "last",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Copy the page here.")] = None,
    as_json: o.AsJson = False,
    home: o.Home = None,
) -> None:
    """The page of a result: where it is, or a copy of it; with --json the result itself."""
    from algotrendy_backtest.cli import pages

    pages.report(run, out, as_json, _surroundings(context, home))


@app.command()
def compare(
    context: typer.Context,
    runs: Annotated[list[str], typer.Argument(help="Two to six runs: ids, or folders of results.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write a page.")] = None,
    as_json: o.AsJson = False,
    home: o.Home = None,
) -> None:
    """Several results side by side."""
    from algotrendy_backtest.cli import pages

    pages.compare(runs, out, as_json, _surroundings(context, home))


@app.command(name="list")
def list_runs(
    context: typer.Context,
    newest: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 20,
    as_json: o.AsJson = False,
    home: o.Home = None,
) -> None:
    """The runs that are kept here."""
    from algotrendy_backtest.cli import pages

    pages.listed(newest, as_json, _surroundings(context, home))


def carry_out(arguments: list[str], surroundings: Surroundings) -> None:
    """The command with what follows its name; ends the process with its status."""
    app(arguments, prog_name="algotrendy backtest", obj=surroundings)


_HOW = ("workers", "place", "address")


def _begin(kind: BacktestKind, context: typer.Context, given: dict[str, Any]) -> None:
    from pydantic import ValidationError

    from algotrendy_backtest.cli.inputs import Asked, refused
    from algotrendy_backtest.cli.jobs import How, begin, one_line_errors, resume

    surroundings = _surroundings(context, given.pop("home"))
    how = How(
        out=given.pop("out"), as_json=given.pop("as_json"), memory_gib=given.pop("memory"),
        cpu_s=given.pop("cpu_time"), **{name: given.pop(name) for name in _HOW if name in given},
    )  # fmt: skip
    wanted = given.pop("resume", None)
    if wanted is not None:
        resume(wanted, kind, how, surroundings)
        return
    with one_line_errors():
        try:
            search = _search({name: given.pop(name) for name in o.SEARCH if name in given})
            walk_forward = _walk_forward({name: given.pop(name) for name in o.WINDOWS if name in given})
        except ValidationError as error:
            raise refused(error) from error
    given["values"] = tuple(given["values"] or ())
    begin(Asked(kind=kind, search=search, walk_forward=walk_forward, **given), how, surroundings)


def _search(given: dict[str, Any]) -> Any:
    from algotrendy_common.events.backtest import SearchSettings

    from algotrendy_backtest.cli.inputs import pairs

    if not given:
        return None
    space = dict(pairs("--vary", given.pop("vary") or []))
    return SearchSettings(space=space, **given)


def _walk_forward(given: dict[str, Any]) -> Any:
    from algotrendy_common.events.backtest import WalkForwardSettings

    return WalkForwardSettings(**given) if given else None


def _surroundings(context: typer.Context, home: str | None) -> Surroundings:
    known = context.obj if isinstance(context.obj, Surroundings) else Surroundings()
    return known if home is None else replace(known, home=Path(home))

"""A job from the command line, from its ground to what is printed and kept.

Invariant: whatever goes wrong is one line on standard error and a status that is not 0; an interrupted search keeps
what is done and says how to go on.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from algotrendy_common.errors import AlgoTrendyError, Refused
from algotrendy_common.events.backtest import BacktestKind, SearchSettings
from algotrendy_common.ids import new_id
from rich.console import Console
from rich.markup import escape

from algotrendy_backtest.cli import render
from algotrendy_backtest.cli.inputs import Asked, ground_of
from algotrendy_backtest.cli.progress import Told
from algotrendy_backtest.cli.research import KeptRun, Research
from algotrendy_backtest.cli.surroundings import Surroundings
from algotrendy_backtest.computing.child import Child
from algotrendy_backtest.computing.confinement import Limits
from algotrendy_backtest.computing.tasks import CandleFile, Described, Ground
from algotrendy_backtest.conduct import Conducted, Conductor
from algotrendy_backtest.errors import EngineDied, RunTooLong
from algotrendy_backtest.results import result_document
from algotrendy_backtest.search.places import Place, executor_at

PAUSED = 5
"""Exit status of a search that was interrupted and can be resumed."""
output = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True)
class How:
    """How a job is run, whatever it is."""

    out: str | None
    as_json: bool
    memory_gib: float
    cpu_s: float
    workers: int | None = None
    place: str = "auto"
    address: str | None = None

    @property
    def limits(self) -> Limits:
        return Limits(memory_bytes=int(self.memory_gib * 1024**3), cpu_s=self.cpu_s)


def begin(asked: Asked, how: How, surroundings: Surroundings) -> None:
    """A new run."""
    with one_line_errors():
        run_id = new_id()
        folder = Path(how.out).resolve() if how.out else (surroundings.research / run_id).resolve()
        ground = ground_of(asked, surroundings, folder)
        research = Research(surroundings.research)
        research.begin(run_id, ground, folder)
        _carry_out(research, research.run(run_id), how)


def resume(wanted: str, kind: BacktestKind, how: How, surroundings: Surroundings) -> None:
    """A run that was interrupted, or killed; its own options hold, whatever is typed now."""
    with one_line_errors():
        research = Research(surroundings.research)
        kept = research.run(wanted)
        if kept.kind != kind:
            raise Refused("run_of_another_kind", f"that run is a {kept.kind}", run_id=kept.run_id)
        if kept.status == "finished":
            raise Refused("run_finished", "that run is finished", run_id=kept.run_id)
        research.again(kept.run_id)
        _carry_out(research, kept, how)


def _carry_out(research: Research, kept: KeptRun, how: How) -> None:
    try:
        conducted, described = _conducted(research, kept, how)
    except AlgoTrendyError as error:
        research.failed(kept.run_id, str(error))
        raise
    if conducted.outcome is None:
        research.paused(kept.run_id)
        errors.print(
            f"paused after {conducted.trials} trials; go on with: "
            f"algotrendy backtest {kept.kind} --resume {kept.run_id[:12]}"
        )
        raise typer.Exit(PAUSED)
    found = conducted.outcome
    research.finished(kept.run_id, found.result_hash, found.statistics)
    if how.as_json:
        print_json(_document(research, kept, conducted))
    else:
        _show(research, kept, conducted, described)


def _conducted(research: Research, kept: KeptRun, how: How) -> tuple[Conducted, Described]:
    ground = kept.ground
    # Forked before anything has threads: it inherits what is loaded, which starting anew would load again.
    bench = Child(how.limits, fork=True, quiet=how.as_json)
    bench.start()
    with Told(errors) as told, _interruptible(kept.kind) as interrupted:
        conductor = Conductor(
            bench,
            lambda ground: _executor(ground, bench, how, told),
            research.trials_of(kept.run_id),
            told.stage,
            interrupted,
            str(kept.folder),
        )
        try:
            described = conductor.describe(ground)
            research.over(kept.run_id, described.data_hash)
            return conductor.conduct(ground), described
        except (RunTooLong, EngineDied) as error:
            raise _with_its_line(error, ground, how) from error
        finally:
            bench.end()


def _executor(ground: Ground, bench: Child, how: How, told: Told) -> Any:
    workers = how.workers or os.cpu_count() or 1
    place = Place(how.place) if how.place in set(Place) else None
    if place is None:
        raise Refused("options_invalid", f"--on: {how.place!r} is none of {', '.join(Place)}")
    if how.address is not None:
        from algotrendy_backtest.computing.bench import bars_of

        ground = replace(ground, data=bars_of(ground)[0])  # the file is here, the cluster is not
    return executor_at(
        place, ground, workers, how.limits, address=how.address, first=bench, moved=lambda: told.note("starting Ray")
    )


def _with_its_line(error: AlgoTrendyError, ground: Ground, how: How) -> AlgoTrendyError:
    """Compiled code that never returns, or eats all memory at once, cannot say where it was: plain Python can."""
    if ground.user_file is None or ground.compiled is False:
        return error
    seconds = min(how.cpu_s, 10.0)
    child = Child(replace(how.limits, cpu_s=seconds))
    slowly = replace(ground, compiled=False, spec=ground.spec.model_copy(update={"kind": BacktestKind.RUN}))
    try:
        from algotrendy_backtest.computing.tasks import RunAll

        child.ask(slowly, RunAll(ground.spec.parameters))
    except Refused as found:
        return Refused(found.code, found.args[0])
    except AlgoTrendyError:
        return error
    finally:
        child.end()
    return error


# -- what is shown -------------------------------------------------------------------------------------------------


def print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=1) + "\n")


def _document(research: Research, kept: KeptRun, conducted: Conducted) -> dict[str, Any]:
    assert conducted.outcome is not None
    document = {"run_id": kept.run_id} | result_document(kept.ground.spec, conducted.outcome)
    if kept.kind == BacktestKind.SWEEP:
        document |= {
            "ended": conducted.ended,
            "best": dict(conducted.best or {}),
            "trials": [
                {"number": each.number, "parameters": dict(each.parameters), "status": each.status,
                 "objective": each.objective, "statistics": dict(each.statistics), "error": each.error}
                for each in research.trials_of(kept.run_id).known(0).values()
            ],
        }  # fmt: skip
    if conducted.examination is not None:
        document["examination"] = dict(conducted.examination)
    return document


def _show(research: Research, kept: KeptRun, conducted: Conducted, described: Described) -> None:
    assert conducted.outcome is not None
    found, spec = conducted.outcome, kept.ground.spec
    data = kept.ground.data
    name = Path(data.path).name if isinstance(data, CandleFile) else spec.symbol
    parameters = found.manifest.get("parameters", {})
    shown = ", ".join(f"{key} {value}" for key, value in parameters.items()) if isinstance(parameters, dict) else ""
    title = f"{described.strategy} ({shown})" if shown else described.strategy
    if kept.kind == BacktestKind.SWEEP:
        objective = (spec.search or SearchSettings()).objective
        output.print(f"[bold]the best of {conducted.trials} trials by {escape(objective)}[/]")
        output.print(render.trials(research.trials_of(kept.run_id).best(10), objective))
        output.print()
    if kept.kind == BacktestKind.WALKFORWARD:
        output.print(f"[bold]out of sample, {conducted.trials} trials searched in sample[/]")
        output.print(render.windows(found.manifest["windows"]))
        output.print()
    if conducted.examination is not None:
        output.print(render.findings(conducted.examination))
        output.print()
    render.outcome(output, f"{title} on {name}, {described.timeframe}", found, _notes(kept, conducted, described))
    output.print(f"run {kept.run_id[:12]} · files in {near(kept.folder)}", style="dim", soft_wrap=True)


def _notes(kept: KeptRun, conducted: Conducted, described: Described) -> list[str]:
    assert conducted.outcome is not None
    notes = [f"mended: {problem}" for problem in described.repaired]
    if conducted.outcome.not_compiled_because and kept.ground.compiled is not False:
        first = conducted.outcome.not_compiled_because.strip().splitlines()[0]
        notes.append(f"ran uncompiled, numba could not compile the strategy: {first}")
    if kept.kind == BacktestKind.SWEEP:
        notes.append("these are the parameters that were best on these very bars: what they do on others, "
                     "walkforward and robustness tell")  # fmt: skip
    trades = conducted.outcome.statistics.get("trades")
    if isinstance(trades, int) and trades < 30:
        notes.append(f"{trades} trades are too few to tell skill from luck")
    return notes


def near(path: Path) -> str:
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


@contextmanager
def _interruptible(kind: str) -> Iterator[Any]:
    """Ctrl-C asks a search to pause; a second one, and one on anything else, ends the command."""
    pressed: list[bool] = []

    def press(number: int, frame: FrameType | None) -> None:
        if pressed or kind == BacktestKind.RUN:
            raise KeyboardInterrupt
        pressed.append(True)
        errors.print("pausing: what is under way is finished first, Ctrl-C again ends at once")

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def one_line_errors() -> Iterator[None]:
    try:
        yield
    except AlgoTrendyError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(130) from error

"""What is read of results that are kept: one, several side by side, or which there are.

Invariant: nothing is computed anew; what is shown is what was kept.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from algotrendy_common.errors import Refused

from algotrendy_backtest.cli import render
from algotrendy_backtest.cli.jobs import errors, near, one_line_errors, output, print_json
from algotrendy_backtest.cli.research import Research
from algotrendy_backtest.cli.surroundings import Surroundings
from algotrendy_backtest.reports import comparing, html

_PAGES = ("robustness.html", "report.html")


def report(run: str, out: Path | None, as_json: bool, surroundings: Surroundings) -> None:
    with one_line_errors():
        folder = _folder(run, surroundings)
        if as_json:
            document = _read(folder, "result.json")
            if (folder / "examination.json").is_file():
                document["examination"] = _read(folder, "examination.json")
            print_json(document)
            return
        page = next((folder / name for name in _PAGES if (folder / name).is_file()), None)
        if page is None:
            raise Refused("report_missing", "that run has no page: it did not come to an end", folder=folder)
        if out is not None:
            shutil.copyfile(page, out / page.name if out.is_dir() else out)
            page = out / page.name if out.is_dir() else out
        output.print(near(page), soft_wrap=True)


def compare(runs: list[str], out: Path | None, as_json: bool, surroundings: Surroundings) -> None:
    with one_line_errors():
        sheets = [_read(_folder(run, surroundings), "sheet.json") for run in runs]
        values = comparing.values(sheets)
        if as_json:
            labelled = zip(values["labels"], sheets, strict=True)
            print_json(values | {"results": [{"label": label} | _figures(sheet) for label, sheet in labelled]})
        else:
            output.print(render.comparison(values))
            for warning in values["warnings"]:
                errors.print(f"[yellow]![/] {warning}", soft_wrap=True)
        if out is not None:
            page = out / "comparison.html" if out.is_dir() else out
            page.write_text(html.comparison_page(sheets), encoding="utf-8")
            errors.print(near(page), soft_wrap=True)


def listed(newest: int, as_json: bool, surroundings: Surroundings) -> None:
    with one_line_errors():
        runs = Research(surroundings.research).runs(newest)
        if as_json:
            print_json(
                [
                    {"run_id": run.run_id, "kind": run.kind, "strategy": run.strategy, "begun_at": run.begun_at,
                     "status": run.status, "folder": str(run.folder), "statistics": run.statistics, "error": run.error}
                    for run in runs
                ]
            )  # fmt: skip
        elif not runs:
            output.print("no runs are kept here yet")
        else:
            output.print(render.runs(runs))


def _figures(sheet: dict[str, Any]) -> dict[str, Any]:
    return {name: sheet[name] for name in ("name", "symbol", "parameters", "result_hash", "statistics", "relative")}


def _folder(run: str, surroundings: Surroundings) -> Path:
    given = Path(run)
    if (given / "result.json").is_file():
        return given
    return Research(surroundings.research).run(run).folder


def _read(folder: Path, name: str) -> Any:
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused("result_missing", f"there is no result to read: {error}") from error

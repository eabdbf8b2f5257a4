"""The files of a result: manifest, JSON and CSV.

Invariant: amounts are written exactly as they are stored, as text; what can be long goes to CSV as well as JSON.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_common.money import plain
from algotrendy_common.rpc.backtest import RunEquity
from algotrendy_core.backtest.engine import BacktestResult

from algotrendy_backtest.domain import Outcome

CONVENTIONS = {
    "decision": "at a bar's close, from that bar and those before it",
    "fill": "at the next bar's open as a taker, made worse by the slippage; never at the close that decided",
    "fee": "charged on each fill at the given rate; a spot buy pays in what it receives",
    "pnl": "of a fill: realised, before fees; of a trade: from flat to flat, net of fees, in the quote currency",
    "equity": "cash and position at the close of each bar",
    "returns": "simple, bar to bar, bars without trades included; risk-free rate 0",
    "annualised": "a year has 365 days; ratios by the square root of the bars in it",
    "drawdown": "loss from the highest equity so far, as a fraction of it",
    "undefined": "what is not defined is null, never 0",
    "times": "ISO 8601, UTC; a fill's is that of its bar's open",
}


def result_document(spec: BacktestSpec, outcome: Outcome, equity: Iterable[RunEquity] | None = None) -> dict[str, Any]:
    """All of a result as plain values, for JSON."""
    return {
        "kind": spec.kind.value,
        "strategy": outcome.manifest.get("strategy", spec.strategy_kind),
        "parameters": outcome.manifest.get("parameters", spec.parameters),
        "spec": spec.model_dump(mode="json"),
        "result_hash": outcome.result_hash,
        "statistics": outcome.statistics,
        "conventions": CONVENTIONS,
        "trades": _rows(outcome.round_trips, _TRADE_COLUMNS),
        "fills": _rows(outcome.fills, _FILL_COLUMNS),
        "equity": [
            {"time": _text(point.time), "equity": plain(point.equity)}
            for point in (outcome.equity if equity is None else equity)
        ],
        "manifest": outcome.manifest,
    }


def write_result(
    folder: Path, spec: BacktestSpec, outcome: Outcome, equity: Sequence[float], times_ms: Sequence[int]
) -> list[Path]:
    """Write ``manifest.json``, ``result.json``, ``trades.csv``, ``fills.csv`` and ``equity.csv``.

    ``equity`` is one value a bar at the bar's close, ``times_ms`` the closes' times.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = result_document(spec, outcome)
    written = [
        _json(folder / "manifest.json", outcome.manifest | {"result_hash": outcome.result_hash}),
        _json(folder / "result.json", document),
        _csv(folder / "trades.csv", document["trades"], _TRADE_COLUMNS),
        _csv(folder / "fills.csv", document["fills"], _FILL_COLUMNS),
    ]
    path = folder / "equity.csv"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("timestamp_ms,equity\n")
        file.writelines(_curve_lines(times_ms, equity))
    return [*written, path]


def _curve_lines(times_ms: Sequence[int], equity: Sequence[float]) -> Iterator[str]:
    """While nothing is held the equity stands still, and spelling a number is what takes the time."""
    last, text = None, ""
    for time, value in zip(times_ms, equity, strict=True):
        if value != last:
            last, text = value, f",{value!r}\n"
        yield f"{time}{text}"


def write_pages(
    folder: Path, result: BacktestResult, spec: BacktestSpec, examination: dict[str, Any] | None = None
) -> None:
    """The tearsheet as a page and as its values, and those of the examination where there was one."""
    # Imported here: a run that keeps no files draws no pages.
    from algotrendy_backtest.reports import html
    from algotrendy_backtest.reports.documents import sheet_document

    folder.mkdir(parents=True, exist_ok=True)
    sheet = sheet_document(result, result.strategy.name, spec.symbol)
    _json(folder / "sheet.json", sheet)
    (folder / "report.html").write_text(html.tearsheet_page(sheet), encoding="utf-8")
    if examination is not None:
        _json(folder / "examination.json", examination)
        (folder / "robustness.html").write_text(html.robustness_page(sheet, examination), encoding="utf-8")


_TRADE_COLUMNS = ("entry_time", "exit_time", "side", "quantity", "entry_price", "exit_price", "fees", "profit")
_FILL_COLUMNS = ("time", "side", "price", "quantity", "fee", "pnl")


def _json(path: Path, document: Any) -> Path:
    # On one line: the encoder that indents is written in Python, and takes as long as the backtest.
    path.write_text(json.dumps(document, sort_keys=True) + "\n", encoding="utf-8")
    return path


def _csv(path: Path, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _rows(records: Iterable[Any], columns: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{name: _text(getattr(record, name)) for name in columns} for record in records]


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return plain(value) if isinstance(value, Decimal) else value


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""Tearsheets and examinations as plain values: they cross processes, are kept as JSON, and pages are drawn from them.

Invariant: nothing is worked out here; what is undefined is None, and a document is valid JSON.
"""

from dataclasses import asdict
from math import isfinite
from typing import Any

from algotrendy_core.backtest.engine import BacktestResult
from algotrendy_core.robustness.evidence import Examined
from algotrendy_core.tearsheet.sheet import Curve, tearsheet

LAST_TRADES = 500
"""Of a page; the CSV beside it has all of them."""


def sheet_document(result: BacktestResult, name: str, symbol: str) -> dict[str, Any]:
    """``name`` is what the strategy is called on the page."""
    sheet = tearsheet(result)
    trades = result.trades
    return {
        "name": name,
        "symbol": symbol,
        "timeframe": result.bars.timeframe.value,
        "parameters": result.parameters.model_dump(mode="json"),
        "first_ms": int(result.bars.time[0]),
        "last_ms": int(result.bars.time[-1]) + result.bars.timeframe.seconds * 1000,
        "result_hash": result.result_hash,
        "manifest": result.manifest,
        "statistics": _clean(asdict(sheet.statistics)),
        "relative": _clean(asdict(sheet.relative)),
        "curves": {
            "equity": _curve(sheet.equity),
            "benchmark": _curve(sheet.benchmark),
            "drawdown": _curve(sheet.drawdown),
            "rolling_sharpe": _curve(sheet.rolling_sharpe),
            "exposure": _curve(sheet.exposure),
        },
        "rolling_window": sheet.rolling_window,
        "sampling_ms": sheet.sampling_ms,
        "episodes": [
            {"depth": episode.depth, "peak_ms": peak, "trough_ms": trough, "recovered_ms": recovered}
            for episode, peak, trough, recovered in sheet.episodes
        ],
        "months": [asdict(month) for month in sheet.months],
        "trade_count": len(trades),
        "trades": [
            {
                "entry_ms": int(trade["entry_time"]),
                "exit_ms": int(trade["exit_time"]),
                "side": "long" if trade["side"] > 0 else "short",
                "quantity": float(trade["quantity"]),
                "entry_price": float(trade["entry_price"]),
                "exit_price": float(trade["exit_price"]),
                "fees": float(trade["fees"]),
                "profit": float(trade["profit"]),
            }
            for trade in trades[-LAST_TRADES:]
        ],
    }


def examination_document(found: Examined, walk_forward: dict[str, Any] | None = None) -> dict[str, Any]:
    """``walk_forward``: what a walk-forward of the same strategy and history came to, where there was one."""
    over, surface = found.overfitting, found.surface
    return {
        "passed": found.passed,
        "findings": [asdict(finding) for finding in found.findings],
        "seen": _clean(asdict(found.seen)),
        "unseen": _clean(asdict(found.unseen)),
        "walk_forward": walk_forward,
        "trade_draws": None if found.trade_draws is None else _clean(asdict(found.trade_draws)),
        "histories": None if found.histories is None else _clean(asdict(found.histories)),
        "surface": None
        if surface is None
        else {
            "first": surface.first,
            "first_values": list(surface.first_values),
            "second": surface.second,
            "second_values": list(surface.second_values),
            "values": [[_number(value) for value in row] for row in surface.values.tolist()],
        },
        "significance": None if found.significance is None else _clean(asdict(found.significance)),
        "overfitting": None
        if over is None
        else {
            "probability": over.probability,
            "probability_of_loss": over.probability_of_loss,
            "median_degradation": over.median_degradation,
            "splits": len(over.splits),
            "path_ratios": [_number(value) for value in over.path_ratios.tolist()],
        },
        "deflated": None if found.deflated is None else _clean(asdict(found.deflated)),
        "needed_years": found.needed_years,
        "stresses": [_clean(asdict(stress)) for stress in found.stresses],
    }


def _curve(curve: Curve) -> list[list[float | int]]:
    return [[int(time), value] for time, value in zip(curve.times.tolist(), curve.values.tolist(), strict=True)]


def _clean(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return _clean(value)
    if isinstance(value, tuple | list):
        return [_number(item) for item in value]
    return value

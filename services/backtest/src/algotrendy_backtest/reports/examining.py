"""What a robustness page shows, from the documents of the run and of its examination."""

from math import isclose
from typing import Any

from algotrendy_backtest.reports.formats import change, percent, ratio, tone
from algotrendy_backtest.reports.shading import tint
from algotrendy_backtest.reports.sheets import equity_panes


def values(sheet: dict[str, Any], examination: dict[str, Any]) -> dict[str, Any]:
    failed = [finding for finding in examination["findings"] if finding["gates"] and not finding["passed"]]
    walk = examination["walk_forward"]
    return {
        "sheet": sheet,
        "s": sheet["statistics"],
        "e": examination,
        "held_against": f"{len(failed)} thing{'s' if len(failed) != 1 else ''}",
        "words": words(failed, examination),
        "surface": _surface(examination["surface"], sheet["parameters"]),
        "stresses": [
            [
                stress["name"], {"text": change(stress["total_return"]), "tone": tone(stress["total_return"])},
                ratio(stress["sharpe"]), percent(stress["max_drawdown"]),
            ]
            for stress in examination["stresses"]
        ],
        "spreads": _spreads(examination),
        "spread_words": _spread_words(examination),
        "paths": _paths(examination["overfitting"]),
        "walk_forward_rows": [] if walk is None else [_window(row) for row in walk.get("windows", [])],
    }  # fmt: skip


def charts(sheet: dict[str, Any]) -> dict[str, Any]:
    return {"curves": equity_panes(sheet)}


def words(failed: list[dict[str, Any]], examination: dict[str, Any]) -> str:
    """The verdict in a sentence or two."""
    good = next((finding for finding in examination["findings"] if finding["name"] == "yardstick"), None)
    if not failed:
        said = "What was tried did not bring it down."
        if good is not None and not good["passed"]:
            said += f" It seems real, but is not good yet: {good['observed']}."
        return said + " That is no promise; go on paper first."
    first = ", ".join(finding["name"].replace("_", " ") for finding in failed[:4])
    more = f" and {len(failed) - 4} more" if len(failed) > 4 else ""
    return f"It fails: {first}{more}. Not promoted to live trading without an override, which is written down."


def _surface(surface: dict[str, Any] | None, parameters: dict[str, Any]) -> dict[str, Any] | None:
    if surface is None:
        return None
    known = [abs(value) for row in surface["values"] for value in row if value is not None]
    full = max(known, default=0.0)

    def chosen(name: str, value: float) -> bool:
        return not name or isclose(float(parameters[name]), value)

    rows = [
        {
            "value": f"{first:g}",
            "cells": [
                {
                    "text": ratio(value),
                    "shade": tint(value, full),
                    "chosen": chosen(surface["first"], first) and chosen(surface["second"], second),
                }
                for second, value in zip(surface["second_values"], row, strict=True)
            ],
        }
        for first, row in zip(surface["first_values"], surface["values"], strict=True)
    ]
    return {
        "first": surface["first"],
        "second": surface["second"],
        "across": [f"{value:g}" for value in surface["second_values"]],
        "rows": rows,
    }


def _spreads(examination: dict[str, Any]) -> list[list[Any]]:
    drawn, other = examination["trade_draws"], examination["histories"]
    rows: list[list[Any]] = []
    if drawn is not None:
        rows.append(["Return, trades drawn anew", *_three(drawn["total_return"], change)])
        rows.append(["Drawdown, trades drawn anew", *_three(drawn["max_drawdown"], percent, worst_high=True)])
        rows.append(
            ["Drawdown, same trades reordered", *_three(drawn["max_drawdown_reordered"], percent, worst_high=True)]
        )
    if other is not None:
        rows.append(["Return, other histories", *_three(other["total_return"], change)])
        rows.append(["Sharpe, other histories", *_three(other["sharpe"], ratio)])
        rows.append(["Drawdown, other histories", *_three(other["max_drawdown"], percent, worst_high=True)])
    return rows or [["nothing could be drawn", "", "", ""]]


def _three(spread: dict[str, Any], written: Any, *, worst_high: bool = False) -> list[str]:
    low, _, median, _, high = spread["values"]
    ends = (high, median, low) if worst_high else (low, median, high)
    return [written(value) for value in ends]


def _spread_words(examination: dict[str, Any]) -> str:
    said = []
    drawn, other = examination["trade_draws"], examination["histories"]
    if drawn is not None:
        said.append(f"Trades drawn anew lose money in {percent(drawn['probability_of_loss'], 0)} of the draws.")
    if other is not None:
        said.append(f"{percent(other['share_losing'], 0)} of {other['draws']} resampled histories end with a loss.")
    return " ".join(said)


def _paths(over: dict[str, Any] | None) -> dict[str, Any] | None:
    if over is None or not over["path_ratios"]:
        return None
    known = [value or 0.0 for value in over["path_ratios"]]
    full = max(abs(value) for value in known) or 1.0
    losing = sum(value < 0 for value in known)
    return {
        "bars": [
            {"height": round(abs(value) / full * 100, 1), "tone": "down" if value < 0 else "", "text": f"{value:.4f}"}
            for value in sorted(known)
        ],
        "words": f"{len(known)} paths, {losing} of them with a loss; the choice loses"
        f" {over['median_degradation']:.3f} of its ratio per period from seen to unseen.",
    }


def _window(row: dict[str, Any]) -> list[Any]:
    out = row.get("out_of_sample") or {}
    chosen = row.get("parameters")
    return [
        str(row["window"] + 1),
        "nothing that trades" if chosen is None else ", ".join(f"{name} {value}" for name, value in chosen.items()),
        {"text": change(out.get("total_return")), "tone": tone(out.get("total_return"))},
        ratio(out.get("sharpe")),
        percent(out.get("max_drawdown")),
        str(out.get("trades", "–")),
    ]

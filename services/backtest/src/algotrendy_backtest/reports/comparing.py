"""Several backtests side by side, from their documents."""

from collections.abc import Callable
from typing import Any

import numpy as np
from algotrendy_common.errors import Refused

from algotrendy_backtest.reports.formats import amount, change, percent, ratio

MOST = 6
"""Colours that can be told apart."""

_FIGURES: tuple[tuple[str, str, str, Callable[[Any], str], int], ...] = (
    ("Total return", "statistics", "total_return", change, 1),
    ("A year", "statistics", "annual_return", change, 1),
    ("Sharpe", "statistics", "sharpe", ratio, 1),
    ("Sortino", "statistics", "sortino", ratio, 1),
    ("Calmar", "statistics", "calmar", ratio, 1),
    ("Deepest drawdown", "statistics", "max_drawdown", percent, -1),
    ("Volatility", "statistics", "volatility", percent, -1),
    ("Alpha a year", "relative", "alpha", change, 1),
    ("Beta", "relative", "beta", ratio, 0),
    ("Information ratio", "relative", "information_ratio", ratio, 1),
    ("Trades", "statistics", "trades", str, 0),
    ("Won", "statistics", "win_rate", percent, 1),
    ("Profit factor", "statistics", "profit_factor", ratio, 1),
    ("In the market", "statistics", "exposure", percent, 0),
    ("Turnover", "statistics", "turnover", ratio, -1),
    ("Fees", "statistics", "fees", amount, -1),
)
"""Name, where it is, how it is written, and which direction is better."""


def values(documents: list[dict[str, Any]]) -> dict[str, Any]:
    if not 2 <= len(documents) <= MOST:
        raise Refused("comparison_size", f"two to {MOST} results can be compared", given=len(documents))
    labels = labels_of(documents)
    return {
        "sheets": [{"label": label} for label in labels],
        "labels": labels,
        "warnings": warnings(documents),
        "figures": figures(documents),
        "differences": differences(documents),
        "correlations": correlations(documents, labels),
    }


def labels_of(documents: list[dict[str, Any]]) -> list[str]:
    """Each by its strategy, and by what tells it from others of the same strategy."""
    names = [document["name"] for document in documents]
    labels = []
    for index, document in enumerate(documents):
        twins = [other for other in documents if other["name"] == document["name"]]
        if len(twins) == 1:
            labels.append(document["name"])
            continue
        own = [
            f"{key} {value}"
            for key, value in document["parameters"].items()
            if any(twin["parameters"].get(key) != value for twin in twins)
        ]
        if any(twin["symbol"] != document["symbol"] for twin in twins):
            own.insert(0, document["symbol"])
        labels.append(f"{document['name']} ({', '.join(own) or names[: index + 1].count(document['name'])})")
    return labels


def figures(documents: list[dict[str, Any]]) -> list[list[Any]]:
    rows = []
    for name, part, key, written, better in _FIGURES:
        row = [document[part][key] for document in documents]
        known = [value for value in row if value is not None]
        best = None
        if better and len(known) > 1 and len(set(known)) > 1:
            best = max(known) if better > 0 else min(known)
        rows.append(
            [
                name,
                *(
                    {"text": written(value), "tone": "up" if value is not None and value == best else ""}
                    for value in row
                ),
            ]
        )
    return rows


def differences(documents: list[dict[str, Any]]) -> list[list[str]]:
    """Parameters, data and assumptions that are not the same everywhere."""
    facts = [_facts(document) for document in documents]
    keys = list(dict.fromkeys(key for fact in facts for key in fact))
    rows = [[key, *(fact.get(key, "–") for fact in facts)] for key in keys]
    told = [row for row in rows if len(set(row[1:])) > 1]
    return told or [["nothing", *("" for _ in documents)]]


def _facts(document: dict[str, Any]) -> dict[str, str]:
    manifest = document["manifest"]
    return {
        "symbol": document["symbol"],
        "timeframe": document["timeframe"],
        "first bar": str(document["first_ms"]),
        "last bar": str(document["last_ms"]),
        "data": str(manifest.get("data", {}).get("hash", ""))[:12],
        **{f"parameter {key}": str(value) for key, value in document["parameters"].items()},
        **{f"config {key}": str(value) for key, value in manifest.get("config", {}).items()},
    }


def warnings(documents: list[dict[str, Any]]) -> list[str]:
    said = []
    if len({(document["first_ms"], document["last_ms"]) for document in documents}) > 1:
        said.append("They do not cover the same time: compare ratios, not returns.")
    if len({str(document["manifest"].get("config")) for document in documents}) > 1:
        said.append("Cash or costs differ between them.")
    return said


def correlations(documents: list[dict[str, Any]], labels: list[str]) -> list[list[str]]:
    rows = []
    for label, one in zip(labels, documents, strict=True):
        rows.append([label, *(ratio(_correlation(one, other)) for other in documents)])
    return rows


def _correlation(one: dict[str, Any], other: dict[str, Any]) -> float | None:
    first, second = (dict(map(tuple, document["curves"]["equity"])) for document in (one, other))
    shared = sorted(first.keys() & second.keys())
    if len(shared) < 3:
        return None
    moves = [np.diff(np.log([curve[time] for time in shared])) for curve in (first, second)]
    if any(float(move.std()) == 0.0 for move in moves):
        return None
    return float(np.corrcoef(moves[0], moves[1])[0, 1])


def charts(documents: list[dict[str, Any]]) -> dict[str, Any]:
    def drawn(curve: str, number: str, kind: str) -> list[dict[str, Any]]:
        return [
            {
                "kind": kind,
                "series": f"series-{index + 1}",
                "format": number,
                "values": _rebased(document) if curve == "equity" else document["curves"][curve],
            }
            for index, document in enumerate(documents)
        ]

    return {
        "growth": [
            {"share": 5, "series": drawn("equity", "ratio", "line")},
            {"share": 2, "series": drawn("drawdown", "percent", "line")},
        ]
    }


def _rebased(document: dict[str, Any]) -> list[list[float]]:
    initial = document["statistics"]["initial_equity"]
    return [[time, value / initial] for time, value in document["curves"]["equity"]]

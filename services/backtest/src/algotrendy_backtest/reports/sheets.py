"""What a tearsheet's page shows, from its document."""

import json
from itertools import groupby
from math import prod
from typing import Any

from algotrendy_backtest.reports.formats import (
    DASH,
    amount,
    change,
    moment,
    percent,
    price,
    signed,
    span,
    tone,
)
from algotrendy_backtest.reports.shading import tint

_SAMPLING = {86_400_000: ("day", "days"), 3_600_000: ("hour", "hours"), 60_000: ("minute", "minutes")}


def values(sheet: dict[str, Any]) -> dict[str, Any]:
    one, many = _SAMPLING[sheet["sampling_ms"]]
    statistics = sheet["statistics"]
    return {
        "sheet": sheet,
        "s": statistics,
        "r": sheet["relative"],
        "rolling": f"{sheet['rolling_window']} {many}",
        "sampling": one,
        "month_table": month_table(sheet["months"]),
        "episodes": [
            [
                percent(episode["depth"]), moment(episode["peak_ms"]), moment(episode["trough_ms"]),
                moment(episode["recovered_ms"]), span(episode["peak_ms"], episode["recovered_ms"]),
            ]
            for episode in sheet["episodes"]
        ] or [[DASH] * 5],
        "extremes": [
            ["Best", _toned(statistics["best_trade"])],
            ["Worst", _toned(statistics["worst_trade"])],
            ["Average", _toned(statistics["average_trade"])],
            ["Won", percent(statistics["win_rate"])],
            ["Volatility a year", percent(statistics["volatility"])],
        ],
        "trades": [_trade(trade) for trade in reversed(sheet["trades"])] or [[DASH] * 8],
        "manifest": json.dumps(sheet["manifest"], indent=2, sort_keys=True),
    }  # fmt: skip


def charts(sheet: dict[str, Any]) -> dict[str, Any]:
    curves = sheet["curves"]
    return {
        "curves": [
            *equity_panes(sheet),
            {"share": 2, "series": [_series("line", "series-4", curves["rolling_sharpe"], "ratio")]},
            {"share": 2, "series": [_series("baseline", "up", curves["exposure"], "percent")]},
        ]
    }


def equity_panes(sheet: dict[str, Any]) -> list[dict[str, Any]]:
    curves = sheet["curves"]
    return [
        {
            "share": 5,
            "series": [
                _series("line", "series-2", curves["benchmark"], "money"),
                _series("line", "series-1", curves["equity"], "money"),
            ],
        },
        {"share": 2, "series": [_series("area", "down", curves["drawdown"], "percent")]},
    ]


def _series(kind: str, colour: str, points: list[list[float]], number: str) -> dict[str, Any]:
    return {"kind": kind, "series": colour, "values": points, "format": number}


def month_table(months: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a year; a month without data is empty."""
    full = max((abs(month["change"]) for month in months), default=0.0)
    rows = []
    for year, of_year in groupby(months, key=lambda month: month["year"]):
        by_month = {month["month"]: month["change"] for month in of_year}
        total = prod(1.0 + value for value in by_month.values()) - 1.0
        cells = [
            {
                "text": change(by_month.get(number)) if number in by_month else "",
                "shade": tint(by_month.get(number), full),
            }
            for number in range(1, 13)
        ]
        rows.append({"year": year, "months": cells, "total": change(total), "tone": tone(total)})
    return rows


def _toned(value: float | None) -> dict[str, str]:
    return {"text": signed(value), "tone": tone(value)}


def _trade(trade: dict[str, Any]) -> list[Any]:
    return [
        moment(trade["entry_ms"]), moment(trade["exit_ms"]), trade["side"], f"{trade['quantity']:.8g}",
        price(trade["entry_price"]), price(trade["exit_price"]), amount(trade["fees"]), _toned(trade["profit"]),
    ]  # fmt: skip

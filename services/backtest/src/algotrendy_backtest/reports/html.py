"""Pages that carry all they need: opened from a folder, mailed, or kept for years, without a network.

Invariant: a page is a function of its documents; the same documents give the same bytes.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from algotrendy_backtest.reports import comparing, examining, formats, sheets


def tearsheet_page(sheet: dict[str, Any]) -> str:
    return _page("tearsheet.html.j2", sheets.charts(sheet), **sheets.values(sheet))


def robustness_page(sheet: dict[str, Any], examination: dict[str, Any]) -> str:
    return _page("robustness.html.j2", examining.charts(sheet), **examining.values(sheet, examination))


def comparison_page(documents: list[dict[str, Any]]) -> str:
    """Two to six sheets; raises Refused for fewer or more."""
    return _page("comparison.html.j2", comparing.charts(documents), **comparing.values(documents))


def _page(template: str, charts: dict[str, Any], **values: Any) -> str:
    return _templates().get_template(template).render(
        css=_asset("report.css"),
        library=_asset("lightweight-charts.js"),
        script=_asset("report.js"),
        # Inside a script element nothing but "<" could end it early.
        charts=json.dumps(charts, separators=(",", ":")).replace("<", "\\u003c"),
        f=formats,
        **values,
    )  # fmt: skip


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("algotrendy_backtest.reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


@cache
def _asset(name: str) -> str:
    return files("algotrendy_backtest.reports").joinpath("assets", name).read_text(encoding="utf-8")

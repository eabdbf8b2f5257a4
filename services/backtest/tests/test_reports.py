"""Pages of results: they say what the documents say, carry all they need, and survive what a name may contain."""

import json
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from algotrendy_backtest.reports import html
from algotrendy_backtest.reports.comparing import differences, figures, labels_of, warnings
from algotrendy_backtest.reports.documents import examination_document, sheet_document
from algotrendy_backtest.reports.formats import amount, change, percent, ratio, span
from algotrendy_backtest.reports.sheets import month_table
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.engine import BacktestResult, run_backtest
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from algotrendy_core.robustness.examination import Examination, examined
from algotrendy_core.strategies.registry import strategy_named

BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip
SMA = strategy_named("sma_cross")


def bars(count: int = 900) -> BarSeries:
    random = np.random.default_rng(5)
    close = 20_000 * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    open_ = np.concatenate(([20_000.0], close[:-1]))
    return BarSeries(
        Timeframe.H1, 1_700_006_400_000 + np.arange(count, dtype=np.int64) * 3_600_000, open_,
        np.maximum(open_, close), np.minimum(open_, close), close, np.full(count, 3.0),
    )  # fmt: skip


def run(**parameters: int) -> BacktestResult:
    return run_backtest(
        SMA, SMA.parameters(**parameters), bars(), BTC, BacktestConfig(Decimal(100_000)), compiled=False
    )


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return run(fast=5, slow=20)


@pytest.fixture(scope="module")
def sheet(result: BacktestResult) -> dict[str, Any]:
    return sheet_document(result, "sma_cross", "BTC-USDT")


def drawn(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.S)
    assert found is not None
    charts: dict[str, Any] = json.loads(found.group(1))
    return charts


def test_a_tearsheet_says_what_the_run_was(sheet: dict[str, Any], result: BacktestResult) -> None:
    page = html.tearsheet_page(sheet)
    figures = result.statistics
    for shown in (
        change(figures.total_return),
        ratio(figures.sharpe),
        percent(figures.max_drawdown),
        amount(figures.fees),
    ):
        assert shown in page
    assert result.result_hash in page
    assert page.count("<td>long</td>") == len(result.trades)
    equity = drawn(page)["curves"][0]["series"][1]["values"]
    assert equity[-1][1] == result.equity[-1]
    assert page == html.tearsheet_page(json.loads(json.dumps(sheet, allow_nan=False)))


def test_a_page_needs_nothing_from_elsewhere(sheet: dict[str, Any]) -> None:
    page = html.tearsheet_page(sheet)
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", page)
    assert "LightweightCharts" in page


def test_what_a_name_contains_is_shown_and_not_run(result: BacktestResult) -> None:
    evil = "</script><script>alert(1)</script>"
    page = html.tearsheet_page(sheet_document(result, evil, "BTC-USDT"))
    assert "alert(1)</script>" not in page.replace("&lt;", "")
    assert "&lt;script&gt;alert(1)" in page
    compared = html.comparison_page([sheet_document(result, evil, "BTC-USDT"), sheet_document(result, "b", "BTC-USDT")])
    assert "<script>alert" not in compared


def test_a_run_without_trades_is_a_page_too() -> None:
    quiet = run_backtest(
        SMA, SMA.parameters(fast=100, slow=899), bars(), BTC, BacktestConfig(Decimal(100_000)), compiled=False
    )
    assert not len(quiet.trades)
    page = html.tearsheet_page(sheet_document(quiet, "sma_cross", "BTC-USDT"))
    assert "–" in page
    assert not re.search(r"\bnan\b", page.split("<script", 1)[0], re.I)


def test_months_compound_in_the_table(sheet: dict[str, Any]) -> None:
    rows = month_table(sheet["months"])
    assert [row["year"] for row in rows] == [2023]
    shown = [cell["text"] for cell in rows[0]["months"]]
    assert shown[:10] == [""] * 10
    assert rows[0]["total"] == change(sheet["statistics"]["total_return"])


def test_several_are_compared(sheet: dict[str, Any]) -> None:
    other = sheet_document(run(fast=10, slow=50), "sma_cross", "BTC-USDT")
    documents = [sheet, other]
    assert labels_of(documents) == ["sma_cross (fast 5, slow 20)", "sma_cross (fast 10, slow 50)"]
    assert warnings(documents) == []
    rows = {row[0]: row[1:] for row in figures(documents)}
    best = max(documents, key=lambda document: document["statistics"]["total_return"])
    marked = [cell["tone"] == "up" for cell in rows["Total return"]]
    assert marked == [document is best for document in documents]
    assert {row[0] for row in differences(documents)} == {"parameter fast", "parameter slow"}
    page = html.comparison_page(documents)
    growth = drawn(page)["growth"][0]["series"]
    assert growth[0]["values"][-1][1] == pytest.approx(1 + sheet["statistics"]["total_return"])
    assert labels_of([sheet, sheet]) == ["sma_cross (1)", "sma_cross (2)"]
    with pytest.raises(Refused, match="two to 6"):
        html.comparison_page([sheet])


def test_an_examination_is_told_in_words_and_figures(sheet: dict[str, Any], result: BacktestResult) -> None:
    found = examined(
        lambda: SMA, result.parameters, result.bars, BTC, result.config,
        examination=Examination(draws=100, histories=3),
    )  # fmt: skip
    walk = {"sharpe": 0.5, "total_return": 0.1, "windows": [{"window": 0, "parameters": None, "out_of_sample": None}]}
    document = json.loads(json.dumps(examination_document(found, walk), allow_nan=False))
    page = html.robustness_page(sheet, document)
    failed = sum(finding.gates and not finding.passed for finding in found.findings)
    assert failed > 0
    assert f"{failed} things held against it" in page
    assert page.count('<td class="down">fails</td>') == failed
    for finding in found.findings:
        assert finding.observed.replace("'", "&#39;") in page
    assert page.count('<td class="cell chosen"') == 1
    assert "nothing that trades" in page


def test_figures_read_well() -> None:
    assert [percent(value) for value in (0.1234, -0.00001, None)] == ["12.3 %", "0.0 %", "–"]
    assert [change(value) for value in (0.05, -0.05, 0.0)] == ["+5.0 %", "-5.0 %", "0.0 %"]
    assert [span(0, minutes * 60_000) for minutes in (5, 90, 3000)] == ["5 min", "1 h 30 min", "2 d 2 h"]
    assert span(0, None) == "lasts"

"""Answers of StockCharts' sheets, within their rounding.

The sheets of RSI, Stochastic RSI, MACD and ATR start otherwise than TA-Lib, whose convention is ours: RSI and MACD from
the first value, where TA-Lib waits for a full window and takes its mean; ATR from a true range on the first bar, which
has no close before it. A smoothed value forgets how it began: here the sheets' way is written out, proven on the
sheets, and followed over a day, on which the difference fades by the smoothing's factor.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from algotrendy_core.backtest.candles_csv import read_columns
from algotrendy_core.indicators.registry import INDICATORS, over_bars
from algotrendy_core.kernels import Floats

FOLDER = Path(__file__).parent / "payloads" / "indicator_answers"


def sheet(name: str) -> dict[str, Floats]:
    with (FOLDER / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    skipped = ("", "Date", "date")
    return {
        column: np.array([float(row[column]) if row[column] else np.nan for row in rows])
        for column in rows[0]
        if column not in skipped
    }


def ours(indicator: str, columns: dict[str, Floats], *given: float) -> dict[str, Floats]:
    inputs = {name.lower(): values for name, values in columns.items()}
    return over_bars(INDICATORS[indicator], SimpleNamespace(**inputs), *given, compiled=False)


@pytest.mark.parametrize(
    ("name", "indicator", "given", "output", "column", "rounding"),
    [
        ("bbands", "bollinger", (20, 2), "bollinger_upper", "HighBand", 5e-7),
        ("bbands", "bollinger", (20, 2), "bollinger_middle", "MiddleBand", 5e-7),
        ("bbands", "bollinger", (20, 2), "bollinger_lower", "LowBand", 5e-7),
        ("dc", "donchian", (20,), "donchian_upper", "upper_band", 1e-9),
        ("dc", "donchian", (20,), "donchian_middle", "middle_band", 5.1e-3),
        ("dc", "donchian", (20,), "donchian_lower", "lower_band", 1e-9),
        ("kama", "kama", (10, 2, 30), "kama", "KAMA", 1.5e-6),
        ("wma", "wma", (9,), "wma", "WMA", 5.1e-5),
        ("vwap", "rolling_vwap", (14,), "rolling_vwap", "vwap", 1e-9),
    ],
)
def test_equals_the_sheet(
    name: str, indicator: str, given: tuple[float, ...], output: str, column: str, rounding: float
) -> None:
    answers = sheet(name)
    found, expected = ours(indicator, answers, *given)[output], answers[column]
    both = ~np.isnan(found) & ~np.isnan(expected)
    assert both.sum() >= 10
    np.testing.assert_allclose(found[both], expected[both], rtol=0, atol=rounding)


def test_the_vwap_since_the_session_began_equals_the_sheets_first_window() -> None:
    answers = sheet("vwap")
    answers["time"] = np.arange(len(answers["Close"]))  # milliseconds: one session
    found = ours("vwap", answers)["vwap"]
    np.testing.assert_allclose(found[:14], answers["vwap"][:14], rtol=0, atol=1e-9)


def test_on_balance_volume_differs_from_the_sheet_by_where_it_starts_and_nothing_else() -> None:
    answers = sheet("obv")
    answers["Volume"][0] = 0.0  # the sheet leaves it open
    np.testing.assert_array_equal(ours("obv", answers)["obv"][1:], answers["OBV"][1:])


def test_parabolic_stops_equal_the_sheet_from_the_first_turn_on() -> None:
    """Before it they differ: the sheet passes over the second bar, which TA-Lib takes for the first of the trend."""
    answers = sheet("psar")
    found = ours("psar", answers)
    rising, falling = answers["psar_up"], answers["psar_down"]
    known = ~np.isnan(rising) | ~np.isnan(falling)
    np.testing.assert_array_equal(found["psar_trend"][known] > 0, ~np.isnan(rising)[known])
    turned = np.flatnonzero(~np.isnan(rising))[0]
    expected = np.where(np.isnan(rising), falling, rising)
    assert turned < 10
    np.testing.assert_allclose(found["psar"][turned:], expected[turned:], rtol=0, atol=5e-7)


# ── other starts ────────────────────────────────────────────────────────────────────────────────────────────────


def smoothed(values: Floats, weight: float) -> Floats:
    """From the first value on, as the sheets begin."""
    out = [values[0]]
    for value in values[1:]:
        out.append(out[-1] + weight * (value - out[-1]))
    return np.array(out)


def sheet_rsi(close: Floats) -> Floats:
    change = np.diff(close, prepend=close[0])
    gain, loss = smoothed(change.clip(0), 1 / 14)[14:], smoothed((-change).clip(0), 1 / 14)[14:]
    return np.concatenate((np.full(14, np.nan), 100 * gain / (gain + loss)))


def sheet_stochrsi(close: Floats) -> Floats:
    strength = sheet_rsi(close)
    windows = np.lib.stride_tricks.sliding_window_view(strength, 14)
    low, high = windows.min(axis=1), windows.max(axis=1)
    return np.concatenate((np.full(13, np.nan), (strength[13:] - low) / (high - low)))


def sheet_macd(close: Floats) -> Floats:
    return smoothed(close, 2 / 13) - smoothed(close, 2 / 27)


def sheet_atr(high: Floats, low: Floats, close: Floats) -> Floats:
    before = np.concatenate((close[:1], close[:-1]))
    ranges = np.maximum(high, before) - np.minimum(low, before)
    ranges[0] = high[0] - low[0]
    return np.concatenate((np.full(13, np.nan), smoothed(np.concatenate(([ranges[:14].mean()], ranges[14:])), 1 / 14)))


Start = Callable[[dict[str, Floats]], Floats]
STARTS: dict[str, tuple[Start, str, str, float, float, float]] = {
    # the sheet's way, its column, our output, our unit, its rounding, how far apart they begin at least
    "rsi": (lambda c: sheet_rsi(c["Close"]), "RSI", "rsi", 1.0, 1e-5, 0.1),
    "stochrsi": (lambda c: sheet_stochrsi(c["Close"]), "StochRSI(14)", "stochrsi_k", 100.0, 1e-5, 0.01),
    "macd": (lambda c: sheet_macd(c["Close"]), "MACD_line", "macd", 1.0, 1e-7, 0.01),
    "atr": (lambda c: sheet_atr(c["High"], c["Low"], c["Close"]), "ATR", "atr", 1.0, 1e-8, 0.01),
}


@pytest.mark.parametrize("name", sorted(STARTS))
def test_what_another_start_makes_different_fades(name: str) -> None:
    theirs, column, output, unit, rounding, apart = STARTS[name]
    answers = sheet(name)
    expected = np.where(answers[column] == 0, np.nan, answers[column])  # the sheet of ATR says 0 while cold
    np.testing.assert_allclose(
        theirs(answers)[~np.isnan(expected)], expected[~np.isnan(expected)], rtol=0, atol=rounding
    )

    day = read_columns(FOLDER.parent / "btcusdt_1m.csv")[0]
    columns = {"High": day.high, "Low": day.low, "Close": day.close}
    distance = np.abs(ours(name, columns)[output] / unit - theirs(columns))
    distance = distance[~np.isnan(distance)]
    assert distance[0] > apart
    for bars, share in ((200, 1e-3), (400, 1e-6), (700, 1e-9)):
        assert distance[bars:].max() < share * distance[:50].max()

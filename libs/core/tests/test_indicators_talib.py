"""Every indicator that TA-Lib has equals TA-Lib to 1e-9: on recorded candles and on made-up ones, at many periods.

Uncompiled, to save the time of compiling: that compiled steps give the same bits is proven in test_indicators.py.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import talib
from algotrendy_core.backtest.candles_csv import CandleColumns, read_columns
from algotrendy_core.indicators.registry import INDICATORS, arguments, over_bars
from algotrendy_core.kernels import Floats
from hypothesis import given, settings
from hypothesis import strategies as st

PAYLOADS = Path(__file__).parent / "payloads"
RECORDED = {name: read_columns(PAYLOADS / name)[0] for name in ("btcusdt_1m.csv", "btcusd_1d.csv")}

Answer = Callable[..., Any]
TALIB: dict[str, Answer] = {
    "sma": lambda b, n: talib.SMA(b.close, n),
    "ema": lambda b, n: talib.EMA(b.close, n),
    "wma": lambda b, n: talib.WMA(b.close, n),
    "kama": lambda b, n, fast, slow: talib.KAMA(b.close, n),
    "macd": lambda b, fast, slow, signal: talib.MACD(b.close, fast, slow, signal),
    "rsi": lambda b, n: talib.RSI(b.close, n),
    "stochrsi": lambda b, n, k, d: talib.STOCHRSI(b.close, n, k, d),
    "mfi": lambda b, n: talib.MFI(b.high, b.low, b.close, b.volume, n),
    "bollinger": lambda b, n, width: talib.BBANDS(b.close, n, width, width),
    "atr": lambda b, n: talib.ATR(b.high, b.low, b.close, n),
    "adx": lambda b, n: tuple(of(b.high, b.low, b.close, n) for of in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)),
    "obv": lambda b: talib.OBV(b.close, b.volume),
    "cci": lambda b, n: talib.CCI(b.high, b.low, b.close, n),
    "donchian": lambda b, n: talib.DONCHIAN(b.high, b.low, n),
    "keltner": lambda b, n, atr, width: talib.KC(b.high, b.low, b.close, n, atr, width),
    "supertrend": lambda b, n, width: talib.SUPERTREND(b.high, b.low, b.close, n, width),
    "psar": lambda b, acceleration, maximum: talib.SAR(b.high, b.low, acceleration, maximum),
}
"""By our name and our parameters."""

LEAST = {"donchian": 2, "supertrend": 2, "keltner": 2}
"""Where TA-Lib takes no shorter period than this, and we do."""


def answers(name: str, bars: CandleColumns, *given: float) -> dict[str, Floats]:
    indicator = INDICATORS[name]
    found = TALIB[name](bars, *arguments(indicator, *given))
    columns = {
        output: np.asarray(column, dtype=np.float64)
        for output, column in zip(
            indicator.outputs, found if isinstance(found, tuple | list) else (found,), strict=False
        )
    }
    if name == "supertrend":  # a whole number has no NaN: TA-Lib says 0 for it
        columns["supertrend_trend"][np.isnan(columns["supertrend"])] = np.nan
    return columns


def assert_equals_talib(name: str, bars: CandleColumns, *given: float) -> None:
    ours = over_bars(INDICATORS[name], bars, *given, compiled=False)
    for output, theirs in answers(name, bars, *given).items():
        np.testing.assert_array_equal(np.isnan(ours[output]), np.isnan(theirs), f"{output} {given}: warm-up")
        np.testing.assert_allclose(ours[output], theirs, rtol=1e-12, atol=1e-9, err_msg=f"{output} {given}")


@pytest.mark.parametrize("candles", sorted(RECORDED))
@pytest.mark.parametrize("name", sorted(TALIB))
def test_equals_talib_on_recorded_candles(name: str, candles: str) -> None:
    assert_equals_talib(name, RECORDED[candles])


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("kama", (50,)),
        ("macd", (5, 35, 5)),
        ("stochrsi", (9, 21, 1)),
        ("bollinger", (50, 2.5)),
        ("keltner", (10, 20, 1.5)),
        ("keltner", (10, 9, 1.5)),
        ("supertrend", (7, 1.0)),
        ("supertrend", (30, 0.0)),
        ("psar", (0.05, 0.5)),
        ("psar", (0.3, 0.1)),
        ("psar", (0.0, 0.0)),
    ],
)
def test_equals_talib_with_other_parameters(name: str, given: tuple[float, ...]) -> None:
    assert_equals_talib(name, RECORDED["btcusdt_1m.csv"], *given)


def test_the_session_vwap_of_one_day_is_talibs() -> None:
    day = RECORDED["btcusdt_1m.csv"]
    assert len(np.unique(day.time // 86_400_000)) == 1
    ours = over_bars(INDICATORS["vwap"], day, compiled=False)["vwap"]
    np.testing.assert_allclose(ours, talib.VWAP(day.high, day.low, day.close, day.volume), rtol=0, atol=1e-9)


def made_up(seed: int, count: int, tick: float, still: bool) -> CandleColumns:
    """A random walk on a grid of prices, with volumes of zero and, if ``still``, stretches without any movement."""
    random = np.random.default_rng(seed)
    moves = random.normal(0, 40, count)
    if still:
        moves[random.integers(0, count) :][:40] = 0.0
    close = np.maximum(5_000 + moves.cumsum().round(), 100)
    open_ = np.concatenate((close[:1], close[:-1]))
    wick = 0 if still else 15
    high = np.maximum(open_, close) + random.integers(0, wick + 1, count)
    low = np.minimum(open_, close) - random.integers(0, wick + 1, count)
    volume = random.lognormal(0, 2, count) * random.integers(0, 4, count).clip(0, 1)
    return CandleColumns(60_000 * np.arange(count), *(column * tick for column in (open_, high, low, close)), volume)


SINGLE = sorted(name for name in TALIB if INDICATORS[name].parameters[:1] and name not in ("macd", "psar"))
"""Those whose first parameter is a period that may be anything."""


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SINGLE),
    st.integers(1, 40),
    st.builds(made_up, st.integers(0, 2**32), st.integers(1, 300), st.sampled_from([0.01, 1.0, 1e-5]), st.booleans()),
)
def test_equals_talib_on_any_candles_at_any_period(name: str, period: int, bars: CandleColumns) -> None:
    period = max(period, LEAST.get(name, 1), int(INDICATORS[name].parameters[0].least))
    assert_equals_talib(name, bars, period)

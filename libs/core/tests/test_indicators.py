"""Indicators: TA-Lib's recorded answers, and the compiled array form against the plain step, bit for bit."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from algotrendy_core import kernels
from algotrendy_core.indicators.atr import atr, atr_array, atr_state
from algotrendy_core.indicators.bollinger import bollinger, bollinger_array, bollinger_state
from algotrendy_core.indicators.ema import ema, ema_array, ema_state
from algotrendy_core.indicators.macd import macd, macd_array, macd_state
from algotrendy_core.indicators.rsi import rsi, rsi_array, rsi_state
from algotrendy_core.indicators.sma import sma, sma_array, sma_state
from algotrendy_core.kernels import Floats
from hypothesis import given, settings
from hypothesis import strategies as st

with (Path(__file__).parent / "payloads" / "talib_answers.csv").open() as file:
    _ROWS = list(csv.DictReader(file))
ANSWERS = {name: np.array([float(row[name]) for row in _ROWS]) for name in _ROWS[0]}
HIGH, LOW, CLOSE = ANSWERS["high"], ANSWERS["low"], ANSWERS["close"]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("sma_10", lambda: sma_array(CLOSE, 10)),
        ("ema_12", lambda: ema_array(CLOSE, 12)),
        ("rsi_14", lambda: rsi_array(CLOSE, 14)),
        ("atr_14", lambda: atr_array(HIGH, LOW, CLOSE, 14)),
        ("macd", lambda: macd_array(CLOSE, 12, 26, 9).macd),
        ("macd_signal", lambda: macd_array(CLOSE, 12, 26, 9).signal),
        ("macd_histogram", lambda: macd_array(CLOSE, 12, 26, 9).histogram),
        ("band_upper", lambda: bollinger_array(CLOSE, 20, 2.0).upper),
        ("band_middle", lambda: bollinger_array(CLOSE, 20, 2.0).middle),
        ("band_lower", lambda: bollinger_array(CLOSE, 20, 2.0).lower),
    ],
)
def test_equals_talib(name: str, ours: Callable[[], Floats]) -> None:
    np.testing.assert_array_equal(np.isnan(ours()), np.isnan(ANSWERS[name]))
    np.testing.assert_allclose(ours(), ANSWERS[name], rtol=0, atol=1e-9)


ONE_VALUE: dict[str, tuple[Callable[..., Any], Callable[[int], Any], Callable[[Floats, int], Any]]] = {
    "sma": (sma, sma_state, sma_array),
    "ema": (ema, ema_state, ema_array),
    "rsi": (rsi, rsi_state, rsi_array),
    "macd": (macd, lambda n: macd_state(n, n + 3, 3), lambda values, n: macd_array(values, n, n + 3, 3)),
    "bollinger": (bollinger, bollinger_state, bollinger_array),
}
prices = st.lists(st.floats(1e-6, 1e6), max_size=120).map(np.array)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(ONE_VALUE)), prices, st.integers(2, 12))
def test_the_array_form_is_the_step_bit_for_bit(name: str, values: Floats, period: int) -> None:
    step, state_of, array = ONE_VALUE[name]
    state = state_of(period)
    streamed = np.array([step(state, value) for value in values.tolist()])
    batch = np.array(array(values, period)).T
    assert streamed.tobytes() == np.ascontiguousarray(batch).tobytes()


@settings(max_examples=40, deadline=None)
@given(prices, st.integers(1, 9))
def test_atr_over_arrays_is_the_step_bit_for_bit(values: Floats, period: int) -> None:
    state = atr_state(period)
    streamed = [atr(state, value * 1.01, value * 0.99, value) for value in values.tolist()]
    assert np.array(streamed).tobytes() == atr_array(values * 1.01, values * 0.99, values, period).tobytes()


@pytest.mark.parametrize("name", sorted(ONE_VALUE))
def test_a_window_longer_than_one_ring_size_changes_nothing(name: str) -> None:
    step, state_of, array = ONE_VALUE[name]
    state = state_of(70)
    streamed = np.array([step(state, value) for value in CLOSE.tolist()])
    assert streamed.tobytes() == np.ascontiguousarray(np.array(array(CLOSE, 70)).T).tobytes()


def test_a_flat_market() -> None:
    flat = np.full(40, 100.0)
    assert rsi_array(flat, 14)[-1] == 0.0
    assert atr_array(flat, flat, flat, 14)[-1] == 0.0
    bands = bollinger_array(flat, 20)
    assert (bands.upper[-1], bands.lower[-1]) == (100.0, 100.0)


def test_bad_periods_are_refused() -> None:
    with pytest.raises(ValueError, match="fast < slow"):
        macd_state(26, 12, 9)
    with pytest.raises(ValueError, match="empty"):
        sma_state(0)
    with pytest.raises(ValueError, match="differ in length"):
        atr_array(CLOSE, CLOSE[1:], CLOSE, 3)


@given(st.lists(st.floats(allow_infinity=True, allow_nan=True), min_size=64, max_size=64), st.integers(0, 63))
def test_a_state_survives_json_bit_for_bit(values: list[float], index: int) -> None:
    state = sma_state(64)
    state.window, state.index, state.total = values, index, -0.0
    again = sma_state(64)
    kernels.load(again, json.loads(json.dumps(kernels.save(state))))
    assert [struct_of(value) for value in again.window] == [struct_of(value) for value in values]
    assert math.copysign(1, again.total) == -1
    assert again.index == index


def struct_of(value: float) -> str:
    return value.hex()


def test_a_state_survives_being_a_record() -> None:
    state = macd_state(3, 6, 2)
    for value in CLOSE[:20].tolist():
        macd(state, value)
    fresh = macd_state(3, 6, 2)
    kernels.from_record(kernels.to_record(state), fresh)
    assert fresh == state


def test_a_state_of_the_wrong_shape_is_refused() -> None:
    saved = kernels.save(sma_state(10))
    with pytest.raises(ValueError, match="other fields"):
        kernels.load(ema_state(10), saved)
    with pytest.raises(ValueError, match="saved with 64 values"):
        kernels.load(sma_state(100), saved)
    state = sma_state(3)
    state.window = "text"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="window"):
        kernels.record_type(state)


def test_without_a_folder_to_keep_machine_code_in_a_function_is_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def twice(value: float) -> float:
        return 2.0 * value

    from numba.core.caching import FunctionCache

    def nowhere(self: object, function: object) -> None:
        raise RuntimeError("no locator available")

    monkeypatch.setattr(FunctionCache, "__init__", nowhere)
    assert kernels.compiled(twice, on_disk=True)(21.0) == 42.0

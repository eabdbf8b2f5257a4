"""Indicators: recorded answers, compiled and streamed alike bit for bit, no look-ahead, and what is odd in markets."""

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from algotrendy_common.errors import Refused
from algotrendy_core import kernels
from algotrendy_core.indicators.ema import ema_state
from algotrendy_core.indicators.ichimoku import ichimoku, ichimoku_state
from algotrendy_core.indicators.kama import kama_state
from algotrendy_core.indicators.macd import macd, macd_state
from algotrendy_core.indicators.registry import INDICATORS, arguments, indicator_named, over_bars, state_of
from algotrendy_core.indicators.sma import sma_state
from algotrendy_core.indicators.volume_profile import volume_profile, volume_profile_state
from algotrendy_core.indicators.vwap import rolling_vwap, rolling_vwap_state, session_vwap, session_vwap_state
from algotrendy_core.kernels import Floats
from hypothesis import given, settings
from hypothesis import strategies as st

with (Path(__file__).parent / "payloads" / "talib_answers.csv").open() as file:
    _ROWS = list(csv.DictReader(file))
ANSWERS = {name: np.array([float(row[name]) for row in _ROWS]) for name in _ROWS[0]}
CLOSE = ANSWERS["close"]
NAMES = sorted(INDICATORS)


def bars_of(close: Floats, spread: float = 0.01, volume: Floats | None = None, step_ms: int = 600_000) -> Any:
    close = np.asarray(close, dtype=np.float64)
    volume = np.full(len(close), 2.0) if volume is None else volume
    time = step_ms * np.arange(len(close))
    return SimpleNamespace(
        time=time, open=close, high=close * (1 + spread), low=close * (1 - spread), close=close, volume=volume
    )


def stacked(name: str, bars: Any, *given: float, compiled: bool = True) -> Floats:
    return np.array(list(over_bars(INDICATORS[name], bars, *given, compiled=compiled).values()))


@pytest.mark.parametrize(
    ("column", "name", "output", "given"),
    [
        ("sma_10", "sma", "sma", (10,)),
        ("ema_12", "ema", "ema", (12,)),
        ("rsi_14", "rsi", "rsi", (14,)),
        ("atr_14", "atr", "atr", (14,)),
        ("macd", "macd", "macd", ()),
        ("macd_signal", "macd", "macd_signal", ()),
        ("macd_histogram", "macd", "macd_histogram", ()),
        ("band_upper", "bollinger", "bollinger_upper", ()),
        ("band_middle", "bollinger", "bollinger_middle", ()),
        ("band_lower", "bollinger", "bollinger_lower", ()),
    ],
)
def test_equals_what_talib_was_recorded_to_answer(column: str, name: str, output: str, given: tuple[int, ...]) -> None:
    recorded = SimpleNamespace(**{each: ANSWERS[each] for each in ("high", "low", "close")})
    ours = over_bars(INDICATORS[name], recorded, *given)[output]
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(ANSWERS[column]))
    np.testing.assert_allclose(ours, ANSWERS[column], rtol=0, atol=1e-9)


# ── one step, however it is run ─────────────────────────────────────────────────────────────────────────────────

prices = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=120).map(np.array)
volumes = st.sampled_from([0.0, 0.0, 1e-9, 3.0, 1e9])


def given_of(name: str, period: int) -> tuple[float, ...]:
    """Parameters with a short first period, so that short series get warm."""
    indicator = INDICATORS[name]
    defaults = arguments(indicator)
    if name == "psar" or not defaults:
        return defaults
    if name == "macd":
        return (period, period + 3, 3)
    if name == "ichimoku":
        return (period, period + 2, period + 5, period)
    return (period, *defaults[1:])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), prices, st.integers(2, 12), st.floats(0, 0.5), st.data())
def test_streamed_compiled_and_plain_are_the_same_bit_for_bit_and_see_no_later_bar(
    name: str, close: Floats, period: int, spread: float, data: st.DataObject
) -> None:
    volume = np.array(data.draw(st.lists(volumes, min_size=len(close), max_size=len(close))))
    bars, given = bars_of(close, spread, volume), given_of(name, period)
    compiled = stacked(name, bars, *given)
    assert compiled.tobytes() == stacked(name, bars, *given, compiled=False).tobytes()

    indicator = INDICATORS[name]
    state = state_of(indicator, *given)
    cut = data.draw(st.integers(0, len(close)))
    streamed = []
    for i, values in enumerate(zip(*(getattr(bars, column).tolist() for column in indicator.inputs), strict=True)):
        if i == cut:  # the service restarts
            saved = json.loads(json.dumps(kernels.save(state)))
            state = state_of(indicator, *given)
            kernels.load(state, saved)
        streamed.append(np.atleast_1d(indicator.step(state, *values)))
    assert np.array(streamed).T.tobytes() == compiled.tobytes()

    head = bars_of(close[:cut], spread, volume[:cut])
    if cut:
        assert stacked(name, head, *given).tobytes() == np.ascontiguousarray(compiled[:, :cut]).tobytes()


@pytest.mark.parametrize("name", ["sma", "wma", "mfi", "donchian", "kama"])
def test_a_window_longer_than_one_ring_size_changes_nothing(name: str) -> None:
    bars = bars_of(CLOSE)
    assert stacked(name, bars, 70).tobytes() == stacked(name, bars, 70, compiled=False).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_it_is_warm_exactly_when_it_says(name: str) -> None:
    random = np.random.default_rng(7)
    bars = bars_of(100 * np.exp(random.normal(0, 0.01, 200).cumsum()))
    for values in (arguments(INDICATORS[name]), given_of(name, 5)):
        cold = np.isnan(stacked(name, bars, *values))
        assert int(cold.sum(axis=1).max()) + 1 == INDICATORS[name].warm_up(*values)
        assert not np.diff(cold.astype(int), axis=1).max(initial=-1) > 0, "cold again"


@pytest.mark.parametrize("name", NAMES)
def test_one_bar_is_enough_to_begin_with(name: str) -> None:
    first = stacked(name, bars_of(np.array([100.0])))
    assert np.isnan(first).all() == (INDICATORS[name].warm_up(*arguments(INDICATORS[name])) > 1)


@pytest.mark.parametrize("name", NAMES)
def test_its_bounds_hold(name: str) -> None:
    indicator = INDICATORS[name]
    defaults = list(arguments(indicator))
    bars = bars_of(CLOSE[:90])
    for k, parameter in enumerate(indicator.parameters):
        for value in (parameter.least, 120 if isinstance(parameter.default, int) else parameter.most):
            chosen = [*defaults[:k], value, *defaults[k + 1 :]]
            named = dict(zip((each.name for each in indicator.parameters), chosen, strict=True))
            if named.get("fast", 0) >= named.get("slow", 1):
                continue
            assert not np.isinf(stacked(name, bars, *chosen, compiled=False)).any()
        for value in (parameter.least - 1, parameter.most + 1):
            with pytest.raises(Refused, match=parameter.name):
                state_of(indicator, *defaults[:k], value)


# ── odd markets ─────────────────────────────────────────────────────────────────────────────────────────────────

FLAT = {
    "sma": [40000.1], "ema": [40000.1], "wma": [40000.1], "kama": [40000.1], "macd": [0, 0, 0], "rsi": [0],
    "stochrsi": [0, 0], "mfi": [0], "vwap": [40000.1], "rolling_vwap": [40000.1],
    "bollinger": [40000.1, 40000.1, 40000.1], "atr": [0], "adx": [0, 0, 0], "obv": [2], "cci": [0],
    "donchian": [40000.1, 40000.1, 40000.1], "keltner": [40000.1, 40000.1, 40000.1], "supertrend": [40000.1, 1],
    "psar": [40000.1], "ichimoku": [40000.1, 40000.1, 40000.1, 40000.1, 0],
    "volume_profile": [40000.1, 40000.1, 40000.1],
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_flat_market(name: str) -> None:
    last = stacked(name, bars_of(np.full(150, 40000.1), spread=0.0))[:, -1]
    np.testing.assert_allclose(last[: len(FLAT[name])], FLAT[name], rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("name", ["cci", "mfi", "stochrsi", "atr"])
def test_a_market_that_falls_still_leaves_no_rounding_behind(name: str) -> None:
    close = np.concatenate((CLOSE[:60], np.full(400, CLOSE[60])))
    last = stacked(name, bars_of(close, spread=0.0))[:, -1]
    np.testing.assert_allclose(last, np.zeros(len(last)), rtol=0, atol=1e-9)


def test_without_volume() -> None:
    bars = bars_of(CLOSE[:120], volume=np.zeros(120))
    assert stacked("obv", bars)[0, -1] == 0.0
    assert stacked("mfi", bars)[0, -1] == 0.0
    for name in ("vwap", "rolling_vwap", "volume_profile"):
        assert np.isnan(stacked(name, bars)).all()


def test_sums_stay_exact_over_many_bars() -> None:
    close = 40_000 * np.exp(np.random.default_rng(3).normal(0, 0.001, 300_000).cumsum())
    weights = np.arange(1, 101)
    assert stacked("wma", bars_of(close), 100)[0, -1] == pytest.approx(
        math.fsum(close[-100:] * weights) / weights.sum(), rel=1e-13
    )
    wild = np.concatenate((np.full(50, 1e12), np.full(30, 1e-6)))
    average = stacked("rolling_vwap", bars_of(CLOSE[:80], 0.0, wild), 20)[0, -1]
    assert average == pytest.approx(CLOSE[60:80].mean(), rel=1e-12)


# ── those that TA-Lib has not ───────────────────────────────────────────────────────────────────────────────────


def test_the_session_vwap_starts_anew_at_midnight() -> None:
    state = session_vwap_state()
    hour = 3_600_000
    assert session_vwap(state, 22 * hour, 12, 9, 9, 1.0) == 10.0
    assert session_vwap(state, 23 * hour, 20, 20, 20, 3.0) == 17.5
    assert math.isnan(session_vwap(state, 24 * hour, 30, 30, 30, 0.0))
    assert session_vwap(state, 25 * hour, 40, 40, 40, 2.0) == 40.0
    assert session_vwap(session_vwap_state(hours=8), 25 * hour, 40, 40, 40, 2.0) == 40.0


def test_the_rolling_vwap_forgets_the_oldest_bar() -> None:
    state = rolling_vwap_state(2)
    values = [rolling_vwap(state, price, price, price, volume) for price, volume in ((10, 1), (20, 3), (40, 1), (9, 0))]
    assert math.isnan(values[0])
    assert values[1:] == [17.5, 25.0, 40.0]


def test_ichimoku_draws_the_cloud_ahead_and_compares_with_the_close_behind() -> None:
    closes = np.random.default_rng(5).uniform(90, 110, 120)
    state = ichimoku_state(3, 6, 12, 5)
    lines = [ichimoku(state, close + 1, close - 1, close) for close in closes.tolist()]

    def middle(at: int, window: int) -> float:
        part = closes[at - window + 1 : at + 1]
        return float((part.max() + 1 + (part.min() - 1)) / 2)

    for at in range(20, 120):
        assert lines[at].conversion == middle(at, 3)
        assert lines[at].base == middle(at, 6)
        assert lines[at].span_a == (middle(at - 5, 3) + middle(at - 5, 6)) / 2
        assert lines[at].span_b == middle(at - 5, 12)
        assert lines[at].lagging == closes[at] - closes[at - 5]


def test_the_volume_profile_of_a_few_bars_by_hand() -> None:
    state = volume_profile_state(5, levels=4, share=0.6)
    # Prices from 100 to 140 in four levels of 10; volumes by level: 1, 6, 2, 3.
    for price, volume in ((105, 1), (115, 4), (115, 2), (125, 2)):
        assert all(map(math.isnan, volume_profile(state, 140, 100, 3 * price - 240, volume)))
    profile = volume_profile(state, 140, 100, 3 * 135 - 240, 3)
    assert profile == (115.0, 110.0, 130.0)
    assert volume_profile(state, 140, 100, 3 * 135 - 240, 9) == (135.0, 130.0, 140.0)  # 12 of 20


# ── names and parameters ────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_names_and_bad_parameters_are_refused() -> None:
    with pytest.raises(Refused, match=r"known=.*rsi"):
        indicator_named("rsx")
    with pytest.raises(Refused, match="rsi has 1 parameters"):
        state_of(INDICATORS["rsi"], 14, 2)
    with pytest.raises(Refused, match=r"whole number from 2 to 100000, not 14\.5"):
        state_of(INDICATORS["rsi"], 14.5)
    with pytest.raises(Refused, match="not nan"):
        state_of(INDICATORS["bollinger"], 20, math.nan)
    with pytest.raises(Refused, match="fast < slow"):
        state_of(INDICATORS["macd"], 26, 12)
    with pytest.raises(ValueError, match="fast < slow"):
        kama_state(10, 30, 2)
    with pytest.raises(ValueError, match="empty"):
        sma_state(0)
    with pytest.raises(ValueError, match="differ in length"):
        kernels.over_arrays(INDICATORS["atr"].step, state_of(INDICATORS["atr"]), [CLOSE, CLOSE[1:], CLOSE])


def test_every_indicator_says_what_it_is() -> None:
    outputs = [output for indicator in INDICATORS.values() for output in indicator.outputs]
    assert len(set(outputs)) == len(outputs)
    for name, indicator in INDICATORS.items():
        assert name == indicator.name
        assert all(output == name or output.startswith(f"{name}_") for output in indicator.outputs)
        for parameter in indicator.parameters:
            assert parameter.least <= parameter.default <= parameter.most
            assert parameter.meaning


# ── states ──────────────────────────────────────────────────────────────────────────────────────────────────────


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

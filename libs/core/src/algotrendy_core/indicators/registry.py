"""Every indicator by name: parameters with their bounds, the columns that it reads, the columns that it gives.

Invariant: a name never changes its meaning. What is listed here is all that a caller needs: ``make`` the state, feed
``step`` bar by bar, or have ``over_bars`` do both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core import kernels
from algotrendy_core.indicators.adx import adx, adx_state
from algotrendy_core.indicators.atr import atr, atr_state
from algotrendy_core.indicators.bollinger import bollinger, bollinger_state
from algotrendy_core.indicators.cci import cci, cci_state
from algotrendy_core.indicators.donchian import donchian, donchian_state
from algotrendy_core.indicators.ema import ema, ema_state
from algotrendy_core.indicators.ichimoku import ichimoku, ichimoku_state
from algotrendy_core.indicators.kama import kama, kama_state
from algotrendy_core.indicators.keltner import keltner, keltner_state
from algotrendy_core.indicators.macd import macd, macd_state
from algotrendy_core.indicators.mfi import mfi, mfi_state
from algotrendy_core.indicators.obv import obv, obv_state
from algotrendy_core.indicators.psar import psar, psar_state
from algotrendy_core.indicators.rsi import rsi, rsi_state
from algotrendy_core.indicators.sma import sma, sma_state
from algotrendy_core.indicators.stochrsi import stochrsi, stochrsi_state
from algotrendy_core.indicators.supertrend import supertrend, supertrend_state
from algotrendy_core.indicators.volume_profile import volume_profile, volume_profile_state
from algotrendy_core.indicators.vwap import rolling_vwap, rolling_vwap_state, session_vwap, session_vwap_state
from algotrendy_core.indicators.wma import wma, wma_state
from algotrendy_core.kernels import Floats

LONGEST = 100_000
"""Bars of the longest window."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number where ``default`` is one."""

    name: str
    default: int | float
    least: int | float
    most: int | float
    meaning: str


@dataclass(frozen=True, slots=True)
class Indicator:
    name: str
    description: str
    inputs: tuple[str, ...]
    """Columns of a bar, in the order of the step's arguments."""
    outputs: tuple[str, ...]
    make: Callable[..., Any]
    """The first state, from the parameters in their order."""
    step: Callable[..., Any]
    """``step(state, *inputs)``: the next value, or a tuple of ``outputs``; NaN until warm."""
    warm_up: Callable[..., int]
    """From the parameters, how many bars it takes until the last of the outputs is there."""
    parameters: tuple[Parameter, ...] = ()


class Bars(Protocol):
    """What indicators are read off: a ``BarSeries``, or columns of a file."""

    @property
    def time(self) -> NDArray[np.int64]: ...
    @property
    def open(self) -> Floats: ...
    @property
    def high(self) -> Floats: ...
    @property
    def low(self) -> Floats: ...
    @property
    def close(self) -> Floats: ...
    @property
    def volume(self) -> Floats: ...


def _bars(name: str, default: int, meaning: str, least: int = 1) -> Parameter:
    return Parameter(name, default, least, LONGEST, f"{meaning}, in bars")


def _period(default: int, least: int = 1) -> Parameter:
    return _bars("period", default, "Length of the window", least)


_HLC = ("high", "low", "close")
_HLCV = (*_HLC, "volume")
_WIDTH = "Distance of the bands, in average true ranges"

INDICATORS: Mapping[str, Indicator] = MappingProxyType(
    {
        each.name: each
        for each in (
            Indicator(
                "sma", "Simple moving average", ("close",), ("sma",), sma_state, sma,
                lambda period: period, (_period(20),),
            ),
            Indicator(
                "ema", "Exponential moving average", ("close",), ("ema",), ema_state, ema,
                lambda period: period, (_period(20),),
            ),
            Indicator(
                "wma", "Weighted moving average", ("close",), ("wma",), wma_state, wma,
                lambda period: period, (_period(20),),
            ),
            Indicator(
                "kama", "Kaufman's adaptive moving average", ("close",), ("kama",), kama_state, kama,
                lambda period, fast, slow: period + 1,
                (
                    _period(10, least=2),
                    _bars("fast", 2, "EMA that it is in a straight move"),
                    _bars("slow", 30, "EMA that it is in noise", least=2),
                ),
            ),
            Indicator(
                "macd", "Moving average convergence divergence", ("close",),
                ("macd", "macd_signal", "macd_histogram"), macd_state, macd,
                lambda fast, slow, signal: slow + signal - 1,
                (
                    _bars("fast", 12, "Fast EMA", least=2),
                    _bars("slow", 26, "Slow EMA", least=3),
                    _bars("signal", 9, "EMA of the difference"),
                ),
            ),
            Indicator(
                "rsi", "Relative strength index, 0 to 100", ("close",), ("rsi",), rsi_state, rsi,
                lambda period: period + 1, (_period(14, least=2),),
            ),
            Indicator(
                "stochrsi", "Stochastic RSI, 0 to 100", ("close",), ("stochrsi_k", "stochrsi_d"),
                stochrsi_state, stochrsi, lambda period, k, d: period + k + d - 1,
                (
                    _bars("period", 14, "Length of the RSI", least=2),
                    _bars("k", 14, "Range that the RSI is placed in"),
                    _bars("d", 3, "Mean of %K"),
                ),
            ),
            Indicator(
                "mfi", "Money flow index, 0 to 100", _HLCV, ("mfi",), mfi_state, mfi,
                lambda period: period + 1, (_period(14, least=2),),
            ),
            Indicator(
                "vwap", "Volume-weighted average price since midnight UTC", ("time", *_HLCV), ("vwap",),
                session_vwap_state, session_vwap, lambda: 1,
            ),
            Indicator(
                "rolling_vwap", "Volume-weighted average price of the last bars", _HLCV, ("rolling_vwap",),
                rolling_vwap_state, rolling_vwap, lambda period: period, (_period(20),),
            ),
            Indicator(
                "bollinger", "Bollinger bands", ("close",),
                ("bollinger_upper", "bollinger_middle", "bollinger_lower"), bollinger_state, bollinger,
                lambda period, width: period,
                (
                    _period(20, least=2),
                    Parameter("width", 2.0, 0.0, 100.0, "Distance of the bands, in standard deviations"),
                ),
            ),
            Indicator(
                "atr", "Average true range", _HLC, ("atr",), atr_state, atr,
                lambda period: period + 1, (_period(14),),
            ),
            Indicator(
                "adx", "Average directional index with +DI and -DI, 0 to 100", _HLC,
                ("adx", "adx_plus_di", "adx_minus_di"), adx_state, adx,
                lambda period: 2 * period, (_period(14, least=2),),
            ),
            Indicator("obv", "On-balance volume", ("close", "volume"), ("obv",), obv_state, obv, lambda: 1),
            Indicator(
                "cci", "Commodity channel index", _HLC, ("cci",), cci_state, cci,
                lambda period: period, (_period(20, least=2),),
            ),
            Indicator(
                "donchian", "Donchian channel, the newest bar included", ("high", "low"),
                ("donchian_upper", "donchian_middle", "donchian_lower"), donchian_state, donchian,
                lambda period: period, (_period(20),),
            ),
            Indicator(
                "keltner", "Keltner channel around the EMA of the typical price", _HLC,
                ("keltner_upper", "keltner_middle", "keltner_lower"), keltner_state, keltner,
                lambda period, atr_period, width: max(period, atr_period + 1),
                (
                    _period(20),
                    _bars("atr_period", 10, "Length of the average true range"),
                    Parameter("width", 2.0, 0.0, 100.0, _WIDTH),
                ),
            ),
            Indicator(
                "supertrend", "Supertrend line and its direction (+1, -1)", _HLC,
                ("supertrend", "supertrend_trend"), supertrend_state, supertrend,
                lambda period, width: period + 1,
                (
                    _bars("period", 10, "Length of the average true range"),
                    Parameter("width", 3.0, 0.0, 100.0, _WIDTH),
                ),
            ),
            Indicator(
                "psar", "Parabolic stop and reverse and its direction (+1, -1)", ("high", "low"),
                ("psar", "psar_trend"), psar_state, psar, lambda acceleration, maximum: 2,
                (
                    Parameter("acceleration", 0.02, 0.0, 1.0, "What each new extreme adds to the speed of the stop"),
                    Parameter("maximum", 0.2, 0.0, 1.0, "Highest speed of the stop"),
                ),
            ),
            Indicator(
                "ichimoku", "Ichimoku lines, the cloud over the bar, close less the close that it lags behind", _HLC,
                ("ichimoku_conversion", "ichimoku_base", "ichimoku_span_a", "ichimoku_span_b", "ichimoku_lagging"),
                ichimoku_state, ichimoku,
                lambda conversion, base, span, displacement: max(conversion, base, span) + displacement,
                (
                    _bars("conversion", 9, "Window of the conversion line"),
                    _bars("base", 26, "Window of the base line"),
                    _bars("span", 52, "Window of the leading span B"),
                    _bars("displacement", 26, "How far ahead the cloud is drawn"),
                ),
            ),
            Indicator(
                "volume_profile", "Volume profile: point of control and value area", _HLCV,
                ("volume_profile_poc", "volume_profile_low", "volume_profile_high"),
                volume_profile_state, volume_profile, lambda period, levels, share: period,
                (
                    _period(100),
                    Parameter("levels", 24, 1, 10_000, "Price levels between lowest low and highest high"),
                    Parameter("share", 0.7, 0.01, 1.0, "Share of the volume in the value area"),
                ),
            ),
        )
    }
)  # fmt: skip


def indicator_named(name: str) -> Indicator:
    """Raises Refused where there is none."""
    found = INDICATORS.get(name)
    if found is None:
        raise Refused("indicator_unknown", f"there is no indicator {name!r}", known=", ".join(sorted(INDICATORS)))
    return found


def arguments(indicator: Indicator, *given: float) -> tuple[int | float, ...]:
    """The parameters' values, defaults for those not given; raises Refused with the first that is wrong."""
    known = indicator.parameters
    if len(given) > len(known):
        names = ", ".join(parameter.name for parameter in known) or "none"
        raise Refused("parameters_invalid", f"{indicator.name} has {len(known)} parameters ({names}), not {len(given)}")
    values: list[int | float] = []
    for k, parameter in enumerate(known):
        value = given[k] if k < len(given) else parameter.default
        whole = isinstance(parameter.default, int)
        if not parameter.least <= value <= parameter.most or (whole and value != int(value)):
            kind = "a whole number" if whole else "a number"
            bounds = f"{kind} from {parameter.least} to {parameter.most}"
            raise Refused("parameters_invalid", f"{indicator.name}: {parameter.name} is {bounds}, not {value:g}")
        values.append(int(value) if whole else float(value))
    return tuple(values)


def state_of(indicator: Indicator, *given: float) -> Any:
    """A fresh state; raises Refused where the parameters are wrong, alone or together."""
    values = arguments(indicator, *given)
    try:
        return indicator.make(*values)
    except ValueError as error:
        raise Refused("parameters_invalid", str(error)) from error


def over_bars(indicator: Indicator, bars: Bars, *given: float, compiled: bool = True) -> dict[str, Floats]:
    """The outputs over all bars, by name, each of shape (n,). Compiled or not, the same to the last bit."""
    columns = [np.ascontiguousarray(getattr(bars, name)) for name in indicator.inputs]
    out = kernels.over_arrays(
        indicator.step, state_of(indicator, *given), columns, len(indicator.outputs), compiled=compiled
    )
    return dict(zip(indicator.outputs, out, strict=True))

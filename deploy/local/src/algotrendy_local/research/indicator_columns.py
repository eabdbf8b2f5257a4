"""Indicators as a person names them, computed over a file of candles into named columns.

Invariant: a column's name is the output's own (``macd``, ``macd_signal``) as long as its indicator is asked for once;
asked for several times, each carries its parameters (``rsi_7``, ``rsi_14``).
"""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from algotrendy_common.errors import Refused
from algotrendy_core.backtest.candles_csv import read_columns
from algotrendy_core.backtest.data_quality import Problem
from algotrendy_core.indicators.registry import Indicator, arguments, indicator_named, over_bars
from algotrendy_core.kernels import Floats
from numpy.typing import NDArray

COMPILE_FROM = 20_000
"""Candles: with fewer, compiling takes longer than computing. The results are the same to the last bit."""


@dataclass(frozen=True, slots=True)
class Computed:
    time: NDArray[np.int64]
    columns: dict[str, Floats]
    problems: tuple[Problem, ...]
    """What was wrong with the data and has been mended."""


def compute(file: Path, wanted: list[str], repair: str) -> Computed:
    """Raises Refused on an unknown indicator, a bad parameter or data that ``repair`` does not mend."""
    asked = [_parsed(text) for text in wanted]
    times_asked = Counter(indicator.name for indicator, _ in asked)
    candles, report = read_columns(file, repair)
    columns: dict[str, Floats] = {}
    for indicator, values in asked:
        outputs = over_bars(indicator, candles, *values, compiled=len(candles.time) >= COMPILE_FROM)
        for output, column in outputs.items():
            columns[_column(indicator, output, values, several=times_asked[indicator.name] > 1)] = column
    return Computed(candles.time, columns, report.problems)


def write_csv(computed: Computed, target: TextIO) -> None:
    """``timestamp_ms`` and one column an output; every digit, empty where it is NaN."""
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(("timestamp_ms", *computed.columns))
    values = [column.tolist() for column in computed.columns.values()]
    for time, *row in zip(computed.time.tolist(), *values, strict=True):
        writer.writerow((time, *(value if value == value else "" for value in row)))


def _parsed(text: str) -> tuple[Indicator, tuple[int | float, ...]]:
    name, _, listed = text.partition(":")
    try:
        given = [float(value) for value in listed.split(",")] if listed else []
    except ValueError as error:
        raise Refused("parameters_invalid", f"{text}: parameters are numbers with commas between them") from error
    if name == "vwap" and given:  # by itself it is the session's, with a window the rolling one
        name = "rolling_vwap"
    indicator = indicator_named(name)
    return indicator, arguments(indicator, *given)


def _column(indicator: Indicator, output: str, values: tuple[int | float, ...], *, several: bool) -> str:
    if not several:
        return output
    return "_".join((indicator.name, *(f"{value:g}" for value in values))) + output.removeprefix(indicator.name)

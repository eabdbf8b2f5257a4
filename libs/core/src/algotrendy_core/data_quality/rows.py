"""Order, repetitions, holes and numbers that no price can be.

Invariant: what is set aside here would mislead every later look; after it times rise and all prices are above zero.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.data_quality.findings import Fault, Finding
from algotrendy_core.data_quality.history import PRICES, PriceHistory

_DAY_MS = 86_400_000
_HOLIDAYS_MS = 6 * _DAY_MS
"""A market that keeps weekends may be closed so long without missing anything."""
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Sifted:
    history: PriceHistory
    set_aside: dict[int, Finding]
    """By row of the file."""
    findings: tuple[Finding, ...]


def sift(history: PriceHistory) -> Sifted:
    """In order, each time once and every number possible; the rest is set aside."""
    aside: dict[int, Finding] = {}
    for index, text in _impossible(history).items():
        row = int(history.rows[index])
        fault = Fault.UNREADABLE if "no number" in text else Fault.NOT_POSITIVE
        aside[row] = Finding(fault, row, int(history.time[index]), text)
    kept = history.only(~np.isin(history.rows, list(aside)))
    kept, unknown = _volumes(kept)
    found = [*aside.values(), *unknown]
    kept, back = _in_order(kept)
    found += back
    again = _repetitions(kept)
    found += again
    aside |= {finding.row: finding for finding in again}
    kept = kept.only(~np.isin(kept.rows, [finding.row for finding in again]))
    return Sifted(kept, aside, (*found, *_ranges(kept), *_gaps(_by_time(history))))


def _impossible(history: PriceHistory) -> dict[int, str]:
    said: dict[int, str] = {}
    for name in (*PRICES, "volume"):
        column = getattr(history, name)
        for index in np.flatnonzero(~np.isfinite(column)) if name != "volume" else ():
            said.setdefault(int(index), f"{name} is no number")
        wrong = column < 0 if name == "volume" else column <= 0
        for index in np.flatnonzero(wrong):
            said.setdefault(int(index), f"{name} is {column[index]:g}")
    return said


def _volumes(history: PriceHistory) -> tuple[PriceHistory, list[Finding]]:
    """A volume that is not there says nothing of the prices: it is 0."""
    unknown = np.flatnonzero(~np.isfinite(history.volume))
    if not len(unknown):
        return history, []
    first = int(unknown[0])
    finding = Finding(
        Fault.VOLUME, int(history.rows[first]), int(history.time[first]), "volume is no number", len(unknown)
    )
    return replace(history, volume=np.nan_to_num(history.volume, posinf=0.0, neginf=0.0)), [finding]


def _in_order(history: PriceHistory) -> tuple[PriceHistory, list[Finding]]:
    """Newest first all through is another way to write it down; times that go to and fro are a fault."""
    if len(history) > 1 and (np.diff(history.time) <= 0).all():
        return history.only(np.arange(len(history))[::-1].astype(np.intp)), []
    back = np.flatnonzero(np.diff(history.time) < 0) + 1
    if not len(back):
        return history, []
    first = int(back[0])
    finding = Finding(
        Fault.TIME_BACK, int(history.rows[first]), int(history.time[first]), "the time goes back", len(back)
    )
    return history.only(np.argsort(history.time, kind="stable")), [finding]


def _repetitions(history: PriceHistory) -> list[Finding]:
    found = []
    prices = history.prices
    for index in np.flatnonzero(np.diff(history.time) == 0) + 1:
        same = bool((prices[index] == prices[index - 1]).all() and history.volume[index] == history.volume[index - 1])
        before = int(history.rows[index - 1])
        fault = Fault.DUPLICATE if same else Fault.CONTRADICTION
        told = f"row {before} is of the same time" + ("" if same else " and says otherwise")
        found.append(Finding(fault, int(history.rows[index]), int(history.time[index]), told))
    return found


def _ranges(history: PriceHistory) -> list[Finding]:
    top = np.maximum(history.open, history.close)
    bottom = np.minimum(history.open, history.close)
    wrong = (history.high < top * (1 - _SLACK)) | (history.low > bottom * (1 + _SLACK))
    return [
        Finding(
            Fault.RANGE, int(history.rows[index]), int(history.time[index]),
            f"open {history.open[index]:g} and close {history.close[index]:g} are not within"
            f" {history.low[index]:g} to {history.high[index]:g}",
        )
        for index in np.flatnonzero(wrong)
    ]  # fmt: skip


def usual_step_ms(history: PriceHistory) -> int:
    """The distance between two rows that is most common; 0 where there are no two."""
    distances, counts = np.unique(np.diff(history.time), return_counts=True)
    return int(distances[counts.argmax()]) if len(distances) else 0


def _by_time(history: PriceHistory) -> PriceHistory:
    """Each time once. A row that was set aside for its prices is no hole."""
    return history.only(np.unique(history.time, return_index=True)[1])


def _gaps(history: PriceHistory) -> list[Finding]:
    """Of a market that never closes every hole; of others what no night, weekend or holidays explain."""
    step = usual_step_ms(history)
    if step <= 0:
        return []
    distances = np.diff(history.time)
    holes: NDArray[np.intp]
    if _never_closes(history):
        holes = np.flatnonzero(distances > step)
    else:
        holes = np.flatnonzero(distances > max(_HOLIDAYS_MS, 2 * step))
    return [
        Finding(
            Fault.GAP, int(history.rows[index + 1]), int(history.time[index] + step),
            f"nothing for {distances[index] / 3_600_000:.4g} h, where a row comes every {step / 3_600_000:.4g} h",
            int(distances[index] // step) - 1,
        )
        for index in holes
    ]  # fmt: skip


def _never_closes(history: PriceHistory) -> bool:
    """Whether it has rows on weekends; a recording of less than a week is taken for such where it fills its span."""
    # A day's row may be stamped with midnight of a zone east of UTC; half a day on it is on its own date everywhere.
    noon = _DAY_MS // 2 if usual_step_ms(history) >= _DAY_MS else 0
    days = np.unique((history.time + noon) // _DAY_MS)
    span = int(days[-1] - days[0]) + 1
    if span >= 8:
        weekend = (days + 3) % 7 >= 5  # 1970-01-01 was a Thursday
        return bool(weekend.sum() >= span / 7)
    covered = int(history.time[-1] - history.time[0]) // usual_step_ms(history) + 1
    return len(history) >= covered / 2

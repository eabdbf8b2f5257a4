"""Prices in another unit than those around them: pence for pounds, or a split that was not applied.

Prices of a history are taken as adjusted for every split it lists, as data vendors write them; so a jump as large as a
listed split is a fault wherever it is. Invariant: the newest rows set the scale (their unit is what an order would be
priced in), unless ``keep`` says otherwise; only what comes close to a known factor is touched.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.data_quality.findings import Fault, Finding
from algotrendy_core.data_quality.history import PRICES, PriceHistory
from algotrendy_core.kernels import Floats

_UNIT = 100.0
_NEAR = 0.4
"""How much of a split a jump may lack: prices move on that day too, and a dividend may be paid with it."""
_NEAR_UNIT = 0.35
"""In logarithms: a hundredfold is one of 70 to 140, for nothing lists it."""
_JUMP = 8.0
"""A larger move from row to row is told, whatever it comes from."""
_AROUND = 5
"""Rows on either side that a lone row or cell is compared with."""
_LEAST = 1.4
"""A smaller factor is lost among price moves."""
_BESIDE = 15
"""A fault of a split is looked for so many rows around where the split is listed."""


class Keep(StrEnum):
    """Which unit is the right one, where a file has both."""

    NEWEST = "newest"
    LARGER = "larger"
    SMALLER = "smaller"


@dataclass(frozen=True, slots=True)
class Scaled:
    history: PriceHistory
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Factor:
    fault: Fault
    value: float
    """Above 1."""
    listed: int | None = None
    """The row at which a split is listed."""

    def explains(self, jump: float, index: int) -> bool:
        """``jump`` in logarithms."""
        if self.listed is not None and abs(index - self.listed) > _BESIDE:
            return False
        size = float(np.log(self.value))
        return abs(abs(jump) - size) <= (_NEAR_UNIT if self.listed is None else _NEAR * size / (1 + _NEAR))


def rescale(history: PriceHistory, keep: Keep = Keep.NEWEST) -> Scaled:
    """``history`` sifted."""
    if len(history) < 3:
        return Scaled(history, ())
    factors = _factors(history)
    cells, found = _cells(history, factors)
    levels, more = _levels(cells, factors, keep)
    return Scaled(levels, (*found, *more))


def _factors(history: PriceHistory) -> list[_Factor]:
    """Splits first: one of 100 for 1 that is listed explains a hundredfold better than a unit does."""
    splits = []
    for index in [] if history.splits is None else np.flatnonzero(history.splits > 0):
        assert history.splits is not None
        ratio = float(history.splits[index])
        if max(ratio, 1 / ratio) >= _LEAST:
            splits.append(_Factor(Fault.SPLIT, max(ratio, 1 / ratio), int(index)))
    return [*splits, _Factor(Fault.UNIT, _UNIT)]


# -- lone rows and cells ---------------------------------------------------------------------------------------------


def _cells(history: PriceHistory, factors: list[_Factor]) -> tuple[PriceHistory, list[Finding]]:
    """Cells that are off while the rows before and after them agree."""
    prices = np.log(history.prices)
    typical = np.median(prices, axis=1)
    mended = prices.copy()
    volume = history.volume.copy()
    adjusted = None if history.adjusted is None else history.adjusted.copy()
    found = []
    far = np.abs(prices[1:] - typical[:-1, None]).max(axis=1) > np.log(_LEAST) / 2
    for index in (np.flatnonzero(far) + 1).tolist():
        before, after = typical[max(index - _AROUND, 0) : index], typical[index + 1 : index + 1 + _AROUND]
        if not len(before) or not len(after):
            continue
        level = float(np.median(np.concatenate((before, after))))
        off = prices[index] - level
        for factor in factors:
            wrong = np.array([factor.explains(float(each), index) for each in off])
            agreed = abs(float(np.median(before)) - float(np.median(after))) < np.log(factor.value) / 3
            # The rows next to it are right themselves, or this is one of a block.
            block = any(factor.explains(float(typical[near] - level), near) for near in (index - 1, index + 1))
            if not wrong.any() or block or not agreed or (factor.fault is Fault.UNIT and _moves(history, index)):
                continue
            times = float(np.exp(-np.sign(off[wrong][0]) * np.log(factor.value)))
            mended[index][wrong] += np.log(times)
            if wrong[3] and adjusted is not None:
                adjusted[index] *= times
            if factor.fault is Fault.SPLIT and wrong.all():
                volume[index] /= times
            names = ", ".join(name for name, each in zip(PRICES, wrong, strict=True) if each)
            found.append(_finding(history, index, factor, times, 1, names))
            break
    if not found:
        return history, []
    return replace(_contained(history, np.exp(mended), mended != prices), volume=volume, adjusted=adjusted), found


def _moves(history: PriceHistory, index: int) -> bool:
    """A split of the list stands at the row itself: a price there may jump for good reason."""
    return history.splits is not None and bool(history.splits[index] > 0)


def _contained(history: PriceHistory, prices: Floats, mended: NDArray[np.bool_]) -> PriceHistory:
    """A mended low is no higher than what else the row holds, and a mended high no lower; untouched cells stay."""
    exact = np.where(mended, prices, history.prices)
    high, low = exact[:, 1].copy(), exact[:, 2].copy()
    touched = mended.any(axis=1)
    high[touched] = exact[touched].max(axis=1)
    low[touched] = np.minimum(exact[touched][:, 0], exact[touched][:, 3])
    low[touched & ~mended[:, 2]] = exact[touched & ~mended[:, 2], 2]
    low[mended.all(axis=1)] = exact[mended.all(axis=1), 2]
    return history.with_prices(np.column_stack((exact[:, 0], high, low, exact[:, 3])))


# -- stretches -------------------------------------------------------------------------------------------------------


def _levels(history: PriceHistory, factors: list[_Factor], keep: Keep) -> tuple[PriceHistory, list[Finding]]:
    """Jumps by a factor: the rows on the other side of one are in another unit."""
    typical = np.median(np.log(history.prices), axis=1)
    jumps = np.diff(typical)
    jumps[_paid_out(history, jumps)] = 0.0
    times = np.ones(len(history))
    volume = history.volume.copy()
    found: list[Finding] = []
    for factor in factors:
        at = [index for index in range(len(jumps)) if factor.explains(float(jumps[index]), index + 1)]
        scale = _scales(len(history), [(index, int(np.sign(jumps[index]))) for index in at], factor.value)
        if factor.fault is Fault.UNIT and keep is not Keep.NEWEST:
            scale /= scale.min() if keep is Keep.LARGER else scale.max()
        wrong = np.flatnonzero(scale != 1)
        if len(wrong):
            found.append(_finding(history, int(wrong[0]), factor, float(scale[wrong[0]]), len(wrong)))
        if factor.fault is Fault.SPLIT:
            volume /= scale
        times *= scale
        jumps[at] -= np.sign(jumps[at]) * np.log(factor.value)
    found += _unexplained(history, jumps)
    if (times == 1).all():
        return history, found
    adjusted = None if history.adjusted is None else history.adjusted * times
    return replace(history.with_prices(history.prices * times[:, None]), volume=volume, adjusted=adjusted), found


def _unexplained(history: PriceHistory, jumps: Floats) -> list[Finding]:
    return [
        Finding(
            Fault.JUMP, int(history.rows[index + 1]), int(history.time[index + 1]),
            f"prices are {np.exp(jumps[index]):.4g} times those of the row before, and no split is listed",
        )
        for index in np.flatnonzero(np.abs(jumps) > np.log(_JUMP))
    ]  # fmt: skip


def _paid_out(history: PriceHistory, jumps: Floats) -> NDArray[np.bool_]:
    """Falls that a dividend of their row explains."""
    if history.dividends is None:
        return np.zeros(len(jumps), dtype=bool)
    share = np.minimum(history.dividends[1:] / history.close[:-1], 0.99)
    worth = np.log1p(-share)
    explained: NDArray[np.bool_] = (share > 0.1) & (np.abs(jumps - worth) < -0.5 * worth)
    return explained


def _scales(length: int, jumps: list[tuple[int, int]], factor: float) -> Floats:
    """By what to multiply each row, from the newest back: across a jump upwards the older rows are too small."""
    scale = np.ones(length)
    power = 0
    for index, sign in reversed(jumps):
        power += sign
        scale[: index + 1] = factor**power
    return scale


def _finding(
    history: PriceHistory, index: int, factor: _Factor, times: float, count: int, names: str = "prices"
) -> Finding:
    where = "those around them" if count == 1 else "the newest"
    why = "listed split" if factor.fault is Fault.SPLIT else "unit"
    return Finding(
        factor.fault, int(history.rows[index]), int(history.time[index]),
        f"{names} differ from {where} by the factor of a {why}, {factor.value:g}: times {times:g}", count,
    )  # fmt: skip

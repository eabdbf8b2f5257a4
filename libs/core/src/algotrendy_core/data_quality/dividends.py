"""Dividends and the close adjusted for them: each must follow from the other.

The day before a dividend d the adjusted close is the close times (1 - d / close), and so is everything before it.
Invariant: a dividend is doubted only against two witnesses, the price and the adjustment, or where it cannot be (more
than half of the price); the adjusted close is computed anew from the day of a fault back, nowhere else.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.data_quality.findings import Fault, Finding
from algotrendy_core.data_quality.history import PriceHistory
from algotrendy_core.kernels import Floats

_UNIT = 100.0
_TOO_MUCH = 0.5
_OFF = 0.3
"""Of a dividend: so much may the adjustment differ from it."""
_NOTHING = 2e-4
"""Of the price: a smaller step of the adjustment is rounding."""
_AGAIN_MS = 20 * 86_400_000
"""Of two equal dividends within so long one is a repetition."""


@dataclass(frozen=True, slots=True)
class Paid:
    history: PriceHistory
    findings: tuple[Finding, ...]


def check_dividends(history: PriceHistory) -> Paid:
    """``history`` sifted and of one scale; without dividends or adjusted close there is nothing to look at."""
    if history.dividends is None or history.adjusted is None or len(history) < 2:
        return Paid(history, ())
    dividends = history.dividends.copy()
    steps = _steps(history)
    found: list[Finding] = []
    for index in np.flatnonzero(dividends > 0):
        if index:
            finding, dividends[index] = _judged(history, int(index), float(steps[index]))
            found += finding
    found += _repeated(history, dividends, steps)
    expected = _expected(history, dividends, steps)
    wrong = _contradicted(steps, expected)
    found += [_misadjusted(history, int(index), steps, expected) for index in np.flatnonzero(wrong)]
    if not found:
        return Paid(history, ())
    changed = dividends != history.dividends
    right = np.where(wrong | (changed & _contradicted(steps, expected)), expected, steps)
    adjusted = _adjusted(history, right) if (right != steps).any() else history.adjusted
    return Paid(replace(history, dividends=dividends, adjusted=adjusted), tuple(found))


def _steps(history: PriceHistory) -> Floats:
    """By what share the adjustment shrinks from a row to the one before it, as the file has it."""
    assert history.adjusted is not None
    factor = history.adjusted / history.close
    steps = np.zeros(len(history))
    with np.errstate(divide="ignore", invalid="ignore"):
        steps[1:] = 1 - factor[:-1] / factor[1:]
    return np.nan_to_num(steps, posinf=1.0, neginf=-1.0)


def _expected(history: PriceHistory, dividends: Floats, steps: Floats) -> Floats:
    """What the dividends would have the steps be.

    Where a row spans several days its close is of a day before or after the dividend, so the step may be a row later.
    """
    expected = np.zeros(len(history))
    expected[1:] = dividends[1:] / history.close[:-1]
    for index in np.flatnonzero(expected[:-1] > _NOTHING):
        late = expected[index + 1] == 0 and steps[index] < _NOTHING
        if late and abs(steps[index + 1] - expected[index]) <= _OFF * expected[index]:
            expected[index], expected[index + 1] = 0.0, steps[index + 1]
    return expected


def _judged(history: PriceHistory, index: int, step: float) -> tuple[list[Finding], float]:
    """A hundredfold too large? The price did not fall by it, and the adjustment disagrees or cannot be."""
    assert history.dividends is not None
    dividend = float(history.dividends[index])
    close = float(history.close[index - 1])
    share = dividend / close
    fell = 1 - float(history.low[index]) / close
    by_adjustment = abs(share / _UNIT - step) <= _OFF * share / _UNIT
    impossible = share > _TOO_MUCH or (share > 0.1 and fell < share / 3)
    if not impossible or (fell > share / 2 and not by_adjustment):
        return [], dividend
    if not (by_adjustment or share / _UNIT > _NOTHING):
        return [], dividend
    finding = Finding(
        Fault.DIVIDEND_UNIT, int(history.rows[index]), int(history.time[index]),
        f"a dividend of {dividend:g} at a price of {close:g} that moved by {-fell:.1%}: a hundredth of it is meant",
    )  # fmt: skip
    return [finding], dividend / _UNIT


def _repeated(history: PriceHistory, dividends: Floats, steps: Floats) -> list[Finding]:
    """Of two equal ones close together, that stays after which the price fell more; the other becomes 0 in place."""
    found = []
    paid = np.flatnonzero(dividends > 0)
    for one, other in pairwise(paid):
        near = history.time[other] - history.time[one] <= _AGAIN_MS
        if not near or abs(dividends[one] / dividends[other] - 1) > 0.15 or not one:
            continue
        fell = [1 - float(history.close[index]) / float(history.close[index - 1]) for index in (one, other)]
        wrong = int(other if fell[0] >= fell[1] else one)
        found.append(
            Finding(
                Fault.DIVIDEND_REPEATED, int(history.rows[wrong]), int(history.time[wrong]),
                f"the dividend of {dividends[wrong]:g} is there twice within"
                f" {(history.time[other] - history.time[one]) // 86_400_000} days, and the price fell by it once",
            )
        )  # fmt: skip
        dividends[wrong] = 0.0
    return found


def _contradicted(steps: Floats, expected: Floats) -> NDArray[np.bool_]:
    """Where the adjustment steps otherwise than the dividends say."""
    off = np.abs(steps - expected)
    return np.asarray(off > np.maximum(_NOTHING, _OFF * expected))


def _misadjusted(history: PriceHistory, index: int, steps: Floats, expected: Floats) -> Finding:
    return Finding(
        Fault.DIVIDEND_ADJUSTMENT, int(history.rows[index]), int(history.time[index]),
        f"the adjusted close steps by {steps[index]:.3%} where dividends say {expected[index]:.3%}",
    )  # fmt: skip


def _adjusted(history: PriceHistory, steps: Floats) -> Floats:
    """The close, less what every later step took."""
    assert history.adjusted is not None
    factor = np.ones(len(history))
    factor[:-1] = np.cumprod((1 - steps[1:])[::-1])[::-1]
    newest = history.adjusted[-1] / history.close[-1]
    adjusted: Floats = history.close * factor * newest
    return adjusted

"""How a range of bars is cut for a walk-forward.

Invariant: a window is tried on bars after those it was searched on, no bar is tried on twice, and the parts tried on
follow one another without a gap to the last bar.
"""

from dataclasses import dataclass

from algotrendy_common.events.backtest import WalkForwardSettings

from algotrendy_backtest.errors import TooFewBars

_LEAST = 30
"""Bars of a part; fewer say nothing."""


@dataclass(frozen=True, slots=True)
class Window:
    """Indices of bars, each end excluded."""

    train_start: int
    train_stop: int
    test_stop: int

    @property
    def test_start(self) -> int:
        return self.train_stop


def windows_of(bars: int, settings: WalkForwardSettings) -> tuple[Window, ...]:
    """Equal windows over all bars; raises TooFewBars where there are too few of them.

    With n windows of a training part T and a part t after it, T + n·t is the whole and T / (T + t) the share.
    """
    share = float(settings.train_share)
    train = int(bars * (share / (1 - share)) / (settings.windows + share / (1 - share)))
    edges = [train + (bars - train) * number // settings.windows for number in range(settings.windows + 1)]
    if train < _LEAST or edges[1] - edges[0] < _LEAST:
        raise TooFewBars(settings.windows, _LEAST, bars)
    return tuple(
        Window(0 if settings.anchored else edges[number] - train, edges[number], edges[number + 1])
        for number in range(settings.windows)
    )

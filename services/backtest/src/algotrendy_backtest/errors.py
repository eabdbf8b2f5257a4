"""What can go wrong with a run, by who must act.

AlgoTrendyError
├── Retryable
│   ├── EngineDied       the process that computes ended under a run: out of memory, killed
│   └── ClaimLost        another worker has the run: this one was taken for dead
└── Refused
    ├── RunUnknown       nobody asked for such a run
    ├── ArtefactUnknown  a run has no such file, or its time is over
    ├── NothingToRunOn   no instrument, no candles, or too many of them
    ├── TooFewBars       not enough for the windows of a walk-forward
    ├── NothingFound     a search without one trial that counts
    └── RunTooLong       the run was stopped at its time limit
"""

from typing import Any

from algotrendy_common.errors import Refused, Retryable


class EngineDied(Retryable):
    """The computing process ended without an answer."""


class ClaimLost(Retryable):
    def __init__(self, run_id: str) -> None:
        super().__init__("another worker has the run", run_id=run_id)


class RunUnknown(Refused):
    def __init__(self, run_id: str) -> None:
        super().__init__("run_unknown", "there is no such run", run_id=run_id)


class NothingToRunOn(Refused):
    def __init__(self, message: str, **context: Any) -> None:
        super().__init__("nothing_to_run_on", message, **context)


class RunTooLong(Refused):
    def __init__(self, seconds: float) -> None:
        super().__init__("run_too_long", f"the run was stopped after {seconds:g} s")


class NothingFound(Refused):
    def __init__(self, trials: int) -> None:
        super().__init__(
            "nothing_found", f"none of {trials} trials had a defined objective and enough trades", trials=trials
        )


class ArtefactUnknown(Refused):
    def __init__(self, run_id: str, name: str) -> None:
        super().__init__("artefact_unknown", "the run has no such file, or not any more", run_id=run_id, name=name)


class TooFewBars(Refused):
    def __init__(self, windows: int, least: int, bars: int) -> None:
        super().__init__("too_few_bars", f"{windows} windows need parts of at least {least} bars each", bars=bars)

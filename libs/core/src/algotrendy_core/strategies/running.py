"""A strategy at work on one series of bars, live: takes bars one at a time, and can be saved and restored.

Invariant: a bar is taken once; one that is not newer than the last is ignored, so a redelivery changes nothing. A new
generation of a rung begins with nothing filled.
"""

from dataclasses import dataclass
from math import isnan
from typing import Any

from algotrendy_common.errors import Refused

from algotrendy_core import kernels
from algotrendy_core.bars import Bar, Candle, as_floats
from algotrendy_core.strategies.interface import UNDECIDED, AnyStrategy, Decision, Holding, Parameters, Rung


@dataclass(frozen=True, slots=True)
class Signal:
    """What the strategy wants to hold from this bar's close on."""

    time: int
    """Open time of the bar that was decided on, milliseconds since the epoch."""
    target: float
    """Fraction of the strategy's capital."""
    reason: str


NOTHING_HELD = Holding(0.0, 0.0, 0.0)


class StrategyRun:
    """One instance of a strategy. ``on_bar`` decides, ``save`` and ``restore`` carry it over a restart, bit for bit.

    Of a strategy with a ladder, whoever runs it sets ``holding`` and each rung's ``filled`` before a bar, and reads the
    ladder after it.
    """

    def __init__(self, strategy: AnyStrategy, parameters: Parameters) -> None:
        self.strategy = strategy
        self.parameters = parameters
        self._state = strategy.initial_state(parameters)
        self._last_time: int | None = None
        self._bars = 0
        self.holding = NOTHING_HELD
        self.ladder = [Rung() for _ in range(strategy.rungs(parameters))] if strategy.rungs is not None else []
        self.decision: Decision = UNDECIDED
        """The newest, also where it had no opinion on a target."""

    @property
    def warm_up_left(self) -> int:
        """Closed bars still needed before it can decide."""
        return max(self.strategy.warm_up(self.parameters) - self._bars, 0)

    @property
    def reason(self) -> str:
        """Of the newest decision."""
        return self.strategy.reasons[self.decision.reason]

    @property
    def last_time(self) -> int | None:
        """Open time of the newest bar taken, milliseconds since the epoch."""
        return self._last_time

    def on_bar(self, bar: Bar) -> Signal | None:
        """Take a closed bar. None while warming up, without an opinion, or for a bar that was taken already."""
        candle = as_floats(bar)
        if self._last_time is not None and candle.time <= self._last_time:
            return None
        self._last_time = candle.time
        self._bars += 1
        decision = self.decision = self._decide(candle)
        if isnan(decision.target):
            return None
        return Signal(candle.time, decision.target, self.reason)

    def _decide(self, candle: Candle) -> Decision:
        if self.strategy.rungs is None:
            return self.strategy.step(self.parameters, self._state, candle)
        before = [rung.generation for rung in self.ladder]
        decision = self.strategy.step(self.parameters, self._state, candle, self.holding, self.ladder)
        for rung, generation in zip(self.ladder, before, strict=True):
            if rung.generation != generation:
                rung.filled = 0.0
        return decision

    def save(self) -> dict[str, Any]:
        """Everything needed to go on later, as JSON values."""
        saved: dict[str, Any] = {
            "strategy": self.strategy.name,
            "parameters": self.parameters.model_dump(mode="json"),
            "last_time": self._last_time,
            "bars": self._bars,
            "state": kernels.save(self._state),
        }
        if self.strategy.rungs is not None:
            saved["ladder"] = [kernels.save(rung) for rung in self.ladder]
        return saved

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what ``save`` gave. Raises Refused where it belongs to another strategy or other parameters."""
        made_with = (saved["strategy"], saved["parameters"])
        if made_with != (self.strategy.name, self.parameters.model_dump(mode="json")):
            raise Refused(
                "state_of_another_run",
                "the saved state was made with another strategy or other parameters",
                strategy=saved["strategy"],
                parameters=saved["parameters"],
            )
        state = self.strategy.initial_state(self.parameters)
        ladder = [Rung() for _ in self.ladder]
        try:
            kernels.load(state, saved["state"])
            for rung, row in zip(ladder, saved.get("ladder", []), strict=True):
                kernels.load(rung, row)
        except ValueError as error:
            raise Refused("state_not_readable", str(error), strategy=self.strategy.name) from error
        self._state, self.ladder = state, ladder
        self._last_time = saved["last_time"]
        self._bars = saved["bars"]

"""The venue's own time: recorded time that runs at a chosen multiple of the wall's.

Invariant: it never goes back, whatever the speed does.
"""

from collections.abc import Callable


class ReplayClock:
    def __init__(self, start_ms: int, speed: float, paused: bool, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._anchor_ms = float(start_ms)
        self._anchor_s = monotonic_s()
        self._speed = speed
        self._paused = paused

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def paused(self) -> bool:
        return self._paused

    def now_ms(self) -> int:
        return int(self._now())

    def seconds_until(self, time_ms: int) -> float | None:
        """Wall seconds until the venue's clock shows ``time_ms``; None while it stands still."""
        if self._paused:
            return None
        return (time_ms - self._now()) / 1000 / self._speed

    def set_speed(self, speed: float) -> None:
        """Raises ValueError unless ``speed``, recorded seconds per wall second, is above zero."""
        if not speed > 0:
            raise ValueError("the speed must be above zero")
        self._set_anchor(self._now())
        self._speed = speed

    def pause(self) -> None:
        self._set_anchor(self._now())
        self._paused = True

    def resume(self) -> None:
        self._set_anchor(self._now())
        self._paused = False

    def advance_to(self, time_ms: int) -> None:
        """Jump forward; a time already passed changes nothing."""
        self._set_anchor(max(self._now(), float(time_ms)))

    def _now(self) -> float:
        if self._paused:
            return self._anchor_ms
        return self._anchor_ms + (self._monotonic_s() - self._anchor_s) * 1000 * self._speed

    def _set_anchor(self, now_ms: float) -> None:
        self._anchor_ms = now_ms
        self._anchor_s = self._monotonic_s()

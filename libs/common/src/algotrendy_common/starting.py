"""How long a start takes, phase by phase: what a recovery after a kill is made of.

Invariant: telemetry only. Wall time is what a recovery waits; the processor's time says how much of it was work.
"""

from algotrendy_common.clock import monotonic_s, process_age_s, processor_s


class Phases:
    """Marked as each phase ends; phases of one name are added up."""

    def __init__(self) -> None:
        self._began_s = self._last_s = monotonic_s()
        self._took_s: dict[str, float] = {}

    def of_this_process(self) -> None:
        """What went before the program's first own line was the interpreter and its imports."""
        self._took_s["imports"] = max(0.0, process_age_s() - (monotonic_s() - self._began_s))

    def ended(self, name: str) -> None:
        now_s = monotonic_s()
        self._took_s[name] = self._took_s.get(name, 0.0) + now_s - self._last_s
        self._last_s = now_s

    def told(self) -> dict[str, float]:
        """Seconds by phase, in all, and of the processor so far."""
        took = {name: round(seconds, 3) for name, seconds in self._took_s.items()}
        return took | {"in_all": round(sum(self._took_s.values()), 3), "processor": round(processor_s(), 3)}

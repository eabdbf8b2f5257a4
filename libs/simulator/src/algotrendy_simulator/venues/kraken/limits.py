"""A counter for each key that rises with its calls and sinks with time, counted as Kraken counts it.

Source: Kraken documentation, "Spot REST rate limits": history calls cost 2, orders and cancellations nothing here
because the matching engine counts them for itself. Invariant: what is over the limit is refused before it has any
effect.
"""

from dataclasses import dataclass, field

from algotrendy_simulator.venues.kraken.refusals import RATE_LIMIT, KrakenError


@dataclass(slots=True)
class Limits:
    most: float
    decay_per_s: float
    orders_per_s: float
    _counters: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Value and the time it was true."""

    def spend(self, key: str, cost: float, now_s: float) -> None:
        """Raises KrakenError over the limit."""
        self._add(key, cost, self.most, self.decay_per_s, now_s, RATE_LIMIT)

    def spend_order(self, key: str, pair: str, now_s: float) -> None:
        most = self.orders_per_s * 10
        self._add(f"{key}/{pair}", 1, most, self.orders_per_s, now_s, "EOrder:Rate limit exceeded")

    def _add(self, name: str, cost: float, most: float, decay: float, now_s: float, refusal: str) -> None:
        value, at_s = self._counters.get(name, (0.0, now_s))
        value = max(0.0, value - (now_s - at_s) * decay)
        if value + cost > most:
            self._counters[name] = value, now_s
            raise KrakenError(refusal)
        self._counters[name] = value + cost, now_s

"""What was asked for lately, for venues whose later messages do not say it again.

Invariant: it only completes what a venue said of one of our orders; the newest orders are kept, the oldest forgotten.
"""

from algotrendy_common.events.order import OrderTerms

_KEPT = 10_000


class AskedTerms:
    def __init__(self) -> None:
        self._terms: dict[str, OrderTerms] = {}

    def remember(self, client_id: str, terms: OrderTerms) -> None:
        self._terms[client_id] = terms
        if len(self._terms) > _KEPT:
            del self._terms[next(iter(self._terms))]

    def of(self, client_id: str) -> OrderTerms | None:
        return self._terms.get(client_id)

"""Whose entries are at the venue or on their way there, kept in memory: a halt may come while there is no store to ask.

Invariant: an order is here before its call leaves, and until the books have its end; one too many costs a question to
the venue, one too few would leave a halted strategy's order working.
"""

from collections.abc import Collection

from algotrendy_broker_gateway.domain.order_record import OrderRecord


class EntriesOut:
    """One account's."""

    def __init__(self) -> None:
        self._strategies: dict[str, str] = {}
        """By the client id that the venue shows."""

    def note(self, order: OrderRecord) -> None:
        """It leaves now, or did before this start. Exits are not entries: they stay whoever is halted."""
        if order.origin.strategy is None or order.protective or order.status.terminal:
            return
        for client_id in (order.client_order_id, order.venue_client_id):
            self._strategies[client_id] = order.origin.strategy

    def changed(self, order: OrderRecord) -> None:
        if order.status.terminal:
            for client_id in (order.client_order_id, order.venue_client_id, *order.ended_client_ids):
                self._strategies.pop(client_id, None)

    def of(self, strategies: Collection[str]) -> frozenset[str]:
        """The client ids of what these strategies have out."""
        return frozenset(client_id for client_id, owner in self._strategies.items() if owner in strategies)

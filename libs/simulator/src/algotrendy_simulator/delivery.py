"""How the exchange's events reach whoever serves them on a wire, and what a test or a drill may do to them on the way.

Invariant: undisturbed, every listener hears every event once, in the order of the changes. A disturbance touches what
is told, never the books.
"""

from collections.abc import Callable

from algotrendy_simulator.events import BalancesChanged, BookChanged, OrderChanged, PositionChanged, VenueEvent

type Listener = Callable[[VenueEvent], None]
type UserEvent = OrderChanged | BalancesChanged | PositionChanged


class Delivery:
    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.users_muted = False
        """Nothing is told of orders, balances and positions."""
        self.books_frozen = False
        """Trades are told and books are not: a feed that lives and is stale."""
        self._duplicates = 0
        self._reorders = 0
        self._kept: list[VenueEvent] = []
        self._stale: dict[str, None] = {}

    def duplicate(self, count: int) -> None:
        """Tell the next ``count`` user updates twice."""
        self._duplicates += count

    def reorder(self, count: int) -> None:
        """Keep the next ``count`` user updates until all are there, and tell the last one first."""
        self._reorders += count

    def freeze_books(self, frozen: bool) -> None:
        self.books_frozen = frozen
        if not frozen:
            stale, self._stale = list(self._stale), {}
            self.tell([BookChanged(symbol) for symbol in stale])

    def undisturb(self) -> None:
        """Tell what is being kept, and everything from here on as it happens."""
        self._duplicates = self._reorders = 0
        kept, self._kept = self._kept, []
        self.users_muted = False
        self.freeze_books(False)
        self.tell(kept)

    def tell(self, events: list[VenueEvent]) -> None:
        for event in events:
            for told in self._disturbed(event):
                for listener in self.listeners:
                    listener(told)

    def _disturbed(self, event: VenueEvent) -> list[VenueEvent]:
        if isinstance(event, BookChanged) and self.books_frozen:
            self._stale[event.symbol] = None
            return []
        if not isinstance(event, OrderChanged | BalancesChanged | PositionChanged):
            return [event]
        if self.users_muted:
            return []
        if self._reorders:
            self._reorders -= 1
            self._kept.append(event)
            if self._reorders:
                return []
            kept, self._kept = self._kept, []
            return kept[::-1]
        if self._duplicates:
            self._duplicates -= 1
            return [event, event]
        return [event]

"""What one operation changed, gathered so that it is journaled in one transaction."""

from dataclasses import dataclass, field

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.candles import TapeCandle
from algotrendy_simulator.events import TapeTrade, VenueEvent
from algotrendy_simulator.orders import Fill, Order


@dataclass(slots=True)
class Changes:
    accounts: list[Account] = field(default_factory=list)
    balances: dict[tuple[str, str], None] = field(default_factory=dict)
    """Account and asset; a set that keeps its order."""
    holdings: dict[tuple[str, str], None] = field(default_factory=dict)
    """Account and symbol; a set that keeps its order."""
    orders: dict[int, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    tape: list[TapeTrade] = field(default_factory=list)
    candles: list[tuple[str, TapeCandle]] = field(default_factory=list)
    """Symbol and closed minute."""
    books: dict[str, None] = field(default_factory=dict)
    """Symbols whose book was changed and not yet told of; a set that keeps its order."""
    events: list[VenueEvent] = field(default_factory=list)

    def touch_book(self, symbol: str) -> None:
        """A user's order left or changed the book."""
        self.books[symbol] = None

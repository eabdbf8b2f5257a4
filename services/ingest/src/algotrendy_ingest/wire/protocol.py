"""One venue's public socket without the socket: what is to be sent, and what comes of every text that was read.

Nothing here waits, connects or looks at a clock, so a recording runs through the same code as a live line.
Invariant: numbers are exact as the venue wrote them; a book is either right as far as the venue lets it be checked
(sequence, checksum, not crossed), or ``BookLost`` has said that it is not and it is empty until a new snapshot.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from algotrendy_ingest.domain.ticks import (
    BarTick,
    BookLost,
    Cause,
    FundingTick,
    MarkTick,
    QuoteTick,
    Stamp,
    Stream,
    TradeTick,
)
from algotrendy_ingest.wire.book import Book

__all__ = [
    "BarTick", "BookLost", "BookMoved", "Cause", "Checks", "Heard", "Line", "LineFactory", "Market", "Plan", "Refusal",
    "Reply", "SnapshotWanted", "VenueTime", "WireMarket", "sharded",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class WireMarket:
    symbol: str
    """Ours, such as ``BTC-USDT`` or ``BTC-USDT-PERP``."""
    id: str
    """The venue's on this socket."""
    contract_size: Decimal = Decimal(1)
    """Base in one unit of size."""


@dataclass(frozen=True, slots=True)
class BookMoved:
    """The book of ``symbol`` is another now, and was found right."""

    symbol: str
    received: Stamp


@dataclass(frozen=True, slots=True)
class SnapshotWanted:
    """The venue sends changes only: its REST snapshot is needed, to be handed to ``Line.snapshot``."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Reply:
    """To be sent back at once: the venue asked for a sign of life."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The venue would not do what was asked of it; its own words."""

    text: str


type Heard = (
    TradeTick | QuoteTick | MarkTick | FundingTick | BarTick | BookMoved | BookLost | SnapshotWanted | Reply | Refusal
)


@dataclass(slots=True)
class Checks:
    """How often a symbol's book was compared with what the venue says of it."""

    sequence_right: int = 0
    sequence_wrong: int = 0
    checksum_right: int = 0
    checksum_wrong: int = 0
    crossed: int = 0
    repeated: int = 0
    """Messages that came again, or too late, and were left out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One socket: where, and what goes over it."""

    url: str
    """Without scheme and host: ``/ws/v5/public``."""
    streams: frozenset[Stream]
    markets: tuple[WireMarket, ...]
    host: str | None = None
    """``wss://…`` where the venue serves these elsewhere than at its main address; a settings' address goes before."""


@dataclass(slots=True)
class Market:
    """What is kept of one symbol on one line."""

    names: WireMarket
    book: Book
    checks: Checks = field(default_factory=Checks)

    def lose(self, cause: Cause, detail: str) -> BookLost:
        """Empty the book until a new snapshot comes, and count what was wrong with it."""
        match cause:
            case Cause.SEQUENCE:
                self.checks.sequence_wrong += 1
            case Cause.CHECKSUM:
                self.checks.checksum_wrong += 1
            case Cause.CROSSED:
                self.checks.crossed += 1
            case Cause.REFUSED:
                pass  # nothing was compared
        self.book.lose()
        return BookLost(self.names.symbol, cause, detail)


@dataclass(slots=True)
class VenueTime:
    time: datetime | None = None


class Line(ABC):
    """One socket of a venue. Made anew for each connection, so nothing of an old one can be left in it."""

    venue: ClassVar[str]
    streams: ClassVar[frozenset[Stream]]
    """What the venue can send on public sockets."""
    ping_every_s: ClassVar[float | None] = None
    """How often the client has to speak; None: the protocol's own ping frames do."""
    sends_per_s: ClassVar[float] = 5.0
    """How many texts the venue lets a client send on one socket, evenly."""

    def __init__(self, plan: Plan | None = None) -> None:
        """Without a plan, markets are taken up as they are named: that is how a recording is read."""
        self._open = plan is None
        self.newest = VenueTime()
        """Of all the venue's sockets, for what bears no time itself; whoever holds several shares one among them."""
        self.markets: dict[str, Market] = {}
        """By the venue's id."""
        for names in plan.markets if plan else ():
            self.add(names)

    def opened(self, url: str) -> None:  # noqa: B027  # most venues call a market the same on every socket
        """Where a recording says the socket was: with some, the same name is another market elsewhere."""

    def add(self, names: WireMarket) -> None:
        """A market that is subscribed to from here on."""
        self.markets[names.id] = Market(names, self.new_book())

    def remove(self, names: WireMarket) -> None:
        """What still comes of it is refused with KeyError, until the venue has heard that it is not wanted."""
        self.markets.pop(names.id, None)

    @classmethod
    @abstractmethod
    def market_of(cls, symbol: str) -> WireMarket:
        """From our symbol; ``contract_size`` 1 until the listing is read. Raises ValueError for none of its own."""

    @classmethod
    @abstractmethod
    def market_named(cls, id: str) -> WireMarket:
        """From the venue's id alone; raises ValueError where it does not tell base and quote."""

    @classmethod
    @abstractmethod
    def plans(cls, markets: Sequence[WireMarket], streams: frozenset[Stream]) -> list[Plan]:
        """How many sockets these take, each within the venue's limits, and what goes over which."""

    @abstractmethod
    def subscribe(self, plan: Plan) -> list[str]:
        """Texts to send once the socket is open, or symbols are added to it; each within the limits."""

    @abstractmethod
    def unsubscribe(self, plan: Plan) -> list[str]: ...

    @abstractmethod
    def heal(self, market: Market) -> list[str]:
        """Texts that bring a new snapshot of a lost book; empty where it comes over REST."""

    @abstractmethod
    def read(self, raw: str | bytes, received: Stamp) -> list[Heard]:
        """What a text says, in its order. Raises ValueError, KeyError or TypeError where it is malformed."""

    def snapshot(self, symbol: str, raw: str | bytes, received: Stamp) -> list[Heard]:
        """A book fetched over REST; only where the venue has ``SnapshotWanted``."""
        raise NotImplementedError(f"{self.venue} sends its snapshots over the socket")

    def snapshot_path(self, market: Market) -> str | None:
        """Where a REST snapshot is: path and query."""
        return None

    def ping(self) -> str | None:
        """What to send every ``ping_every_s``."""
        return None

    def new_book(self) -> Book:
        return Book()

    def market(self, id: str) -> Market:
        """The market of that name; raises KeyError for one that was never asked for."""
        found = self.markets.get(id)
        if found is None:
            if not self._open:
                raise KeyError(id)
            found = self.markets[id] = Market(self.market_named(id), self.new_book())
        return found

    def find(self, symbol: str) -> Market | None:
        """By our name."""
        return next((market for market in self.markets.values() if market.names.symbol == symbol), None)


def sharded(markets: Sequence[WireMarket], most: int) -> list[tuple[WireMarket, ...]]:
    """So many to a socket at most."""
    return [tuple(markets[begin : begin + most]) for begin in range(0, len(markets), most)]


type LineFactory = Callable[[Plan | None], Line]

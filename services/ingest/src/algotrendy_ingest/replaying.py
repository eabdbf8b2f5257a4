"""A recording through the same reading of a venue that a live socket has, and what has become of each symbol.

Invariant: pure; sums are exact. A message that the venue would not have sent ends it with its place in the file.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from urllib.parse import parse_qs, urlsplit

from algotrendy_common.errors import Refused

from algotrendy_ingest.domain.ticks import BookLost, QuoteTick, Stamp, TradeTick
from algotrendy_ingest.recordings import Entry
from algotrendy_ingest.wire.book import Level
from algotrendy_ingest.wire.protocol import BookMoved, Checks, Heard, Line, Refusal, Reply, SnapshotWanted

LEVELS = 10
_EXACT = Context(prec=120)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_OF_THE_VENUE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, IndexError)


@dataclass(slots=True)
class Tally:
    """What was heard of one symbol, on however many sockets."""

    id: str
    trades: int = 0
    quantity: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    first_trade_id: str | None = None
    last_trade_id: str | None = None
    quotes: int = 0
    book_messages: int = 0
    books_lost: int = 0
    lost_last: str | None = None

    def count(self, heard: Heard) -> None:
        match heard:
            case TradeTick():
                self.trades += 1
                self.quantity = _EXACT.add(self.quantity, heard.quantity)
                self.notional = _EXACT.fma(heard.price, heard.quantity, self.notional)
                self.first_trade_id = self.first_trade_id or heard.trade_id
                self.last_trade_id = heard.trade_id
            case QuoteTick():
                self.quotes += 1
            case BookMoved():
                self.book_messages += 1
            case BookLost():
                self.books_lost += 1
                self.lost_last = f"{heard.cause}: {heard.detail}"
            case _:
                pass


@dataclass(frozen=True, slots=True)
class SymbolState:
    """Of one symbol after a message. Prices, quantities and sums are text, exact."""

    symbol: str
    id: str
    book_ready: bool
    bids: list[Level]
    asks: list[Level]
    bid_levels: int
    ask_levels: int
    trades: int
    quantity: str
    notional: str
    first_trade_id: str | None
    last_trade_id: str | None
    quotes: int
    book_messages: int
    sequence_right: int
    sequence_wrong: int
    checksum_right: int
    checksum_wrong: int
    crossed: int
    repeated: int
    """Messages that came again, or too late, and were left out."""
    books_lost: int
    lost_last: str | None


@dataclass(frozen=True, slots=True)
class State:
    message: int
    """How many messages had been received."""
    symbols: list[SymbolState]


@dataclass(slots=True)
class Replay:
    """Entries in, state out; ``line_class`` is the venue's."""

    line_class: type[Line]
    received: int = 0
    refusals: list[str] = field(default_factory=list)
    _first: str = ""
    """Where the first message stands."""
    _lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    """The newest of each socket."""
    _past: dict[str, Checks] = field(default_factory=dict)
    """Of sockets that have been opened anew since, by symbol."""
    _wanting: dict[tuple[tuple[str, str], str], None] = field(default_factory=dict)
    """Sockets and symbols whose book has to come over REST."""
    _early: list[Entry] = field(default_factory=list)
    """Books that came over REST before anybody asked for them."""
    _tallies: dict[str, Tally] = field(default_factory=dict)

    def states(self, entries: Iterable[Entry], at: Sequence[int]) -> Iterator[State]:
        """After each of these messages, in their order, and at the end. Raises Refused for what is no recording."""
        wanted = set(at)
        for entry in entries:
            self._take(entry)
            if entry.kind == "recv" and self.received in wanted:
                yield self.state()
        self._has_said_something()
        beyond = max(at, default=0)
        if beyond > self.received:
            raise Refused("no_such_message", f"there is no message {beyond}: {self.received} were received")
        yield self.state()

    def state(self) -> State:
        return State(self.received, [self._symbol_state(symbol) for symbol in sorted(self._tallies)])

    def _take(self, entry: Entry) -> None:
        key = entry.file, entry.socket
        try:
            match entry.kind:
                case "open":
                    self._open(key, entry.url)
                case "recv":
                    self.received += 1
                    self._first = self._first or entry.place
                    line = self._lines.get(key) or self._open(key, entry.url)
                    self._hear(key, line, line.read(entry.raw, _stamp(entry)))
                case "http":
                    self._snapshot(entry)
                case _:
                    pass  # what was asked of the venue says nothing about its markets
        except _NOT_OF_THE_VENUE as error:
            why = f"{type(error).__name__}: {error}"
            raise Refused(
                "not_of_venue", f"{entry.place}: not a message of {self.line_class.venue} ({why[:200]})"
            ) from error

    def _open(self, key: tuple[str, str], url: str) -> Line:
        if (ended := self._lines.pop(key, None)) is not None:
            for market in ended.markets.values():
                _add(self._past.setdefault(market.names.symbol, Checks()), market.checks)
        for waiting in [waiting for waiting in self._wanting if waiting[0] == key]:
            del self._wanting[waiting]
        line = self._lines[key] = self.line_class()
        line.opened(url)
        return line

    def _snapshot(self, entry: Entry) -> None:
        """To whoever is waiting for it, else to whoever first asks for it."""
        for key, symbol in tuple(self._wanting):
            if self._hand_over(entry, key, symbol):
                return
        self._early.append(entry)

    def _hand_over(self, entry: Entry, key: tuple[str, str], symbol: str) -> bool:
        """True where that address gives the book that is wanted there."""
        line = self._lines[key]
        market = line.find(symbol)
        path = None if market is None else line.snapshot_path(market)
        if path is None or not _same(path, entry.url):
            return False
        self._wanting.pop((key, symbol), None)
        self._hear(key, line, line.snapshot(symbol, entry.raw, _stamp(entry)))
        return True

    def _want(self, key: tuple[str, str], symbol: str) -> None:
        self._wanting[key, symbol] = None
        for entry in self._early:
            if self._hand_over(entry, key, symbol):
                self._early.remove(entry)
                return

    def _hear(self, key: tuple[str, str], line: Line, heard: list[Heard]) -> None:
        for each in heard:
            match each:
                case Refusal():
                    self.refusals.append(each.text)
                case Reply():
                    pass
                case _:
                    self._tally(line, each.symbol).count(each)
                    if isinstance(each, SnapshotWanted):
                        self._want(key, each.symbol)

    def _tally(self, line: Line, symbol: str) -> Tally:
        known = self._tallies.get(symbol)
        if known is None:
            id = next(id for id, market in line.markets.items() if market.names.symbol == symbol)
            known = self._tallies[symbol] = Tally(id)
        return known

    def _has_said_something(self) -> None:
        venue = self.line_class.venue
        if not self.received:
            raise Refused("no_message", "no message was received in this recording")
        if not self._tallies and not self.refusals:
            raise Refused("not_of_venue", f"{self._first}: none of {self.received} messages is of {venue}")

    def _symbol_state(self, symbol: str) -> SymbolState:
        tally = self._tallies[symbol]
        checks, book = replace(self._past.get(symbol, Checks())), None
        for line in self._lines.values():
            if (market := line.find(symbol)) is not None:
                _add(checks, market.checks)
                book = market.book if market.book.ready else book
        return SymbolState(
            symbol=symbol,
            id=tally.id,
            book_ready=book is not None,
            bids=book.bids.best(LEVELS) if book else [],
            asks=book.asks.best(LEVELS) if book else [],
            bid_levels=len(book.bids) if book else 0,
            ask_levels=len(book.asks) if book else 0,
            trades=tally.trades,
            quantity=format(tally.quantity, "f"),
            notional=format(tally.notional, "f"),
            first_trade_id=tally.first_trade_id,
            last_trade_id=tally.last_trade_id,
            quotes=tally.quotes,
            book_messages=tally.book_messages,
            sequence_right=checks.sequence_right,
            sequence_wrong=checks.sequence_wrong,
            checksum_right=checks.checksum_right,
            checksum_wrong=checks.checksum_wrong,
            crossed=checks.crossed,
            repeated=checks.repeated,
            books_lost=tally.books_lost,
            lost_last=tally.lost_last,
        )


def _add(total: Checks, more: Checks) -> None:
    for name in Checks.__slots__:
        setattr(total, name, getattr(total, name) + getattr(more, name))


def _same(path: str, url: str) -> bool:
    """The same question, for however many levels."""
    one, other = urlsplit(path), urlsplit(url)
    asked, answered = parse_qs(one.query), parse_qs(other.query)
    for query in (asked, answered):
        query.pop("limit", None)
    return one.path == other.path and asked == answered


def _stamp(entry: Entry) -> Stamp:
    ns = int(entry.time_s * 1_000_000_000)
    return Stamp(_EPOCH + timedelta(microseconds=ns // 1000), float(entry.time_s), ns)

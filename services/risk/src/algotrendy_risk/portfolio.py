"""Answers what was made of the money: by strategy, by account and as a whole.

Invariant: positions and results follow from fills and marks; a figure that needs a mark nobody knows is None.
"""

from collections.abc import Sequence
from decimal import Decimal

from algotrendy_common.database import Database
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO
from algotrendy_common.rpc.risk import Portfolio, PortfolioAsked, PortfolioPosition
from algotrendy_core.positions import Position

from algotrendy_risk.books import Books
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.portfolio import Track, Tracks, unrealised
from algotrendy_risk.domain.results import Point, statistics, summed, thinned
from algotrendy_risk.domain.valuation import value
from algotrendy_risk.store.results import ResultStore

Held = tuple[str, Position]
"""Whose, and what."""


class PortfolioDesk:
    def __init__(
        self, *, books: Books, database: Database, results: ResultStore, market: MarketView, tracks: Tracks
    ) -> None:
        self._books = books
        self._database = database
        self._results = results
        self._market = market
        self._tracks = tracks

    async def portfolio(self, asked: PortfolioAsked) -> Portfolio:
        """The whole is every account in the quote currency of the first. Raises ``Refused`` for one that is unknown."""
        books = await self._books_of(asked.account)
        quote = books[0].quote
        books = [book for book in books if book.quote == quote]
        if asked.strategy is not None:
            return await self._of_strategy(books, asked.strategy, quote)
        held = [(book.account, holding.derived) for book in books for holding in book.holdings.values()]
        tracks = [self._tracks.by_scope.get((book.account, None), Track()) for book in books]
        async with self._database.reading() as tx:
            curves = [await self._results.points(tx, book.account) for book in books]
        equities = [value(book, self._market).equity for book in books]
        equity = None if None in equities else sum((one for one in equities if one is not None), ZERO)
        return self._answer(quote, equity, held, tracks, curves)

    async def _of_strategy(self, books: Sequence[AccountBook], strategy: str, quote: str) -> Portfolio:
        scopes = [(book.account, strategy) for book in books if (book.account, strategy) in self._tracks.by_scope]
        tracks = [self._tracks.by_scope[scope] for scope in scopes]
        held = [
            (scope[0], position) for scope in scopes for position in self._tracks.by_scope[scope].positions.values()
        ]
        async with self._database.reading() as tx:
            curves = [await self._results.strategy_points(tx, account, name) for account, name in scopes]
        newest = [curve[-1].equity for curve in curves if curve]
        return self._answer(quote, sum(newest, ZERO) if newest else None, held, tracks, curves)

    async def _books_of(self, account: str | None) -> list[AccountBook]:
        names = self._books.accounts if account is None else (account,)
        found = [book for name in names if (book := await self._books.current(name)) is not None]
        if not found:
            raise Refused("account_unknown", f"there is no account {account}", account=account)
        return found

    def _answer(
        self,
        quote: str,
        equity: Decimal | None,
        held: Sequence[Held],
        tracks: Sequence[Track],
        curves: Sequence[Sequence[Point]],
    ) -> Portfolio:
        rows = tuple(self._position(account, position) for account, position in held)
        values = [None if row.mark is None and row.quantity else row.quantity * (row.mark or ZERO) for row in rows]
        known = [one for one in values if one is not None]
        complete = len(known) == len(values)
        curve = summed(curves)
        return Portfolio(
            quote_currency=quote,
            equity=equity,
            realised_pnl=sum((row.realised_pnl for row in rows), ZERO),
            unrealised_pnl=unrealised((position for _, position in held), self._market.mark),
            fees=sum((row.fees for row in rows), ZERO),
            exposure_gross=sum((abs(one) for one in known), ZERO) if complete else None,
            exposure_net=sum(known, ZERO) if complete else None,
            positions=tuple(row for row in rows if row.quantity or row.realised_pnl or row.fees),
            statistics=statistics(curve, [profit for track in tracks for profit in track.profits]),
            equity_curve=thinned(curve),
        )

    def _position(self, account: str, held: Position) -> PortfolioPosition:
        mark = self._market.mark(held.venue, held.symbol)
        known = mark is not None or not held.quantity
        return PortfolioPosition(
            account=account,
            venue=held.venue,
            symbol=held.symbol,
            quantity=held.quantity,
            average_price=held.average_price,
            mark=mark,
            realised_pnl=held.net_realised_pnl,
            unrealised_pnl=held.unrealised_pnl(mark or ZERO) if known else None,
            fees=held.fees,
            exposure=abs(held.quantity) * (mark or ZERO) if known else None,
        )

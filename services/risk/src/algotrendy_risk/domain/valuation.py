"""What an account is worth and what it is exposed to, everything reserved counted.

Invariant: a figure that needs a price nobody knows is None, never a guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.events.risk import LimitUse
from algotrendy_common.money import ZERO
from algotrendy_core.positions import PositionKey

from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.ledger import Holding
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.reservations import Reservation, counted


@dataclass(frozen=True, slots=True)
class Valuation:
    """Quote currency; ``drawdown`` is a fraction of the highest equity."""

    equity: Decimal | None
    realised: Decimal
    fees: Decimal
    day_pnl: Decimal | None
    day_realised: Decimal
    day_unrealised: Decimal | None
    day_fees: Decimal
    gross: Decimal | None
    """Held at marks and reserved at the orders' prices, each instrument at its worst."""
    net_long: Decimal | None
    """Signed sum over all instruments if every working buy were filled and no sell."""
    net_short: Decimal | None
    held: Decimal | None
    """Held alone."""
    reserved: Decimal
    available_cash: Decimal | None
    drawdown: Decimal | None
    working: tuple[Reservation, ...]
    """What takes room: see ``counted``."""


def value(book: AccountBook, market: MarketView) -> Valuation:
    rows = counted(book.reservations.values())
    equity = _equity(book, market)
    realised = sum((holding.derived.net_realised_pnl for holding in book.holdings.values()), ZERO)
    fees = sum((holding.derived.fees for holding in book.holdings.values()), ZERO)
    day = book.day
    day_pnl = equity - day.opening_equity if equity is not None and day else None
    day_realised = realised - day.opening_realised if day else ZERO
    gross, net_long, net_short = _exposures(book, market, rows)
    return Valuation(
        equity=equity,
        realised=realised,
        fees=fees,
        day_pnl=day_pnl,
        day_realised=day_realised,
        day_unrealised=None if day_pnl is None else day_pnl - day_realised,
        day_fees=fees - day.opening_fees if day else ZERO,
        gross=gross,
        net_long=net_long,
        net_short=net_short,
        held=_held(book, market),
        reserved=sum((row.notional or ZERO for row in rows), ZERO),
        available_cash=_available_cash(book, market, rows),
        drawdown=_drawdown(book, equity),
        working=rows,
    )


def working(rows: Sequence[Reservation], venue: str, symbol: str) -> tuple[Decimal, Decimal]:
    """Quantities that buys and sells of an instrument may still trade."""
    buys = sells = ZERO
    for row in rows:
        if (row.terms.venue, row.terms.symbol) == (venue, symbol):
            if row.terms.side is Side.BUY:
                buys += row.outstanding
            else:
                sells += row.outstanding
    return buys, sells


def limit_uses(book: AccountBook, worth: Valuation) -> tuple[LimitUse, ...]:
    """How much of each limit is used up; one whose use is not known is left out."""
    limits = book.limits
    if limits is None:
        return ()
    loss = None if worth.day_pnl is None else max(-worth.day_pnl, ZERO)
    known = worth.net_long is not None and worth.net_short is not None
    net = max(abs(worth.net_long), abs(worth.net_short)) if known else None  # type: ignore[arg-type]
    rows: tuple[tuple[str, Decimal | None, Decimal, str], ...] = (
        ("daily_loss", loss, limits.max_daily_loss, book.quote),
        ("drawdown", worth.drawdown, limits.max_drawdown, "ratio"),
        ("gross_exposure", worth.gross, limits.max_gross_exposure, book.quote),
        ("net_exposure", net, limits.max_net_exposure, book.quote),
        ("open_orders", Decimal(len(worth.working)), Decimal(limits.max_open_orders), "orders"),
    )
    return tuple(
        LimitUse(name=name, used=used, limit=limit, unit=unit) for name, used, limit, unit in rows if used is not None
    )


def _equity(book: AccountBook, market: MarketView) -> Decimal | None:
    if not book.anchored or book.cash is None:
        return None
    total = book.cash
    for (venue, symbol), holding in book.holdings.items():
        if not holding.derived.quantity:
            continue
        mark = market.mark(venue, symbol)
        if mark is None:
            return None
        total += holding.derived.unrealised_pnl(mark) if holding.margined else holding.derived.quantity * mark
    return total


def _held(book: AccountBook, market: MarketView) -> Decimal | None:
    total = ZERO
    for (venue, symbol), holding in book.holdings.items():
        quantity = max(abs(holding.upper), abs(holding.lower))
        if not quantity:
            continue
        mark = market.mark(venue, symbol)
        if mark is None:
            return None
        total += quantity * mark
    return total


def _exposures(
    book: AccountBook, market: MarketView, rows: Sequence[Reservation]
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Gross, and net if every working buy were filled and no sell, and the other way round."""
    keys: set[PositionKey] = {key for key, holding in book.holdings.items() if not holding.flat}
    keys |= {(row.terms.venue, row.terms.symbol) for row in rows if row.outstanding}
    gross = net_long = net_short = ZERO
    for venue, symbol in keys:
        holding = book.holding(venue, symbol)
        buys, sells = working(rows, venue, symbol)
        prices = [market.mark(venue, symbol)]
        prices += [row.price for row in rows if (row.terms.venue, row.terms.symbol) == (venue, symbol)]
        known = [price for price in prices if price is not None]
        if len(known) != len(prices):
            return None, None, None
        dearest = max(known)
        most, least = (holding.upper + buys) * dearest, (holding.lower - sells) * dearest
        gross += max(abs(most), abs(least))
        net_long += most
        net_short += least
    return gross, net_long, net_short


def _available_cash(book: AccountBook, market: MarketView, rows: Sequence[Reservation]) -> Decimal | None:
    if book.cash is None or book.observed_cash is None:
        return None
    available = min(book.cash, book.observed_cash)
    for row in rows:
        if row.cash is None:
            return None
        available -= row.cash
    for holding in book.holdings.values():
        tied = _tied_up(holding, market)
        if tied is None:
            return None
        available -= tied
    return available


def _tied_up(holding: Holding, market: MarketView) -> Decimal | None:
    """Margin behind a position and what it has lost so far; a gain not taken yet is not counted."""
    quantity = max(abs(holding.upper), abs(holding.lower))
    if not holding.margined or not quantity:
        return ZERO
    mark = market.mark(holding.derived.venue, holding.derived.symbol)
    if mark is None:
        return None
    return quantity * mark / (holding.observed.leverage or 1) + max(-holding.derived.unrealised_pnl(mark), ZERO)


def _drawdown(book: AccountBook, equity: Decimal | None) -> Decimal | None:
    if equity is None or book.high_water is None or book.high_water <= 0:
        return None
    return max(1 - equity / book.high_water, ZERO)

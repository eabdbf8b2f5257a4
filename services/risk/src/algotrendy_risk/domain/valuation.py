"""What an account is worth and what it is exposed to, everything reserved counted.

Invariant: a figure that needs a price nobody knows is None, never a guess.
"""

from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.events.risk import LimitUse
from algotrendy_common.money import ZERO
from algotrendy_core.positions import PositionKey

from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.market import MarketView


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
    held: Decimal | None
    """Held alone."""
    reserved: Decimal
    available_cash: Decimal | None
    drawdown: Decimal | None


def value(book: AccountBook, market: MarketView) -> Valuation:
    equity = _equity(book, market)
    realised = sum((holding.derived.net_realised_pnl for holding in book.holdings.values()), ZERO)
    fees = sum((holding.derived.fees for holding in book.holdings.values()), ZERO)
    day = book.day
    day_pnl = equity - day.opening_equity if equity is not None and day else None
    day_realised = realised - day.opening_realised if day else ZERO
    return Valuation(
        equity=equity,
        realised=realised,
        fees=fees,
        day_pnl=day_pnl,
        day_realised=day_realised,
        day_unrealised=None if day_pnl is None else day_pnl - day_realised,
        day_fees=fees - day.opening_fees if day else ZERO,
        gross=_gross(book, market),
        held=_held(book, market),
        reserved=sum((row.notional or ZERO for row in book.reservations.values()), ZERO),
        available_cash=_available_cash(book),
        drawdown=_drawdown(book, equity),
    )


def working(book: AccountBook, venue: str, symbol: str) -> tuple[Decimal, Decimal]:
    """Quantities that buys and sells of an instrument may still trade."""
    buys = sells = ZERO
    for row in book.reservations.values():
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
    rows: tuple[tuple[str, Decimal | None, Decimal, str], ...] = (
        ("daily_loss", loss, limits.max_daily_loss, book.quote),
        ("drawdown", worth.drawdown, limits.max_drawdown, "ratio"),
        ("gross_exposure", worth.gross, limits.max_gross_exposure, book.quote),
        ("open_orders", Decimal(len(book.reservations)), Decimal(limits.max_open_orders), "orders"),
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
        total += holding.derived.quantity * mark
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


def _gross(book: AccountBook, market: MarketView) -> Decimal | None:
    keys: set[PositionKey] = set(book.holdings)
    keys |= {(row.terms.venue, row.terms.symbol) for row in book.reservations.values()}
    total = ZERO
    for venue, symbol in keys:
        worst = _worst(book, market, venue, symbol)
        if worst is None:
            return None
        total += worst
    return total


def _worst(book: AccountBook, market: MarketView, venue: str, symbol: str) -> Decimal | None:
    """The larger exposure of an instrument: every buy filled and no sell, or the other way round."""
    holding = book.holding(venue, symbol)
    buys, sells = working(book, venue, symbol)
    quantity = max(abs(holding.upper + buys), abs(holding.lower - sells))
    if not quantity:
        return ZERO
    prices = [market.mark(venue, symbol)]
    prices += [
        row.price for row in book.reservations.values() if (row.terms.venue, row.terms.symbol) == (venue, symbol)
    ]
    known = [price for price in prices if price is not None]
    return quantity * max(known) if len(known) == len(prices) else None


def _available_cash(book: AccountBook) -> Decimal | None:
    if book.cash is None or book.observed_cash is None:
        return None
    available = min(book.cash, book.observed_cash)
    for row in book.reservations.values():
        if row.cash is None:
            return None
        available -= row.cash
    return available


def _drawdown(book: AccountBook, equity: Decimal | None) -> Decimal | None:
    if equity is None or book.high_water is None or book.high_water <= 0:
        return None
    return max(1 - equity / book.high_water, ZERO)

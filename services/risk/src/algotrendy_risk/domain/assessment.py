"""Yes or no to an order, with the reasons.

Invariant: ``Approval`` comes out of here only if every check passed on values that are known; anything missing is a
``Violated``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain
from algotrendy_core.limits import (
    Exposure,
    Violated,
    check_order,
    check_trading_state,
    reduces,
    valuation_price,
)

from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.reservations import Reservation
from algotrendy_risk.domain.valuation import value, working


@dataclass(frozen=True, slots=True)
class Approval:
    reservation: Reservation
    notional: Decimal
    seen: dict[str, str | None]
    """What the decision was taken on, as it is stored beside it."""


Decision = Approval | Violated


def assess(
    terms: OrderTerms,
    *,
    book: AccountBook | None,
    market: MarketView,
    proposed_at: datetime,
    now: datetime,
    approval_lifetime: timedelta,
) -> Decision:
    """Cheap checks first, up to the first violation. ``proposed_at`` and ``now`` are by our clock."""
    if book is None:
        return Violated("account_unknown", f"there is no account {terms.account}", None, terms.account)
    if book.limits is None:
        return Violated("limits_missing", f"account {terms.account} has no limits")
    if terms.venue != book.venue:
        return Violated(
            "venue_not_of_account", f"{terms.account} is an account at {book.venue}", book.venue, terms.venue
        )
    limits = book.limits
    exposure = _exposure(terms, book, market, now)
    state = check_trading_state(
        exposure.trading_state, reduction=reduces(terms, exposure), reductions_while_halted=False
    )
    if isinstance(state, Violated):
        return state
    early = _stale(limits, now - proposed_at) or market.feed_problem(terms.venue, terms.symbol, limits, now)
    if early is not None:
        return early
    instrument = market.instruments.get((terms.venue, terms.symbol))
    if instrument is None:
        return Violated(
            "instrument_unknown", f"nothing is known of {terms.symbol} on {terms.venue}", None, terms.symbol
        )
    seen = market.seen_by(terms.venue, terms.symbol, terms.side, now)
    verdict = check_order(
        terms,
        instrument=instrument,
        market=seen,
        exposure=exposure,
        recent=book.recent,
        limits=limits.pre_trade(),
        now=now,
    )
    if isinstance(verdict, Violated):
        return verdict
    if seen.reference_price is None:
        return Violated("reference_price_unknown", "there is no price to judge the order by")
    price = valuation_price(terms, seen.reference_price)
    return Approval(
        reservation=Reservation(
            terms, price, instrument.taker_fee, approved_at=now, expires_at=now + approval_lifetime
        ),
        notional=terms.quantity * price,
        seen={
            "price": plain(price),
            "position": plain(exposure.position),
            "working_buys": plain(exposure.working_buys),
            "working_sells": plain(exposure.working_sells),
            "open_orders": str(exposure.open_orders),
            "gross": _text(exposure.gross),
            "available_cash": _text(exposure.available_cash),
            "day_pnl": _text(exposure.day_pnl),
        },
    )


def recent_kept(limits: AccountLimits | None) -> timedelta:
    """How long an order that was let through matters to the rate and duplicate checks."""
    return max(limits.rate_window, limits.duplicate_window) if limits else timedelta(0)


def _stale(limits: AccountLimits, age: timedelta) -> Violated | None:
    if age <= limits.max_proposal_age:
        return None
    return Violated(
        "proposal_stale",
        "the proposal waited too long to be judged",
        f"{limits.max_proposal_age.total_seconds():g}",
        f"{age.total_seconds():g}",
    )


def _exposure(terms: OrderTerms, book: AccountBook, market: MarketView, now: datetime) -> Exposure:
    holding = book.holding(terms.venue, terms.symbol)
    buys, sells = working(book, terms.venue, terms.symbol)
    worth = value(book, market)
    return Exposure(
        trading_state=book.trading_state(market.confirmed.get(book.account), now),
        position=holding.upper if terms.side is Side.BUY else holding.lower,
        working_buys=buys,
        working_sells=sells,
        open_orders=len(book.reservations),
        gross=worth.gross,
        available_cash=worth.available_cash,
        day_pnl=worth.day_pnl,
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)

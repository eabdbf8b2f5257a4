"""Yes, no or a person's affair, with the reasons.

Invariant: ``Approval`` comes out of here only if every check passed on values that are known; anything missing is a
``Violated``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import HaltLevel, OrderSource, Side
from algotrendy_common.events.order import OrderOrigin, OrderTerms
from algotrendy_common.money import ZERO, plain
from algotrendy_core.limits import Exposure, PersonNeeded, Violated, cash_ratio, reduces, valuation_price
from algotrendy_core.pretrade import check_order

from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.halts import Halt
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.reservations import Reservation
from algotrendy_risk.domain.valuation import value, working


@dataclass(frozen=True, slots=True)
class Approval:
    reservation: Reservation
    notional: Decimal
    unattended: Decimal
    """Counts against what may pass in a day without a person: zero for a reduction, or where a person agreed."""
    seen: dict[str, str | None]
    """What the decision was taken on, as it is stored beside it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A person must decide."""

    needed: PersonNeeded
    notional: Decimal
    reference_price: Decimal


Decision = Approval | Asked | Violated
_NOT_PROPOSED = frozenset({OrderSource.PROTECTION, OrderSource.EXTERNAL})


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in the way of whoever proposes, beside the account's book."""

    halt: Halt | None = None
    switched_off: str | None = None
    """Why the throttle switched the strategy off."""
    enabled_at: datetime | None = None
    """When a person last switched it on again."""


def assess(
    terms: OrderTerms,
    origin: OrderOrigin,
    *,
    book: AccountBook | None,
    market: MarketView,
    standing: Standing,
    proposed_at: datetime,
    now: datetime,
    approval_lifetime: timedelta,
    person_agreed: bool = False,
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
    if origin.source in _NOT_PROPOSED:
        # Reservations of such orders take less room: nobody may call his own so.
        return Violated("source_not_allowed", "such orders are not proposed", None, origin.source.value)
    limits = book.limits
    replaced = _replaced(terms, book)
    if isinstance(replaced, Violated):
        return replaced
    exposure = _exposure(terms, origin, replaced, market, now)
    early = (
        _stopped(terms, standing, exposure, limits)
        or _stale(limits, now - proposed_at)
        or market.feed_problem(terms.venue, terms.symbol, limits, now)
    )
    if early is not None:
        return early
    instrument = market.instruments.get((terms.venue, terms.symbol))
    if instrument is None:
        return Violated(
            "instrument_unknown", f"nothing is known of {terms.symbol} on {terms.venue}", None, terms.symbol
        )
    seen = market.seen_by(terms.venue, terms.symbol, terms.side, limits.drift_window, now)
    allowed = limits.pre_trade()
    verdict = check_order(
        terms,
        strategy=origin.strategy,
        instrument=instrument,
        market=seen,
        exposure=exposure,
        recent=book.recent,
        limits=allowed,
        now=now,
        person_agreed=person_agreed,
        enabled_at=standing.enabled_at,
    )
    if isinstance(verdict, Violated):
        return verdict
    if seen.reference_price is None:
        return Violated("reference_price_unknown", "there is no price to judge the order by")
    price = valuation_price(terms, seen.reference_price)
    notional = terms.quantity * price
    if isinstance(verdict, PersonNeeded):
        return Asked(verdict, notional, seen.reference_price)
    return Approval(
        reservation=Reservation(
            terms,
            price,
            cash_ratio(terms, allowed, instrument.taker_fee),
            approved_at=now,
            expires_at=now + approval_lifetime,
            source=origin.source,
            strategy=origin.strategy,
        ),
        notional=notional,
        unattended=ZERO if person_agreed or reduces(terms, exposure) else notional,
        seen={
            "price": plain(price),
            "position": plain(exposure.position),
            "working_buys": plain(exposure.working_buys),
            "working_sells": plain(exposure.working_sells),
            "open_orders": str(exposure.open_orders),
            "gross": _text(exposure.gross),
            "net": _text(exposure.net),
            "equity": _text(exposure.equity),
            "available_cash": _text(exposure.available_cash),
            "day_pnl": _text(exposure.day_pnl),
        },
    )


def recent_kept(limits: AccountLimits | None) -> timedelta:
    """How long an order that was let through matters to the rate, duplicate and repetition checks."""
    return max(limits.rate_window, limits.duplicate_window, limits.repeat_window) if limits else timedelta(0)


def price_moved(before: Decimal, now: Decimal, collar: Decimal) -> bool:
    return abs(now / before - 1) > collar


def _replaced(terms: OrderTerms, book: AccountBook) -> AccountBook | Violated:
    """The book without the order that this one amends: of the two, only one can ever be at the venue."""
    if terms.replaces is None:
        return book
    before = book.reservations.get(terms.replaces)
    if before is None or before.status.terminal:
        return Violated("replaced_not_working", "the order to amend is not working", None, terms.replaces)
    same = (before.terms.venue, before.terms.symbol, before.terms.side)
    if same != (terms.venue, terms.symbol, terms.side):
        return Violated("replaced_differs", "an amendment keeps instrument and side", None, terms.replaces)
    return book.without(terms.replaces)


def _stopped(terms: OrderTerms, standing: Standing, exposure: Exposure, limits: AccountLimits) -> Violated | None:
    halt = standing.halt
    if halt is not None:
        allowed = limits.reductions_while_halted and terms.reduce_only and reduces(terms, exposure)
        if not allowed:
            scope = "trading" if halt.level is HaltLevel.GLOBAL else f"{halt.level.value} {halt.key}"
            return Violated(
                f"{halt.level.value}_halted", f"{scope} is halted by {halt.by}: {halt.reason}", "active", "halted"
            )
    if standing.switched_off is not None:
        return Violated("strategy_switched_off", standing.switched_off)
    return None


def _stale(limits: AccountLimits, age: timedelta) -> Violated | None:
    if age <= limits.max_proposal_age:
        return None
    return Violated(
        "proposal_stale",
        "the proposal waited too long to be judged",
        f"{limits.max_proposal_age.total_seconds():g}",
        f"{age.total_seconds():g}",
    )


def _exposure(terms: OrderTerms, origin: OrderOrigin, book: AccountBook, market: MarketView, now: datetime) -> Exposure:
    holding = book.holding(terms.venue, terms.symbol)
    worth = value(book, market)
    buys, sells = working(worth.working, terms.venue, terms.symbol)
    buy = terms.side is Side.BUY
    return Exposure(
        trading_state=book.trading_state(market.confirmed.get(book.account), now),
        position=holding.upper if buy else holding.lower,
        working_buys=buys,
        working_sells=sells,
        open_orders=len(worth.working),
        gross=worth.gross,
        available_cash=worth.available_cash,
        day_pnl=worth.day_pnl,
        net=worth.net_long if buy else worth.net_short,
        equity=worth.equity,
        drawdown=worth.drawdown,
        approved_today=book.unattended.of(origin.strategy, now.date()) if book.unattended else ZERO,
        resting=tuple(
            row.terms
            for row in book.reservations.values()
            if (row.terms.venue, row.terms.symbol) == (terms.venue, terms.symbol) and row.outstanding
        ),
        margined=None if holding.flat else holding.margined,
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)

"""What happens to a book as time passes: anchoring, a new day, a new highest equity, limits that are alarms.

Invariant: money that comes from outside, or a trade made there, is no profit or loss: anchoring moves the day's opening
and the highest equity along with the equity.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.money import ZERO, plain

from algotrendy_risk.domain.book import AccountBook, Day
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.valuation import value


@dataclass(frozen=True, slots=True)
class Breach:
    code: str
    message: str
    limit: Decimal
    observed: Decimal


def anchor(book: AccountBook, market: MarketView, now: datetime, settle: timedelta) -> AccountBook:
    """Take the venue's books over once nothing has moved for ``settle`` and they are confirmed.

    They must have been asked for after the last movement: a fill whose position event is late would be undone else.
    """
    looked = market.looked.get(book.account)
    if looked is None or looked <= book.moved_at:
        return book
    if not book.reconciled or book.observed_cash is None or now - book.moved_at < settle:
        return book
    same = book.cash == book.observed_cash and all(holding.agrees for holding in book.holdings.values())
    if book.anchored and same:
        return book
    before = value(book, market)
    after = replace(
        book,
        anchored=True,
        cash=book.observed_cash,
        holdings={key: holding.anchored() for key, holding in book.holdings.items()},
    )
    worth = value(after, market)
    if book.day is None or before.equity is None or worth.equity is None:
        return after
    shift = worth.equity - before.equity
    return replace(
        after,
        day=replace(
            book.day,
            opening_equity=book.day.opening_equity + shift,
            opening_realised=book.day.opening_realised + worth.realised - before.realised,
            opening_fees=book.day.opening_fees + worth.fees - before.fees,
        ),
        high_water=None if book.high_water is None else book.high_water + shift,
        flows=book.flows + shift,
    )


def turn(book: AccountBook, market: MarketView, now: datetime) -> AccountBook:
    """Open a new day where one has begun, and raise the highest equity; nothing while equity is not known."""
    worth = value(book, market)
    if worth.equity is None:
        return book
    after = book
    if book.day is None or book.day.date != now.date():
        after = replace(after, day=Day(now.date(), worth.equity, worth.realised, worth.fees))
    if after.high_water is None or worth.equity > after.high_water:
        after = replace(after, high_water=worth.equity)
    return after


def alarms(book: AccountBook, market: MarketView, *, halted: bool) -> tuple[AccountBook, tuple[Breach, ...]]:
    """Limits that are alarms: the daily loss is told of once a day, a drawdown while nothing has halted the account."""
    limits = book.limits
    if limits is None:
        return book, ()
    worth = value(book, market)
    breaches: list[Breach] = []
    after = book
    day = book.day
    if worth.day_pnl is not None and day and not day.loss_breached and -worth.day_pnl >= limits.max_daily_loss:
        after = replace(after, day=replace(day, loss_breached=True))
        breaches.append(
            Breach("max_daily_loss", "the day's loss has reached its limit", limits.max_daily_loss, -worth.day_pnl)
        )
    if worth.drawdown is not None and worth.drawdown >= limits.max_drawdown and not halted:
        reason = f"drawdown {plain(round(worth.drawdown, 4))} has reached its limit {plain(limits.max_drawdown)}"
        breaches.append(Breach("max_drawdown", reason, limits.max_drawdown, worth.drawdown))
    return after, tuple(breaches)


def resumed(book: AccountBook, market: MarketView) -> AccountBook:
    """Released by people. A drawdown that has reached its limit starts anew, or the next look would halt again."""
    worth = value(book, market)
    if worth.equity is None or book.limits is None or (worth.drawdown or ZERO) < book.limits.max_drawdown:
        return book
    return replace(book, high_water=worth.equity)

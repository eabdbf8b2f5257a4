"""Pre-trade checks: pure functions, each says ``Passed`` or ``Violated`` with the limit and what was observed.

Invariant: they run from cheap to dear and stop at the first violation; what is not known is refused, never guessed.
An order that only reduces a position passes the checks on position, exposure and loss: they must not trap anybody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import OrderType, Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.events.risk import TradingState
from algotrendy_common.money import plain

from algotrendy_core.instruments import Instrument


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing against it."""


@dataclass(frozen=True, slots=True)
class Violated:
    """``limit`` and ``observed`` are spelled as they travel in ``OrderRefused``."""

    code: str
    message: str
    limit: str | None = None
    observed: str | None = None


Verdict = Passed | Violated
PASSED = Passed()


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may do. Amounts are in the quote currency, ratios are fractions of one."""

    instruments: frozenset[tuple[str, str]]
    """(venue, symbol) pairs that may be traded."""
    max_data_age: timedelta
    max_order_notional: Decimal
    price_collar: Decimal
    """Largest distance of a limit price from the reference price, as a ratio."""
    duplicate_window: timedelta
    max_orders: int
    """New orders within ``rate_window``."""
    rate_window: timedelta
    max_open_orders: int
    max_position_notional: Decimal
    max_gross_exposure: Decimal
    max_daily_loss: Decimal
    max_order_quantity: Decimal | None = None
    """In base; None leaves it to the instrument's maximum."""
    allow_short: bool = False
    reductions_while_halted: bool = False


@dataclass(frozen=True, slots=True)
class Market:
    """What is known of the instrument's price; None means unknown."""

    reference_price: Decimal | None
    age: timedelta | None
    """Time since the price reached us, by our clock."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """The account as it stands, everything reserved counted. None means unknown."""

    trading_state: TradingState
    position: Decimal
    """Signed quantity held of the instrument."""
    working_buys: Decimal
    """Quantity of the instrument that open and unknown buy orders may still add."""
    working_sells: Decimal
    open_orders: int
    gross: Decimal | None
    """Held and reserved over all instruments, quote currency."""
    available_cash: Decimal | None
    """Quote currency, what working orders reserve already taken off."""
    day_pnl: Decimal | None
    """Realised and unrealised since the day began, after fees."""


@dataclass(frozen=True, slots=True)
class RecentOrder:
    """An order that was let through lately."""

    terms: OrderTerms
    at: datetime


def reduces(order: OrderTerms, exposure: Exposure) -> bool:
    """True where the order, with those already working on its side, can only bring the position nearer to flat."""
    if order.side is Side.SELL:
        return order.quantity + exposure.working_sells <= exposure.position
    return order.quantity + exposure.working_buys <= -exposure.position


def valuation_price(order: OrderTerms, reference_price: Decimal) -> Decimal:
    """The price an order is valued at: the dearer of its own and the market's."""
    return max(order.limit_price, reference_price) if order.limit_price is not None else reference_price


def check_trading_state(state: TradingState, *, reduction: bool, reductions_while_halted: bool) -> Verdict:
    if state is TradingState.ACTIVE:
        return PASSED
    if state is TradingState.HALTED and reduction and reductions_while_halted:
        return PASSED
    return Violated(f"account_{state.value}", f"the account is {state.value}", TradingState.ACTIVE.value, state.value)


def check_market_data(market: Market, max_age: timedelta) -> Verdict:
    if market.reference_price is None or market.age is None:
        return Violated("reference_price_unknown", "there is no price to judge the order by")
    if market.age > max_age:
        return Violated("market_data_stale", "the newest price is too old", _seconds(max_age), _seconds(market.age))
    return PASSED


def check_instrument(order: OrderTerms, allowed: frozenset[tuple[str, str]]) -> Verdict:
    if (order.venue, order.symbol) in allowed:
        return PASSED
    return Violated("instrument_not_allowed", f"{order.symbol} on {order.venue} is not on the list", None, order.symbol)


def check_precision(order: OrderTerms, instrument: Instrument, price: Decimal) -> Verdict:
    """The venue's own rules: steps, smallest and largest quantity, smallest notional."""
    if order.type is OrderType.LIMIT and order.limit_price is None:
        return Violated("limit_price_missing", "a limit order needs a price")
    if order.type is OrderType.MARKET and order.limit_price is not None:
        return Violated("limit_price_unexpected", "a market order has no price", None, plain(order.limit_price))
    broken = instrument.check(order.quantity, order.limit_price or price, price_is_limit=order.limit_price is not None)
    if not broken:
        return PASSED
    first = broken[0]
    return _violated(first.rule.value, "the venue would not take it", first.limit, first.observed)


def check_max_quantity(order: OrderTerms, limit: Decimal | None) -> Verdict:
    if limit is None or order.quantity <= limit:
        return PASSED
    return _violated("max_order_quantity", "one order may not be so large", limit, order.quantity)


def check_max_notional(notional: Decimal, limit: Decimal) -> Verdict:
    if notional <= limit:
        return PASSED
    return _violated("max_order_notional", "one order may not be worth so much", limit, notional)


def check_price_collar(order: OrderTerms, reference_price: Decimal, collar: Decimal) -> Verdict:
    """On both sides: a price far on the passive side is as likely to be a slip."""
    if order.limit_price is None:
        return PASSED
    distance = abs(order.limit_price / reference_price - 1)
    if distance <= collar:
        return PASSED
    return _violated("price_collar", "the price is too far from the market", collar, distance)


def check_duplicate(order: OrderTerms, recent: Sequence[RecentOrder], now: datetime, window: timedelta) -> Verdict:
    """The same content under another id. The same id again is a redelivery, and the caller's affair."""
    for other in recent:
        same = other.terms.order_id != order.order_id and _content(other.terms) == _content(order)
        if same and now - other.at < window:
            return Violated(
                "duplicate_order", f"the same as {other.terms.order_id}", _seconds(window), _seconds(now - other.at)
            )
    return PASSED


def check_order_rate(recent: Sequence[RecentOrder], now: datetime, window: timedelta, limit: int) -> Verdict:
    count = sum(1 for other in recent if now - other.at < window) + 1
    if count <= limit:
        return PASSED
    return Violated("order_rate", f"too many orders in {_seconds(window)} s", str(limit), str(count))


def check_open_orders(open_orders: int, limit: int) -> Verdict:
    if open_orders < limit:
        return PASSED
    return Violated("max_open_orders", "too many orders are working", str(limit), str(open_orders + 1))


def check_position(order: OrderTerms, exposure: Exposure, price: Decimal, limits: Limits) -> Verdict:
    """The position if this order and all working ones on its side were filled."""
    working = exposure.working_buys if order.side is Side.BUY else exposure.working_sells
    after = exposure.position + order.side.sign * (order.quantity + working)
    if after < 0 and order.side is Side.SELL and not limits.allow_short:
        available = exposure.position - exposure.working_sells
        return _violated("short_not_allowed", "more than is held would be sold", available, order.quantity)
    notional = abs(after) * price
    if notional <= limits.max_position_notional:
        return PASSED
    return _violated("max_position", "the position would be too large", limits.max_position_notional, notional)


def check_gross_exposure(notional: Decimal, gross: Decimal | None, limit: Decimal) -> Verdict:
    if gross is None:
        return Violated("exposure_unknown", "the account's exposure is not known", plain(limit))
    if gross + notional <= limit:
        return PASSED
    return _violated("max_gross_exposure", "the account's exposure would be too large", limit, gross + notional)


def check_buying_power(order: OrderTerms, notional: Decimal, available: Decimal | None, fee_ratio: Decimal) -> Verdict:
    """A buy must be paid for, its fee included."""
    if order.side is Side.SELL:
        return PASSED
    if available is None:
        return Violated("balance_unknown", "the available cash is not known")
    cost = notional * (1 + fee_ratio)
    if cost <= available:
        return PASSED
    return _violated("buying_power", "there is not enough cash", available, cost)


def check_daily_loss(day_pnl: Decimal | None, limit: Decimal) -> Verdict:
    if day_pnl is None:
        return Violated("day_pnl_unknown", "the day's profit and loss is not known", plain(limit))
    if -day_pnl < limit:
        return PASSED
    return _violated("max_daily_loss", "the day's loss has reached its limit", limit, -day_pnl)


def check_order(
    order: OrderTerms,
    *,
    instrument: Instrument,
    market: Market,
    exposure: Exposure,
    recent: Sequence[RecentOrder],
    limits: Limits,
    now: datetime,
) -> Verdict:
    """Every check in turn, up to the first violation. ``recent`` are the account's orders that were let through."""
    reduction = reduces(order, exposure)
    first = check_trading_state(
        exposure.trading_state, reduction=reduction, reductions_while_halted=limits.reductions_while_halted
    )
    if isinstance(first, Violated):
        return first
    if order.reduce_only and not reduction:
        return _violated("not_a_reduction", "it would not only reduce the position", exposure.position, order.quantity)
    known = check_market_data(market, limits.max_data_age)
    if isinstance(known, Violated) or market.reference_price is None:
        return known
    reference = market.reference_price
    price = valuation_price(order, reference)
    notional = order.quantity * price
    checks: list[Callable[[], Verdict]] = [
        lambda: check_instrument(order, limits.instruments),
        lambda: check_precision(order, instrument, reference),
        lambda: check_max_quantity(order, limits.max_order_quantity),
        lambda: check_max_notional(notional, limits.max_order_notional),
        lambda: check_price_collar(order, reference, limits.price_collar),
        lambda: check_duplicate(order, recent, now, limits.duplicate_window),
        lambda: check_order_rate(recent, now, limits.rate_window, limits.max_orders),
        lambda: check_open_orders(exposure.open_orders, limits.max_open_orders),
    ]
    if not reduction:
        checks += [
            lambda: check_position(order, exposure, price, limits),
            lambda: check_gross_exposure(notional, exposure.gross, limits.max_gross_exposure),
            lambda: check_buying_power(order, notional, exposure.available_cash, instrument.taker_fee),
            lambda: check_daily_loss(exposure.day_pnl, limits.max_daily_loss),
        ]
    for check in checks:
        verdict = check()
        if isinstance(verdict, Violated):
            return verdict
    return PASSED


def _content(order: OrderTerms) -> tuple[object, ...]:
    return (order.account, order.venue, order.symbol, order.side, order.type, order.quantity, order.limit_price)


def _violated(code: str, message: str, limit: Decimal, observed: Decimal) -> Violated:
    return Violated(code, message, plain(limit), plain(observed))


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g}"

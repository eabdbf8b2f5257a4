"""What an account may do, what a check is told of it, and what a check answers.

Invariant: what is not known is None here and refused by every check that needs it; nothing is guessed. The checks are
in ``checks``, their order in ``pretrade``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import MarginMode, OrderType, Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.events.risk import TradingState
from algotrendy_common.money import ZERO, plain


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


@dataclass(frozen=True, slots=True)
class PersonNeeded:
    """Nothing against it but its size: a person must decide."""

    code: str
    message: str
    limit: str
    observed: str


Verdict = Passed | Violated
PASSED = Passed()


@dataclass(frozen=True, slots=True)
class Limits:
    """Amounts are in the quote currency, ratios are fractions of one."""

    instruments: frozenset[tuple[str, str]]
    """(venue, symbol) pairs that may be traded."""
    max_data_age: timedelta
    max_order_notional: Decimal
    price_collar: Decimal
    """Largest distance of a limit price from the reference price, or from its own trigger."""
    trigger_collar: Decimal
    """Largest distance from the reference price of a trigger, of a protection's prices and of an OCO's take-profit."""
    max_drift: Decimal
    """Largest move of the reference price within the time that ``Market`` looks back on."""
    duplicate_window: timedelta
    max_orders: int
    """New orders of the account within ``rate_window``."""
    max_strategy_orders: int
    max_instrument_orders: int
    rate_window: timedelta
    max_open_orders: int
    max_position_notional: Decimal
    max_gross_exposure: Decimal
    max_net_exposure: Decimal
    max_concentration: Decimal
    """Exposure in one instrument over the account's equity."""
    max_leverage: Decimal
    market_slippage: Decimal
    """Room for the price of an order that trades at the market when its time comes."""
    exit_room: Decimal
    """Fall of the price at which what an entry buys must still be large enough to be sold."""
    max_daily_loss: Decimal
    max_drawdown: Decimal
    max_repeats: int
    """Orders of one strategy in an instrument to the same side, one after the other, within ``repeat_window``."""
    repeat_window: timedelta
    approval_notional: Decimal | None
    """A larger order needs a person; None: none does."""
    approval_daily_notional: Decimal | None
    """A strategy's orders let through without a person today, this one counted."""
    max_order_quantity: Decimal | None = None
    """In base; None leaves it to the instrument's maximum."""
    allow_short: bool = False
    reductions_while_halted: bool = False
    """Orders marked ``reduce_only`` that do reduce pass a kill switch."""


@dataclass(frozen=True, slots=True)
class Market:
    """What is known of the instrument's price; None means unknown."""

    reference_price: Decimal | None
    age: timedelta | None
    """Time since the price reached us, by our clock."""
    lowest: Decimal | None = None
    """Of the reference within the window that drift is judged over; None where nothing was heard before."""
    highest: Decimal | None = None


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
    net: Decimal | None = ZERO
    """Signed, held and working on the order's side, over all instruments, quote currency."""
    equity: Decimal | None = None
    drawdown: Decimal | None = None
    """From the highest equity, as a fraction of it."""
    approved_today: Decimal = ZERO
    """Notional of the proposer's orders that were let through today without a person."""
    resting: tuple[OrderTerms, ...] = ()
    """Our own working orders in the instrument."""
    margined: bool | None = None
    """The instrument's open position is paid for with borrowed money; None where it is flat."""


@dataclass(frozen=True, slots=True)
class RecentOrder:
    """An order that was let through lately."""

    terms: OrderTerms
    at: datetime
    strategy: str | None = None


def margined(order: OrderTerms) -> bool:
    """Paid for with a part of its value: margin, or a perpetual."""
    return order.margin_mode is not MarginMode.NONE or order.symbol.endswith("-PERP")


def leverage_of(order: OrderTerms) -> Decimal:
    """One where the order does not say: the account's own setting is the venue's, and unknown here."""
    return order.leverage if order.leverage is not None and margined(order) else Decimal(1)


def reduces(order: OrderTerms, exposure: Exposure) -> bool:
    """True where the order, with those already working on its side, can only bring the position nearer to flat."""
    if order.side is Side.SELL:
        return order.quantity + exposure.working_sells <= exposure.position
    return order.quantity + exposure.working_buys <= -exposure.position


def valuation_price(order: OrderTerms, reference_price: Decimal) -> Decimal:
    """The price an order is valued at: the dearest of the market's and those that it may wait for."""
    prices = [reference_price]
    prices += [price for price in (order.limit_price, order.trigger_price) if price is not None]
    dearest = max(prices)
    if order.type is OrderType.TRAILING_STOP and order.side is Side.BUY and order.trailing_ratio is not None:
        return dearest * (1 + order.trailing_ratio)
    return dearest


def at_market(order: OrderTerms) -> bool:
    """In the end it trades at whatever the price is then."""
    return not order.type.priced or order.type is OrderType.OCO


def cash_ratio(order: OrderTerms, limits: Limits, fee_ratio: Decimal) -> Decimal:
    """Cash that a unit of the order's value takes, with its fee and the room for its price; zero for a spot sell."""
    room = 1 + limits.market_slippage if at_market(order) else Decimal(1)
    if not margined(order):
        return ZERO if order.side is Side.SELL else room * (1 + fee_ratio)
    return ZERO if order.reduce_only else room * (1 / leverage_of(order) + fee_ratio)


def violated(code: str, message: str, limit: Decimal, observed: Decimal) -> Violated:
    return Violated(code, message, plain(limit), plain(observed))


def seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g}"

"""Pre-trade checks on an order by itself and on the market it meets: each says the limit and what it saw.

Invariant: a check that lacks what it needs says ``Violated``.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.events.risk import TradingState
from algotrendy_common.money import ZERO, plain

from algotrendy_core.instruments import Instrument, InstrumentKind, Rule
from algotrendy_core.limits import (
    PASSED,
    Limits,
    Market,
    RecentOrder,
    Verdict,
    Violated,
    at_market,
    leverage_of,
    margined,
    seconds,
    violated,
)

# Which prices an order's type takes: True needs it, False has none, None may have one.
_FIELDS: dict[OrderType, tuple[bool | None, bool | None, bool | None]] = {
    OrderType.MARKET: (False, False, False),
    OrderType.LIMIT: (True, False, False),
    OrderType.STOP: (False, True, False),
    OrderType.STOP_LIMIT: (True, True, False),
    OrderType.TAKE_PROFIT: (False, True, False),
    OrderType.TAKE_PROFIT_LIMIT: (True, True, False),
    OrderType.TRAILING_STOP: (False, None, True),
    OrderType.OCO: (True, True, False),
}
_NAMES = ("limit_price", "trigger_price", "trailing_ratio")
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


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
        return Violated("market_data_stale", "the newest price is too old", seconds(max_age), seconds(market.age))
    return PASSED


def check_instrument(order: OrderTerms, allowed: frozenset[tuple[str, str]]) -> Verdict:
    if (order.venue, order.symbol) in allowed:
        return PASSED
    return Violated("instrument_not_allowed", f"{order.symbol} on {order.venue} is not on the list", None, order.symbol)


def check_fields(order: OrderTerms, now: datetime) -> Verdict:
    """Each type has the prices and times that mean something to it, and no others."""
    for name, needed in zip(_NAMES, _FIELDS[order.type], strict=True):
        value = getattr(order, name)
        if needed and value is None:
            return Violated(f"{name}_missing", f"a {order.type.value} order needs a {name.replace('_', ' ')}")
        if needed is False and value is not None:
            return Violated(
                f"{name}_unexpected", f"a {order.type.value} order has no {name.replace('_', ' ')}", None, plain(value)
            )
    if (order.time_in_force is TimeInForce.GTD) != (order.good_until is not None):
        missing = order.good_until is None
        return Violated(
            "good_until_missing" if missing else "good_until_unexpected",
            "an end goes with the time in force GTD, and only with it",
            None,
            order.time_in_force.value,
        )
    if order.good_until is not None and order.good_until <= now:
        return Violated("good_until_past", "it would end before it began", None, order.good_until.isoformat())
    unfit = order.time_in_force is TimeInForce.POST_ONLY and order.type is not OrderType.LIMIT
    if unfit or (order.time_in_force in _AT_ONCE and order.type.triggered):
        return Violated(
            "time_in_force_unfit", f"a {order.type.value} order cannot be so", None, order.time_in_force.value
        )
    if order.leverage is not None and not margined(order):
        return Violated("leverage_unexpected", "an order paid in full has no leverage", None, plain(order.leverage))
    if order.reduce_only and order.protection is not None:
        return Violated("protection_unexpected", "a reduction opens nothing to protect")
    return PASSED


def check_precision(order: OrderTerms, instrument: Instrument, reference: Decimal) -> Verdict:
    """The venue's own rules: steps, smallest and largest quantity, smallest notional."""
    price = order.limit_price or order.trigger_price or reference
    given = [order.trigger_price]
    if order.protection is not None:
        given += [order.protection.stop_price, order.protection.take_profit_price]
    for other in given:
        if other is not None and other % instrument.price_step:
            return violated(Rule.PRICE_STEP.value, "a trigger is not on the venue's grid", instrument.price_step, other)
    broken = instrument.check(order.quantity, price, price_is_limit=order.limit_price is not None)
    if not broken:
        return PASSED
    first = broken[0]
    return violated(first.rule.value, "the venue would not take it", first.limit, first.observed)


def check_triggers(order: OrderTerms, reference: Decimal) -> Verdict:
    """A trigger that the price has passed already would fire at once, at a price nobody meant."""
    trigger = order.trigger_price
    if trigger is not None and order.type is not OrderType.TRAILING_STOP:
        favourable = order.type in (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)
        above = (order.side is Side.BUY) != favourable
        if (trigger > reference) is not above or trigger == reference:
            return violated("trigger_wrong_side", "it would trigger at once", reference, trigger)
    profit = order.limit_price if order.type is OrderType.OCO else None
    if profit is not None and (profit == reference or (profit > reference) is (order.side is Side.BUY)):
        return violated("limit_wrong_side", "its take-profit would trade at once", reference, profit)
    guard = order.protection
    if guard is None:
        return PASSED
    entry = order.limit_price or order.trigger_price or reference
    for price, loses in ((guard.stop_price, True), (guard.take_profit_price, False)):
        if price is not None and ((price < entry) is not ((order.side is Side.BUY) is loses) or price == entry):
            return violated("protection_wrong_side", "an exit lies on the wrong side of the entry", entry, price)
    return PASSED


def check_leverage(order: OrderTerms, instrument: Instrument, limit: Decimal, held_margined: bool | None) -> Verdict:
    if not margined(order):
        if held_margined:
            return Violated("margin_mixed", "the position is on margin, the order is not")
        return PASSED
    if held_margined is False:
        return Violated("margin_mixed", "the position is paid in full, the order is on margin")
    if instrument.kind is InstrumentKind.SPOT and instrument.max_leverage <= 1:
        return Violated("margin_not_offered", f"{order.symbol} cannot be traded on margin")
    most = min(limit, instrument.max_leverage)
    if leverage_of(order) <= most:
        return PASSED
    return violated("max_leverage", "the leverage is too large", most, leverage_of(order))


def check_max_quantity(order: OrderTerms, limit: Decimal | None) -> Verdict:
    if limit is None or order.quantity <= limit:
        return PASSED
    return violated("max_order_quantity", "one order may not be so large", limit, order.quantity)


def check_max_notional(notional: Decimal, limit: Decimal) -> Verdict:
    if notional <= limit:
        return PASSED
    return violated("max_order_notional", "one order may not be worth so much", limit, notional)


def check_price_collar(order: OrderTerms, reference: Decimal, limits: Limits) -> Verdict:
    """On both sides: a price far on the passive side is as likely to be a slip."""
    collared = [] if order.limit_price is None else [(order.limit_price, order.trigger_price or reference)]
    if order.type is OrderType.OCO:
        collared = []
    for price, around in collared:
        distance = abs(price / around - 1)
        if distance > limits.price_collar:
            return violated("price_collar", "the price is too far from the market", limits.price_collar, distance)
    guard = order.protection
    exits = [guard.stop_price, guard.take_profit_price] if guard else []
    for waiting in (order.trigger_price, order.limit_price if order.type is OrderType.OCO else None, *exits):
        if waiting is None:
            continue
        distance = abs(waiting / reference - 1)
        if distance > limits.trigger_collar:
            return violated(
                "trigger_collar", "a price to wait for is too far from the market", limits.trigger_collar, distance
            )
    return PASSED


def check_drift(market: Market, limit: Decimal) -> Verdict:
    """The collar over time: a reference that ran away drags every price judged by it along."""
    reference = market.reference_price
    if reference is None:
        return Violated("reference_price_unknown", "there is no price to judge the order by")
    known = [price for price in (market.lowest, market.highest) if price is not None]
    drift = max((abs(reference / price - 1) for price in known), default=ZERO)
    if drift <= limit:
        return PASSED
    return violated("price_drift", "the price itself has moved too far too fast", limit, drift)


def check_duplicate(order: OrderTerms, recent: Sequence[RecentOrder], now: datetime, window: timedelta) -> Verdict:
    """The same content under another id. The same id again is a redelivery, and the caller's affair.

    ``recent`` is oldest first, here and below."""
    content = _content(order)
    for other in reversed(recent):
        if now - other.at >= window:
            break
        if other.terms.order_id != order.order_id and _content(other.terms) == content:
            return Violated(
                "duplicate_order", f"the same as {other.terms.order_id}", seconds(window), seconds(now - other.at)
            )
    return PASSED


def check_order_rates(
    order: OrderTerms, strategy: str | None, recent: Sequence[RecentOrder], now: datetime, limits: Limits
) -> Verdict:
    """Of the account, of the proposing strategy, of the instrument."""
    total = by_strategy = by_instrument = 0
    for other in reversed(recent):
        if now - other.at >= limits.rate_window:
            break
        total += 1
        by_strategy += strategy is not None and other.strategy == strategy
        by_instrument += other.terms.symbol == order.symbol and other.terms.venue == order.venue
    for code, count, limit in (
        ("order_rate", total, limits.max_orders),
        ("strategy_rate", by_strategy, limits.max_strategy_orders),
        ("instrument_rate", by_instrument, limits.max_instrument_orders),
    ):
        if count + 1 > limit:
            return Violated(code, f"too many orders in {seconds(limits.rate_window)} s", str(limit), str(count + 1))
    return PASSED


def check_self_trade(
    order: OrderTerms, resting: Sequence[OrderTerms], reference: Decimal, slippage: Decimal
) -> Verdict:
    """It would meet our own working order, limit prices against limit prices and a market order with its room."""
    if order.type.triggered and order.type is not OrderType.OCO:
        return PASSED  # it meets the book of another moment
    buy = order.side is Side.BUY
    reach = reference * (1 + slippage if buy else 1 - slippage) if at_market(order) else order.limit_price
    if order.type is OrderType.OCO:
        reach = order.limit_price
    if reach is None:
        return Violated("limit_price_missing", "the order has no price")
    for other in resting:
        if other.side is order.side or not _rests(other) or other.limit_price is None:
            continue
        if (reach >= other.limit_price) if buy else (reach <= other.limit_price):
            return violated("self_trade", f"it would trade with our own {other.order_id}", other.limit_price, reach)
    return PASSED


def _rests(order: OrderTerms) -> bool:
    return order.type in (OrderType.LIMIT, OrderType.OCO) and order.time_in_force not in _AT_ONCE


def _content(order: OrderTerms) -> tuple[object, ...]:
    return (
        order.venue, order.symbol, order.side, order.type, order.quantity, order.limit_price, order.trigger_price,
        order.trailing_ratio, order.replaces, order.account,
    )  # fmt: skip

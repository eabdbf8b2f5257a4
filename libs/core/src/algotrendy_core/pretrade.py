"""The pre-trade checks in their order, from cheap to dear, up to the first violation.

Invariant: an order that only reduces a position passes the checks on drift, position, exposure, cash and loss, and no
person is asked: they must not trap anybody. It passes no other.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from algotrendy_common.events.order import OrderTerms

from algotrendy_core import checks, exposure_checks
from algotrendy_core.instruments import Instrument
from algotrendy_core.limits import (
    PASSED,
    Exposure,
    Limits,
    Market,
    PersonNeeded,
    RecentOrder,
    Verdict,
    Violated,
    cash_ratio,
    reduces,
    valuation_price,
    violated,
)


def check_order(
    order: OrderTerms,
    *,
    strategy: str | None = None,
    instrument: Instrument,
    market: Market,
    exposure: Exposure,
    recent: Sequence[RecentOrder],
    limits: Limits,
    now: datetime,
    person_agreed: bool = False,
    enabled_at: datetime | None = None,
) -> Verdict | PersonNeeded:
    """``recent`` oldest first; ``now`` by our clock; ``enabled_at`` as ``check_repeats`` has it."""
    reduction = reduces(order, exposure)
    first = checks.check_trading_state(
        exposure.trading_state,
        reduction=reduction and order.reduce_only,
        reductions_while_halted=limits.reductions_while_halted,
    )
    if isinstance(first, Violated):
        return first
    if order.reduce_only and not reduction:
        return violated("not_a_reduction", "it would not only reduce the position", exposure.position, order.quantity)
    known = checks.check_market_data(market, limits.max_data_age)
    if isinstance(known, Violated) or market.reference_price is None:
        return known
    reference = market.reference_price
    price = valuation_price(order, reference)
    notional = order.quantity * price
    alone: list[Callable[[], Verdict]] = [
        lambda: checks.check_instrument(order, limits.instruments),
        lambda: checks.check_fields(order, now),
        lambda: checks.check_precision(order, instrument, reference),
        lambda: checks.check_triggers(order, reference),
        lambda: checks.check_leverage(order, instrument, limits.max_leverage, exposure.margined),
        lambda: checks.check_max_quantity(order, limits.max_order_quantity),
        lambda: checks.check_max_notional(notional, limits.max_order_notional),
        lambda: checks.check_price_collar(order, reference, limits),
        lambda: PASSED if reduction else checks.check_drift(market, limits.max_drift),
        lambda: checks.check_duplicate(order, recent, now, limits.duplicate_window),
        lambda: checks.check_order_rates(order, strategy, recent, now, limits),
        lambda: checks.check_self_trade(order, exposure.resting, reference, limits.market_slippage),
    ]
    ratio = cash_ratio(order, limits, instrument.taker_fee)
    held: list[Callable[[], Verdict]] = [
        lambda: exposure_checks.check_position(order, exposure, price, limits),
        lambda: exposure_checks.check_gross_exposure(notional, exposure.gross, limits.max_gross_exposure),
        lambda: exposure_checks.check_net_exposure(order.side, notional, exposure.net, limits.max_net_exposure),
        lambda: exposure_checks.check_concentration(order, exposure, price, limits.max_concentration),
        lambda: exposure_checks.check_account_leverage(order, notional, exposure, limits.max_leverage),
    ]
    paid: list[Callable[[], Verdict]] = [
        lambda: exposure_checks.check_buying_power(notional, ratio, exposure.available_cash),
        lambda: exposure_checks.check_daily_loss(exposure.day_pnl, limits.max_daily_loss),
        lambda: exposure_checks.check_drawdown(exposure.drawdown, limits.max_drawdown),
    ]
    for check in (
        *alone,
        *(() if reduction else held),
        lambda: exposure_checks.check_open_orders(exposure.open_orders, limits.max_open_orders),
        *(() if reduction else paid),
        lambda: exposure_checks.check_repeats(order, strategy, recent, now, limits, enabled_at),
        lambda: (
            PASSED
            if reduction
            else exposure_checks.check_exit(order, exposure, instrument, reference, limits.exit_room)
        ),
    ):
        verdict = check()
        if isinstance(verdict, Violated):
            return verdict
    if not reduction and not person_agreed:
        asked = exposure_checks.person_needed(notional, exposure, limits)
        if asked is not None:
            return asked
    return PASSED

"""Pre-trade checks on what the account holds and owes with an order added.

Invariant: each takes the account with everything reserved counted, and refuses where a figure is not known.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain

from algotrendy_core.exit_feasibility import exit_violations
from algotrendy_core.fees import ChargedIn
from algotrendy_core.instruments import Instrument
from algotrendy_core.limits import (
    PASSED,
    Exposure,
    Limits,
    PersonNeeded,
    RecentOrder,
    Verdict,
    Violated,
    margined,
    violated,
)


def check_position(order: OrderTerms, exposure: Exposure, price: Decimal, limits: Limits) -> Verdict:
    """The position if this order and all working ones on its side were filled."""
    after = position_after(order, exposure)
    if after < 0 and order.side is Side.SELL and not (limits.allow_short and margined(order)):
        available = exposure.position - exposure.working_sells
        return violated("short_not_allowed", "more than is held would be sold", available, order.quantity)
    notional = abs(after) * price
    if notional <= limits.max_position_notional:
        return PASSED
    return violated("max_position", "the position would be too large", limits.max_position_notional, notional)


def position_after(order: OrderTerms, exposure: Exposure) -> Decimal:
    working = exposure.working_buys if order.side is Side.BUY else exposure.working_sells
    return exposure.position + order.side.sign * (order.quantity + working)


def check_gross_exposure(notional: Decimal, gross: Decimal | None, limit: Decimal) -> Verdict:
    if gross is None:
        return Violated("exposure_unknown", "the account's exposure is not known", plain(limit))
    if gross + notional <= limit:
        return PASSED
    return violated("max_gross_exposure", "the account's exposure would be too large", limit, gross + notional)


def check_net_exposure(side: Side, notional: Decimal, net: Decimal | None, limit: Decimal) -> Verdict:
    if net is None:
        return Violated("exposure_unknown", "the account's exposure is not known", plain(limit))
    after = abs(net + side.sign * notional)
    # Bringing the whole nearer to balance is no harm, even where it is beyond the limit already.
    if after <= limit or after <= abs(net):
        return PASSED
    return violated("max_net_exposure", "the account would lean too far to one side", limit, after)


def check_concentration(order: OrderTerms, exposure: Exposure, price: Decimal, limit: Decimal) -> Verdict:
    if exposure.equity is None:
        return Violated("equity_unknown", "the account's equity is not known", plain(limit))
    if exposure.equity <= 0:
        return violated("max_concentration", "there is no equity", limit, exposure.equity)
    share = abs(position_after(order, exposure)) * price / exposure.equity
    if share <= limit:
        return PASSED
    return violated("max_concentration", "too much of the account would be in one instrument", limit, share)


def check_account_leverage(order: OrderTerms, notional: Decimal, exposure: Exposure, limit: Decimal) -> Verdict:
    """The whole account's exposure over its equity; what is paid in full cannot exceed it."""
    if not margined(order):
        return PASSED
    if exposure.gross is None or exposure.equity is None or exposure.equity <= 0:
        return Violated("equity_unknown", "the account's exposure or equity is not known", plain(limit))
    leverage = (exposure.gross + notional) / exposure.equity
    if leverage <= limit:
        return PASSED
    return violated("max_account_leverage", "the account would borrow too much", limit, leverage)


def check_open_orders(open_orders: int, limit: int) -> Verdict:
    if open_orders < limit:
        return PASSED
    return Violated("max_open_orders", "too many orders are working", str(limit), str(open_orders + 1))


def check_buying_power(notional: Decimal, ratio: Decimal, available: Decimal | None) -> Verdict:
    """``ratio`` is the cash that a unit of notional takes: price room, fee and leverage in it (``cash_ratio``)."""
    if not ratio:
        return PASSED
    if available is None:
        return Violated("balance_unknown", "the available cash is not known")
    cost = notional * ratio
    if cost <= available:
        return PASSED
    return violated("buying_power", "there is not enough cash", available, cost)


def check_daily_loss(day_pnl: Decimal | None, limit: Decimal) -> Verdict:
    """Realised and open together, over the whole account."""
    if day_pnl is None:
        return Violated("day_pnl_unknown", "the day's profit and loss is not known", plain(limit))
    if -day_pnl < limit:
        return PASSED
    return violated("max_daily_loss", "the day's loss has reached its limit", limit, -day_pnl)


def check_drawdown(drawdown: Decimal | None, limit: Decimal) -> Verdict:
    if drawdown is None:
        return Violated("drawdown_unknown", "the distance from the highest equity is not known", plain(limit))
    if drawdown < limit:
        return PASSED
    return violated("max_drawdown", "the drawdown has reached its limit", limit, drawdown)


def check_repeats(
    order: OrderTerms,
    strategy: str | None,
    recent: Sequence[RecentOrder],
    now: datetime,
    limits: Limits,
    enabled_at: datetime | None = None,
) -> Verdict:
    """The strategy has fired into one direction again and again: something is wrong with it, whatever it thinks.

    ``enabled_at`` is when a person last let it go on: what it did before was looked at.
    """
    if strategy is None:
        return PASSED
    repeats = 0
    for other in reversed(recent):
        if now - other.at >= limits.repeat_window or (enabled_at is not None and other.at <= enabled_at):
            break
        if other.strategy != strategy or (other.terms.venue, other.terms.symbol) != (order.venue, order.symbol):
            continue
        if other.terms.side is not order.side:
            break
        repeats += 1
    if repeats < limits.max_repeats:
        return PASSED
    return Violated(
        "execution_throttle",
        f"strategy {strategy} repeated the same order too often and is switched off",
        str(limits.max_repeats),
        str(repeats + 1),
    )


def check_exit(order: OrderTerms, exposure: Exposure, instrument: Instrument, price: Decimal, room: Decimal) -> Verdict:
    """What would be held must be large enough to be sold again, after fees in base and after a fall of the price."""
    worst = min(price, order.limit_price or price) * (1 - room)
    if order.protection is not None and order.protection.stop_price is not None:
        worst = min(worst, order.protection.stop_price)
    charged_in = ChargedIn.QUOTE if margined(order) else ChargedIn.RECEIVED
    broken = exit_violations(instrument, order.side, order.quantity, worst, exposure.position, charged_in)
    if not broken:
        return PASSED
    first = broken[0]
    return violated("exit_impossible", "what it buys could not be sold again", first.limit, first.observed)


def person_needed(notional: Decimal, exposure: Exposure, limits: Limits) -> PersonNeeded | None:
    """None where the order may pass without anybody."""
    if limits.approval_notional is not None and notional > limits.approval_notional:
        return PersonNeeded(
            "approval_notional",
            "an order of this size needs a person",
            plain(limits.approval_notional),
            plain(notional),
        )
    today = exposure.approved_today + notional
    if limits.approval_daily_notional is not None and today > limits.approval_daily_notional:
        return PersonNeeded(
            "approval_daily_notional",
            "the day's orders together need a person",
            plain(limits.approval_daily_notional),
            plain(today),
        )
    return None

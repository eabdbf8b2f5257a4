"""From decided targets to fills, cash, position, trades and equity: the compiled half of the live side's rules.

An order is sized at the close of the bar that decided it (as ``sizing.size_order`` does) and filled at the open of the
next bar with slippage, as a taker. Nothing else of the next bar is looked at, and never the close of the same bar.

Invariant: quantities and prices lie on the instrument's grid, cash never goes below zero without shorting, and every
amount is what ``positions`` would book for the same fills. Plain functions: compiled and uncompiled give the same bits.
"""

from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any, NamedTuple

import numpy as np

from algotrendy_core.backtest.tiers import Tiers

FILL = np.dtype(
    [
        ("bar", np.int64),
        ("time", np.int64),
        ("side", np.int64),
        ("price", np.float64),
        ("quantity", np.float64),
        ("fee", np.float64),
        ("realised", np.float64),
        ("position", np.float64),
        ("target", np.float64),
        ("reason", np.int64),
        ("order", np.int64),
        ("maker", np.int64),
    ]
)
"""Bar index, time of the event (ms), side +1 or -1, fee and realised P&L (before fees) in quote, position afterwards.

``order`` is the rung's place in the ladder, or TARGET_ORDER or LIQUIDATION; ``maker`` is 1 where it rested.
"""

TARGET_ORDER = -1
LIQUIDATION = -2

TRADE = np.dtype(
    [
        ("entry_bar", np.int64),
        ("exit_bar", np.int64),
        ("entry_time", np.int64),
        ("exit_time", np.int64),
        ("side", np.int64),
        ("quantity", np.float64),
        ("entry_price", np.float64),
        ("exit_price", np.float64),
        ("fees", np.float64),
        ("profit", np.float64),
    ]
)
"""From flat to flat: prices are averages over the fills, ``quantity`` what was entered, ``profit`` net of fees."""

FEE_UNITS = 1e8
"""Fees are booked in units of the eighth decimal, as ``fees.FEE_STEP`` says."""


class Rules(NamedTuple):
    """What does not change during a run. ``per`` fields are the whole number of steps in a unit, or 0."""

    fee_ratio: float
    fee_in_base: bool
    slippage: float
    price_step: float
    prices_per_unit: float
    quantity_step: float
    quantities_per_unit: float
    min_quantity: float
    max_quantity: float
    min_notional: float
    reserve: float
    allow_short: bool
    maker_ratio: float = 0.0
    latency: int = 0
    """Milliseconds from the close that an order was decided at to the venue."""
    volume_share: float = 0.0
    """Of a bar's volume that this account's fills may be; 0 is no limit."""
    impact: float = 0.0
    """Slippage added by trading a whole bar's volume; it grows with the square of the share."""
    through: float = 0.0
    """How far (in price) the market must go through a resting limit to fill it."""
    leverage: float = 0.0
    """Exposure allowed over equity; 0 is an account without margin."""
    maintenance: float = 0.0
    """Equity below this share of the exposure is liquidated."""
    liquidation_fee: float = 0.0
    borrow_per_ms: float = 0.0
    """Of a short position's value."""
    capital_share: float = 1.0
    """What a target of 1 stands for, of the account's equity."""


@dataclass(slots=True)
class Book:
    """The account as it goes; part of a run's state, so a run can be cut anywhere and go on."""

    cash: float
    position: float = 0.0
    cost: float = 0.0
    held_target: float = 0.0
    """The last target that was reached."""
    pending: float = 0.0
    """Signed quantity of the order that waits for the next open; 0 where there is none."""
    pending_target: float = 0.0
    pending_reason: int = 0
    pending_clipped: bool = False
    entry_bar: int = -1
    """-1 while flat."""
    entry_time: int = 0
    entry_quantity: float = 0.0
    entry_value: float = 0.0
    exit_quantity: float = 0.0
    exit_value: float = 0.0
    trade_fees: float = 0.0
    trade_realised: float = 0.0
    fees: float = 0.0
    traded_value: float = 0.0
    bars_with_position: int = 0
    short_of_cash: int = 0
    """Orders that the cash did not pay for; they are tried again at the next bar."""
    below_minimum: int = 0
    """Bars on which the wanted change was too small for the venue."""
    fills: int = 0
    """Written in the present call, as is ``trades``."""
    trades: int = 0
    # What only the general gear moves.
    other_value: float = 0.0
    """Of other instruments that the account holds, at their marks; ``other_exposure`` is their sum without signs."""
    other_exposure: float = 0.0
    other_position: float = 0.0
    """What the account's other strategies hold of this instrument: margin is asked for the sum."""
    sequence: int = 0
    """Events taken."""
    last_time: int = 0
    volume: float = 0.0
    """Of the present event; ``room`` is what of it may still be filled."""
    room: float = 0.0
    asked: int = 0
    """Requests made, and how many of them the venue has ``heard``."""
    heard: int = 0
    funded: int = 0
    """Funding rates passed."""
    funding: float = 0.0
    """Paid, in quote, as is ``borrowing``."""
    borrowing: float = 0.0
    refused: int = 0
    """Orders that ended because there was nothing to sell."""
    liquidations: int = 0
    tiers: Tiers = field(default_factory=Tiers)


def execute(
    book: Any, rules: Rules, first_bar: int, time: Any, open_: Any, close: Any, target: Any, reason: Any,
    equity: Any, fills: Any, trades: Any,
) -> tuple[int, int]:  # fmt: skip
    """Run over the bars given; the number of fills and of trades written.

    ``equity`` gets one value a bar, ``fills`` and ``trades`` need room for one a bar more.

    ``first_bar`` is the index of the first bar given within the whole run.
    """
    book.fills = 0
    book.trades = 0
    for i in range(len(close)):
        if book.pending != 0.0:
            fill_pending(book, rules, first_bar + i, time[i], open_[i], fills, trades)
        worth = book.cash + book.position * close[i]
        equity[i] = worth
        if abs(book.position) >= rules.quantity_step:
            book.bars_with_position += 1
        wanted = target[i]
        if wanted < 0.0 and not rules.allow_short:
            wanted = 0.0
        # NaN, no opinion, differs from itself.
        if wanted == wanted and wanted != book.held_target:
            size(book, rules, wanted, reason[i], worth, close[i])
    return book.fills, book.trades


def size(book: Any, rules: Rules, wanted: float, reason: int, capital: float, price: float) -> None:
    """Place the order that takes the position to ``wanted`` of ``capital``, or note why there is none."""
    change = wanted * max(capital, 0.0) * (1.0 - rules.reserve) / price - book.position
    steps = whole(abs(change) / rules.quantity_step)
    if steps == 0.0:
        book.held_target = wanted
        return
    most = whole(rules.max_quantity / rules.quantity_step)
    clipped = steps > most
    if clipped:
        steps = most
    quantity = on_grid(steps, rules.quantity_step, rules.quantities_per_unit)
    if quantity < rules.min_quantity or quantity * price < rules.min_notional:
        book.below_minimum += 1
        return
    book.pending = quantity if change > 0.0 else -quantity
    book.pending_target = wanted
    book.pending_reason = reason
    book.pending_clipped = clipped


def fill_pending(book: Any, rules: Rules, bar: int, time: int, open_: float, fills: Any, trades: Any) -> None:
    """Fill the waiting order at this bar's open, if the cash pays for it."""
    change = book.pending
    book.pending = 0.0
    price = slipped(open_, 1 if change > 0.0 else -1, rules, 0.0)
    if settle(
        book, rules, bar, time, change, price, rules.fee_ratio, TARGET_ORDER, 0, book.pending_target,
        book.pending_reason, fills, trades,
    ) and not book.pending_clipped:  # fmt: skip
        book.held_target = book.pending_target


def settle(
    book: Any, rules: Rules, bar: int, time: int, change: float, price: float, fee_ratio: float, order: int,
    maker: int, target: float, reason: int, fills: Any, trades: Any,
) -> bool:  # fmt: skip
    """Book a fill of ``change`` (signed, base) at ``price``; false, with nothing changed, where the account cannot."""
    side = 1 if change > 0.0 else -1
    quantity = abs(change)
    value = quantity * price
    fee_base = 0.0
    fee = 0.0
    if rules.fee_in_base and side == 1:
        fee_base = to_fee_unit(quantity * fee_ratio)
        fee = fee_base * price
    else:
        fee = to_fee_unit(value * fee_ratio)
    paid = value * side + (0.0 if fee_base > 0.0 else fee)
    if order != LIQUIDATION and not affordable(book, rules, side, change - fee_base, price, paid):
        book.short_of_cash += 1
        return False
    book.cash -= paid
    book.fees += fee
    book.traded_value += value
    moved = change - fee_base
    realised = 0.0
    before = book.position
    if is_nothing(before + moved, before):
        moved = -before
    if before * moved < 0.0 and abs(moved) > abs(before):
        share = abs(before / moved)
        realised = book_part(book, rules, bar, time, -before, price, fee * share, trades)
        book_part(book, rules, bar, time, moved + before, price, fee * (1.0 - share), trades)
    else:
        realised = book_part(book, rules, bar, time, moved, price, fee, trades)
    row = fills[book.fills]
    row["bar"] = bar
    row["time"] = time
    row["side"] = side
    row["price"] = price
    row["quantity"] = quantity
    row["fee"] = fee
    row["realised"] = realised
    row["position"] = book.position
    row["target"] = target
    row["reason"] = reason
    row["order"] = order
    row["maker"] = maker
    book.fills += 1
    return True


def affordable(book: Any, rules: Rules, side: int, moved: float, price: float, paid: float) -> bool:
    """Without margin cash pays for what is bought; with it, equity times leverage bounds what an order adds to."""
    if rules.leverage > 0.0:
        before = book.position + book.other_position
        after = before + moved
        if abs(after) <= abs(before):
            return True
        worth = book.cash - paid + after * price + book.other_value
        within: bool = abs(after) * price + book.other_exposure <= worth * rules.leverage
        return within
    paid_for: bool = paid <= book.cash
    return paid_for or side == -1 or rules.allow_short


def book_part(
    book: Any, rules: Rules, bar: int, time: int, moved: float, price: float, fee: float, trades: Any
) -> float:
    """Book a change of position that does not cross zero; opens and closes trades; the realised P&L before fees."""
    realised = 0.0
    of_no_trade = book.entry_bar < 0 and book.position * moved < 0.0  # dust that an earlier trade left is cleared
    if book.entry_bar < 0 and not of_no_trade:
        book.entry_bar = bar
        book.entry_time = time
        book.entry_quantity = 0.0
        book.entry_value = 0.0
        book.exit_quantity = 0.0
        book.exit_value = 0.0
        book.trade_fees = 0.0
        book.trade_realised = 0.0
    if book.position * moved >= 0.0:
        book.position += moved
        book.cost += moved * price
        book.entry_quantity += abs(moved)
        book.entry_value += abs(moved) * price
    else:
        released = book.cost * (-moved / book.position)
        realised = -moved * price - released
        book.position += moved
        book.cost -= released
        if is_nothing(book.position, moved):
            book.position = 0.0
            book.cost = 0.0
        if of_no_trade:
            nothing: float = realised
            return nothing
        book.exit_quantity += abs(moved)
        book.exit_value += abs(moved) * price
    book.trade_fees += fee
    book.trade_realised += realised
    if abs(book.position) < rules.quantity_step and book.exit_quantity > 0.0:
        row = trades[book.trades]
        row["entry_bar"] = book.entry_bar
        row["exit_bar"] = bar
        row["entry_time"] = book.entry_time
        row["exit_time"] = time
        row["side"] = 1 if moved < 0.0 else -1
        row["quantity"] = book.entry_quantity
        row["entry_price"] = book.entry_value / book.entry_quantity
        row["exit_price"] = book.exit_value / book.exit_quantity
        row["fees"] = book.trade_fees
        row["profit"] = book.trade_realised - book.trade_fees
        book.trades += 1
        book.entry_bar = -1
    return realised


def slipped(price: float, side: int, rules: Rules, more: float) -> float:
    """The price made worse by the slippage and ``more`` of it, on the grid, rounded to the worse side."""
    steps = price * (1.0 + side * (rules.slippage + more)) / rules.price_step
    near = 1e-9 + steps * 1e-14
    count = float(ceil(steps - near)) if side == 1 else max(float(floor(steps + near)), 1.0)
    return on_grid(count, rules.price_step, rules.prices_per_unit)


def whole(steps: float) -> float:
    """Whole steps, rounded down; what is within floating point's error of the next one counts as it."""
    return float(floor(steps + 1e-9 + steps * 1e-14))


def on_grid(count: float, step: float, per_unit: float) -> float:
    """The float64 nearest to ``count`` steps: 3 / 10 is, 3 × 0.1 is not."""
    if per_unit > 0.0:
        return count / per_unit
    return count * step


def is_nothing(left: float, of: float) -> bool:
    """What floating point leaves of a position that was closed exactly."""
    return abs(left) < abs(of) * 1e-12


def to_fee_unit(fee: float) -> float:
    return float(round(fee * FEE_UNITS)) / FEE_UNITS

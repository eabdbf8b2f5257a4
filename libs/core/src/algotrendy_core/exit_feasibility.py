"""Whether what an order buys could be sold again: a position that the venue would take no order for cannot be guarded.

Invariant: an entry that passes leaves, after its fee was taken out of what it bought, a quantity on the venue's grid
that is within its limits at the price at which it would have to be sold.
"""

from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO

from algotrendy_core.fees import ChargedIn
from algotrendy_core.instruments import Instrument, InstrumentKind, Rule, Violation


def received(instrument: Instrument, side: Side, quantity: Decimal, charged_in: ChargedIn) -> Decimal:
    """What a fill of ``quantity`` as a taker changes the holding by, without its sign."""
    if side is Side.BUY and instrument.kind is InstrumentKind.SPOT and charged_in is ChargedIn.RECEIVED:
        return quantity * (1 - instrument.taker_fee)
    return quantity


def sellable(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """The most of ``quantity`` that one order at ``price`` may carry; zero where that is less than the venue takes."""
    rounded = min(instrument.round_quantity(quantity), instrument.max_quantity)
    if rounded < instrument.min_quantity or rounded * price < instrument.min_notional:
        return ZERO
    return rounded


def exit_violations(
    instrument: Instrument,
    side: Side,
    quantity: Decimal,
    exit_price: Decimal,
    held: Decimal = ZERO,
    charged_in: ChargedIn = ChargedIn.RECEIVED,
) -> tuple[Violation, ...]:
    """Every rule that the exit of an entry would break; empty where it can be closed again.

    ``held`` is the signed position before the entry: what is added to a position leaves with it. An order that only
    takes from a position opens nothing and breaks nothing. ``exit_price`` is the worst at which the exit must still
    be possible: the stop's, or the entry's less the account's stop distance.
    """
    after = held + side.sign * received(instrument, side, quantity, charged_in)
    if abs(after) < abs(held) or after * side.sign <= ZERO:
        return ()
    rounded = instrument.round_quantity(abs(after))
    found: list[Violation] = []
    if rounded < instrument.min_quantity:
        found.append(Violation(Rule.MIN_QUANTITY, instrument.min_quantity, rounded))
    if rounded * exit_price < instrument.min_notional:
        found.append(Violation(Rule.MIN_NOTIONAL, instrument.min_notional, rounded * exit_price))
    return tuple(found)

"""Whether an order ticket can be sent on: what the instrument itself forbids, said field by field.

Risk decides about limits and halts; this only keeps a slip of the pen from going on a journey.
"""

from collections.abc import Iterator
from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain

from algotrendy_gateway.domain.market import Instrument

Fault = tuple[str, str]
"""A field and what is wrong with it."""


def faults(terms: OrderTerms, instrument: Instrument, reference: Decimal | None) -> dict[str, str]:
    """Field → what is wrong with it; empty where nothing is. The first fault of a field is the one that is said."""
    found: dict[str, str] = {}
    for field, fault in (
        *_quantity(terms, instrument, reference),
        *_prices(terms, instrument),
        *_duration(terms),
        *_protection(terms, instrument, reference),
    ):
        found.setdefault(field, fault)
    return found


def _quantity(terms: OrderTerms, instrument: Instrument, reference: Decimal | None) -> Iterator[Fault]:
    if terms.quantity % instrument.quantity_step:
        yield "quantity", f"Must be a multiple of {plain(instrument.quantity_step)}."
    elif terms.quantity < instrument.min_quantity:
        yield "quantity", f"Must be at least {plain(instrument.min_quantity)}."
    price = terms.limit_price or terms.trigger_price or reference
    if price is not None and terms.quantity * price < instrument.min_notional:
        yield "quantity", f"Worth less than the venue's minimum of {plain(instrument.min_notional)}."


def _prices(terms: OrderTerms, instrument: Instrument) -> Iterator[Fault]:
    needs_trigger = terms.type.triggered and terms.type is not OrderType.TRAILING_STOP
    yield from _price("limit_price", terms.limit_price, terms.type.priced, terms.type.priced, instrument)
    yield from _price("trigger_price", terms.trigger_price, needs_trigger, terms.type.triggered, instrument)
    trails = terms.type is OrderType.TRAILING_STOP
    if trails and terms.trailing_ratio is None:
        yield "trailing_ratio", "A trailing stop needs a distance."
    if not trails and terms.trailing_ratio is not None:
        yield "trailing_ratio", "Only a trailing stop has a distance."


def _price(field: str, price: Decimal | None, needed: bool, allowed: bool, instrument: Instrument) -> Iterator[Fault]:
    if price is None:
        if needed:
            yield field, "This type of order needs it."
    elif not allowed:
        yield field, "This type of order has none."
    elif price % instrument.price_step:
        yield field, f"Must be a multiple of {plain(instrument.price_step)}."


def _duration(terms: OrderTerms) -> Iterator[Fault]:
    if terms.time_in_force is TimeInForce.POST_ONLY and terms.type is not OrderType.LIMIT:
        yield "time_in_force", "Only a limit order can be post-only."
    if (terms.time_in_force is TimeInForce.GTD) != (terms.good_until is not None):
        yield "good_until", "Goes with the time in force GTD, and only with it."


def _protection(terms: OrderTerms, instrument: Instrument, reference: Decimal | None) -> Iterator[Fault]:
    guard = terms.protection
    if guard is None:
        return
    if terms.reduce_only:
        yield "protection", "An order that only reduces a position needs no exits of its own."
    entry = terms.limit_price or reference
    for field, price, gains in (
        ("stop_price", guard.stop_price, False),
        ("take_profit_price", guard.take_profit_price, True),
    ):
        if price is None:
            continue
        if price % instrument.price_step:
            yield field, f"Must be a multiple of {plain(instrument.price_step)}."
        elif entry is not None and (price > entry) != (gains == (terms.side is Side.BUY)):
            yield field, "On the wrong side of the entry."

"""What is done with an order that a venue can or cannot take: sent, waited for here, sent in legs, or refused.

Invariant: what goes on the wire asks for nothing outside the venue's capabilities, and never for more than the order.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import MarginMode, OrderType, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_core.instruments import Instrument, InstrumentKind

from algotrendy_broker_gateway.domain.capabilities import Capabilities
from algotrendy_broker_gateway.domain.triggers import Fired


class Handling(StrEnum):
    DIRECT = "direct"
    """One order at the venue, from the start."""
    HELD = "held"
    """Nothing at the venue before its price has come."""
    LEGS = "legs"
    """An OCO of which the stop rests at the venue, and the take-profit is waited for here."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


_LIVED = frozenset({TimeInForce.GTC, TimeInForce.GTD})


def handling(terms: OrderTerms, can: Capabilities) -> Handling:
    """For terms that ``objection`` has nothing against."""
    if terms.type in can.resting or not terms.type.triggered:
        return Handling.DIRECT
    if terms.type is OrderType.OCO and OrderType.STOP in can.resting:
        return Handling.LEGS
    return Handling.HELD


def objection(terms: OrderTerms, can: Capabilities, now: datetime) -> Unsupported | None:
    """Why an order cannot be handled at this venue; None where it can."""
    return _wrong_shape(terms, now) or _beyond(terms, can)


def _wrong_shape(terms: OrderTerms, now: datetime) -> Unsupported | None:
    type_ = terms.type
    if type_.priced and terms.limit_price is None:
        return Unsupported("limit_price_missing", f"a {type_} order needs a limit price")
    if not type_.priced and terms.limit_price is not None:
        return Unsupported("limit_price_meaningless", f"a {type_} order has no limit price")
    if type_ is OrderType.TRAILING_STOP:
        if terms.trailing_ratio is None or not ZERO < terms.trailing_ratio < 1:
            return Unsupported("trailing_ratio_missing", "a trailing stop needs a ratio between 0 and 1")
    elif type_.triggered and terms.trigger_price is None:
        return Unsupported("trigger_price_missing", f"a {type_} order needs a trigger price")
    if type_ is OrderType.OCO:
        assert terms.limit_price is not None
        assert terms.trigger_price is not None
        if (terms.limit_price - terms.trigger_price) * terms.side.sign >= 0:
            return Unsupported("oco_prices_crossed", "the stop of an OCO lies on the other side of its take-profit")
    if terms.time_in_force is TimeInForce.GTD and terms.good_until is None:
        return Unsupported("good_until_missing", "a GTD order needs its end")
    if terms.good_until is not None and terms.good_until <= now:
        return Unsupported("expired", f"it was good until {terms.good_until.isoformat()}")
    if type_.triggered and terms.time_in_force not in _LIVED and not type_.priced:
        return Unsupported("time_in_force_meaningless", f"a {type_} order waits: it cannot be {terms.time_in_force}")
    if terms.protection is not None and terms.reduce_only:
        return Unsupported("protection_meaningless", "a reduction opens nothing that could be protected")
    return None


def _beyond(terms: OrderTerms, can: Capabilities) -> Unsupported | None:
    if not terms.type.triggered and terms.type not in can.resting:
        return Unsupported("order_type_unsupported", f"the venue takes no {terms.type} orders")
    if terms.time_in_force not in _LIVED and terms.time_in_force not in can.times_in_force:
        return Unsupported("time_in_force_unsupported", f"the venue has no {terms.time_in_force}")
    if terms.margin_mode is not MarginMode.NONE and terms.margin_mode not in can.margin_modes:
        return Unsupported("margin_mode_unsupported", f"the account has no {terms.margin_mode} margin")
    if terms.leverage is not None and terms.leverage > can.max_leverage:
        return Unsupported("leverage_unsupported", f"no more than {can.max_leverage} times, not {terms.leverage}")
    return None


def unfit(terms: OrderTerms, instrument: Instrument) -> Unsupported | None:
    """Why this very instrument cannot be traded so, whatever the venue has for others."""
    spot = instrument.kind is InstrumentKind.SPOT
    borrowed = terms.margin_mode is not MarginMode.NONE
    if spot and terms.leverage is not None and not borrowed:
        return Unsupported("leverage_meaningless", f"{terms.symbol} is paid in full unless the order is on margin")
    if spot and borrowed and instrument.max_leverage <= 1:
        return Unsupported("margin_not_offered", f"{instrument.venue} trades {terms.symbol} without margin only")
    if terms.leverage is not None and terms.leverage > instrument.max_leverage:
        most = instrument.max_leverage
        return Unsupported("leverage_unsupported", f"no more than {most} times on {terms.symbol}, not {terms.leverage}")
    return None


def on_the_wire(terms: OrderTerms, can: Capabilities, rest: Decimal, fired: Fired | None) -> OrderTerms:
    """What the venue is asked for: ``rest`` of the order, lowered to what the venue can hold.

    ``fired`` is the price that has come, where we waited for it.
    """
    if fired is None and rest == terms.quantity and _plain(terms):
        return terms
    type_, limit, trigger = terms.type, terms.limit_price, terms.trigger_price
    ratio = terms.trailing_ratio
    if fired is not None:
        takes_limit = type_ is OrderType.OCO and fired is Fired.TAKE
        type_ = (
            OrderType.LIMIT
            if takes_limit or type_ in (OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
            else OrderType.MARKET
        )
        trigger = ratio = None
    elif handling(terms, can) is Handling.LEGS:
        type_ = OrderType.STOP
    if not type_.priced:
        limit = None
    until = terms.good_until if TimeInForce.GTD in can.times_in_force and not _at_once(type_) else None
    in_force = terms.time_in_force
    if _at_once(type_) or (in_force is TimeInForce.GTD and until is None):
        in_force = TimeInForce.GTC if in_force in _LIVED else in_force
    return terms.model_copy(
        update={
            "type": type_,
            "quantity": rest,
            "limit_price": limit,
            "trigger_price": trigger,
            "trailing_ratio": ratio,
            "time_in_force": in_force,
            "good_until": until,
            "reduce_only": terms.reduce_only and can.reduce_only,
            "protection": None,
            "replaces": None,
        }
    )


def _plain(terms: OrderTerms) -> bool:
    """Nothing of it is for the gateway alone: most orders, on the shortest way."""
    return (
        not terms.type.triggered
        and not terms.reduce_only
        and terms.protection is None
        and terms.replaces is None
        and terms.time_in_force is not TimeInForce.GTD
    )


def _at_once(type_: OrderType) -> bool:
    return type_ is OrderType.MARKET

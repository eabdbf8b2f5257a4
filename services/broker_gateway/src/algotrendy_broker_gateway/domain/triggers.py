"""Prices that the gateway waits for where the venue cannot.

Invariant: a watch fires at most once for each of its sides, and a trailing stop's trigger never moves away from the
price it follows; what has been seen is inside the watch, so that a restart goes on with it.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from algotrendy_common.enums import OrderType, Side
from algotrendy_common.events.order import OrderTerms
from pydantic import TypeAdapter


class Fired(StrEnum):
    """Which price was reached."""

    STOP = "stop"
    """The price moved against the position that the order guards (or past a breakout's level)."""
    TAKE = "take"
    """The price moved in favour."""


@dataclass(frozen=True, slots=True)
class Watch:
    """``side`` is the order's own: a sell's stop lies below the market, a buy's above it."""

    order_id: str
    symbol: str
    side: Side
    stop: Decimal | None = None
    take: Decimal | None = None
    ratio: Decimal | None = None
    """Of a trailing stop."""
    starts_at: Decimal | None = None
    """The price from which it trails; None once it does."""
    best: Decimal | None = None
    fired: Fired | None = None
    """What was reached, while the order has not been sent for it yet."""
    leg: Fired | None = None
    """What the leg was sent for that is at the venue now; None for none, or for a stop that rests there."""

    @property
    def trigger(self) -> Decimal | None:
        """The stop as it stands now; None before a trailing one has begun."""
        if self.ratio is None:
            return self.stop
        if self.best is None:
            return None
        return self.best * (1 - self.ratio if self.side is Side.SELL else 1 + self.ratio)

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Raises ValueError (pydantic's included) on anything that ``to_json`` did not write."""
        watch: Self = _ADAPTER.validate_python(document)
        return watch


_ADAPTER: TypeAdapter[Any] = TypeAdapter(Watch)


def watch_of(terms: OrderTerms, *, stop_rests: bool = False) -> Watch:
    """What has to be waited for; ``stop_rests`` where an OCO's stop waits at the venue."""
    watch = Watch(terms.order_id, terms.symbol, terms.side)
    match terms.type:
        case OrderType.STOP | OrderType.STOP_LIMIT:
            return replace(watch, stop=terms.trigger_price)
        case OrderType.TAKE_PROFIT | OrderType.TAKE_PROFIT_LIMIT:
            return replace(watch, take=terms.trigger_price)
        case OrderType.TRAILING_STOP:
            return replace(watch, ratio=terms.trailing_ratio, starts_at=terms.trigger_price)
        case OrderType.OCO:
            return replace(watch, take=terms.limit_price, stop=None if stop_rests else terms.trigger_price)
        case _:
            raise ValueError(f"a {terms.type} order waits for no price")


def after_sending(watch: Watch, terms: OrderTerms) -> Watch:
    """What is left to wait for once the order was sent for what had fired: a take-profit still has its stop."""
    left = Watch(watch.order_id, watch.symbol, watch.side, leg=watch.fired)
    if terms.type is OrderType.OCO and watch.fired is Fired.TAKE:
        return replace(left, stop=terms.trigger_price)
    return left


def seen(watch: Watch, price: Decimal) -> Watch:
    """The watch after ``price``; the same object where it says nothing new. ``fired`` tells what was reached."""
    if watch.fired is not None:
        return watch
    sign = watch.side.sign
    if watch.ratio is not None:
        watch = _trail(watch, price)
    trigger = watch.trigger
    # A sell stop is reached from above, a buy stop from below; a take-profit the other way round.
    if trigger is not None and (price - trigger) * sign >= 0:
        return replace(watch, fired=Fired.STOP)
    if watch.take is not None and (price - watch.take) * sign <= 0:
        return replace(watch, fired=Fired.TAKE)
    return watch


def _trail(watch: Watch, price: Decimal) -> Watch:
    sign = watch.side.sign
    if watch.starts_at is not None:
        if (price - watch.starts_at) * sign > 0:
            return watch
        return replace(watch, starts_at=None, best=price)
    if watch.best is None or (price - watch.best) * sign < 0:
        return replace(watch, best=price)
    return watch


def price_for(side: Side, bid: Decimal, ask: Decimal) -> Decimal:
    """Of a quote, the price at which the order would trade: a sell at the bid, a buy at the ask."""
    return bid if side is Side.SELL else ask

"""How a position is paid for: in full, or with a part of its value.

Invariant: what a reduction says of margin changes nothing of the position it reduces; only what opens does, and the
venue, whose own word on leverage and liquidation is taken over as it is.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from algotrendy_common.enums import MarginMode
from algotrendy_common.events.account import PositionChanged
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO

PERPETUAL = "-PERP"
"""How a symbol of a perpetual ends: nothing of its base is ever held."""
_MOVED = Decimal("0.001")
"""Share by which a liquidation price has to move to be worth telling."""


@dataclass(frozen=True, slots=True)
class Margin:
    mode: MarginMode = MarginMode.NONE
    leverage: Decimal | None = None
    liquidation_price: Decimal | None = None
    """As the venue said it last."""

    @staticmethod
    def of(told: PositionChanged | None) -> "Margin":
        return Margin() if told is None else Margin(told.margin_mode, told.leverage, told.liquidation_price)

    def differs(self, other: "Margin") -> bool:
        """In what is worth telling."""
        if (self.mode, self.leverage) != (other.mode, other.leverage):
            return True
        ours, theirs = self.liquidation_price, other.liquidation_price
        if ours is None or theirs is None:
            return ours is not theirs
        return abs(ours - theirs) > theirs * _MOVED


def borrows(terms: OrderTerms) -> bool:
    """Trading it moves no base: on margin, or a perpetual."""
    return terms.margin_mode is not MarginMode.NONE or terms.symbol.endswith(PERPETUAL)


def effective_mode(terms: OrderTerms, accounts: MarginMode) -> MarginMode:
    """A perpetual is always on margin: the account's kind where the order names none. Spot only where it says so."""
    if terms.margin_mode is not MarginMode.NONE or not terms.symbol.endswith(PERPETUAL):
        return terms.margin_mode
    return accounts if accounts is not MarginMode.NONE else MarginMode.CROSS


def margin_after(known: Margin, before: Decimal, after: Decimal, terms: OrderTerms) -> Margin:
    """``before`` and ``after`` are the position's signed quantities around a fill of an order of these terms."""
    if not after:
        return Margin(known.mode)
    if before and not borrows(terms):
        return known
    turned = before * after < ZERO
    if not turned and abs(after) <= abs(before):
        return known
    begun = known if before and not turned else Margin()
    mode = terms.margin_mode
    if mode is MarginMode.NONE:
        mode = effective_mode(terms, known.mode)
    return replace(begun, mode=mode, leverage=terms.leverage or begun.leverage)

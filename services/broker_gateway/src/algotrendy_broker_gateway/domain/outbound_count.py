"""The independent count at the door: orders out never outnumber approvals in, nor exceed what was approved.

Invariant: each approval lets one client order id out, once. It shares nothing with the code that decides to submit, so
that an error there (a loop, a replayed message, a wrong quantity) ends here instead of at the venue.
"""

from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.enums import MarginMode, OrderType, Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO

from algotrendy_broker_gateway.domain.margin import PERPETUAL
from algotrendy_broker_gateway.errors import OutboundBreach


@dataclass(frozen=True, slots=True)
class Pass:
    """What one approval allows."""

    approval_id: str
    terms: OrderTerms
    notional: Decimal


class OutboundCount:
    """One an account and process. ``approvals`` and ``orders`` are the two sums that are compared."""

    def __init__(self, tolerance: Decimal) -> None:
        self._tolerance = tolerance
        self._passes: dict[str, Pass] = {}
        self.approvals = 0
        self.orders = 0

    def admit(self, client_order_id: str, allowed: Pass) -> None:
        """An approval came in, and its order is committed or about to be."""
        self._passes[client_order_id] = allowed
        self.approvals += 1

    def knows(self, client_order_id: str) -> bool:
        """An approval came in that has let nothing out yet."""
        return client_order_id in self._passes

    def withdraw(self, client_order_id: str) -> None:
        """What was admitted turned out to be no new order."""
        self._passes.pop(client_order_id, None)
        self.approvals -= 1

    def let_out(self, client_order_id: str, terms: OrderTerms) -> None:
        """Called with what is about to go on the wire; raises OutboundBreach where nothing allows it."""
        allowed = self._passes.pop(client_order_id, None)
        if allowed is None:
            raise OutboundBreach("an order without an unused approval was about to leave", client=client_order_id)
        if not _covers(allowed.terms, terms):
            raise OutboundBreach("an order differs from its approval", approval_id=allowed.approval_id)
        if terms.limit_price is not None:
            _check_notional(terms.quantity * terms.limit_price, allowed.notional, self._tolerance, allowed.approval_id)
        self.orders += 1
        if self.orders > self.approvals:
            raise OutboundBreach("more orders than approvals", orders=self.orders, approvals=self.approvals)


class ProtectiveCount:
    """The same for exits, which no approval lets out: what they could still sell never exceeds the position.

    It is told of positions and of what each exit may still trade at the venue as they become known, and shares
    nothing with the code that decides to place one.
    """

    def __init__(self) -> None:
        self._positions: dict[str, Decimal] = {}
        self._out: dict[str, tuple[str, Decimal]] = {}

    def position(self, symbol: str, quantity: Decimal) -> None:
        self._positions[symbol] = quantity

    def held(self, symbol: str) -> Decimal:
        """Signed."""
        return self._positions.get(symbol, ZERO)

    def remains(self, client_order_id: str, symbol: str, quantity: Decimal) -> None:
        """An exit at the venue may still trade ``quantity``; zero where it has ended."""
        if quantity:
            self._out[client_order_id] = (symbol, quantity)
        else:
            self._out.pop(client_order_id, None)

    def objection(self, client_order_id: str, terms: OrderTerms) -> str | None:
        """Called with an exit that is about to go on the wire: why it must not; None lets it out and counts it."""
        position = self.held(terms.symbol)
        others = sum(
            (
                rest
                for known, (symbol, rest) in self._out.items()
                if symbol == terms.symbol and known != client_order_id
            ),
            ZERO,
        )
        if position * terms.side.sign >= ZERO:
            return f"an exit that reduces nothing: the position is {position}"
        if others + terms.quantity > abs(position):
            return f"exits of {others + terms.quantity} would exceed the position of {abs(position)}"
        self._out[client_order_id] = (terms.symbol, terms.quantity)
        return None


def _covers(allowed: OrderTerms, leaving: OrderTerms) -> bool:
    """True where what leaves is what was approved, or less of it: a smaller quantity, the order that a trigger
    becomes, a time in force that the gateway sees to itself."""
    if allowed is leaving:
        return True
    same = ("order_id", "account", "venue", "symbol", "side", "leverage")
    # A perpetual is on margin anyway: of which kind is the account's affair where the order does not say.
    named = allowed.margin_mode is not MarginMode.NONE or not allowed.symbol.endswith(PERPETUAL)
    if named and allowed.margin_mode is not leaving.margin_mode:
        return False
    if any(getattr(allowed, name) != getattr(leaving, name) for name in same):
        return False
    if leaving.quantity > allowed.quantity or leaving.type not in _BECOMES.get(allowed.type, (allowed.type,)):
        return False
    for name in ("limit_price", "trigger_price", "trailing_ratio"):
        value = getattr(leaving, name)
        if value is not None and value != getattr(allowed, name):
            return False
    # Without its price a limit order would be another order.
    return leaving.type is not OrderType.LIMIT or leaving.limit_price == allowed.limit_price


_BECOMES = {
    OrderType.STOP: (OrderType.STOP, OrderType.MARKET),
    OrderType.STOP_LIMIT: (OrderType.STOP_LIMIT, OrderType.LIMIT),
    OrderType.TAKE_PROFIT: (OrderType.TAKE_PROFIT, OrderType.MARKET),
    OrderType.TAKE_PROFIT_LIMIT: (OrderType.TAKE_PROFIT_LIMIT, OrderType.LIMIT),
    OrderType.TRAILING_STOP: (OrderType.TRAILING_STOP, OrderType.MARKET),
    OrderType.OCO: (OrderType.OCO, OrderType.STOP, OrderType.LIMIT, OrderType.MARKET),
}


def check_executed(
    terms: OrderTerms, executed: Decimal, approved: Decimal, slippage: Decimal, approval_id: str
) -> None:
    """What a buy has cost against what was approved: a market order has no price to be judged by before it trades.

    A sell that brought in more than was approved is luck. Raises OutboundBreach.
    """
    if terms.side is Side.BUY:
        _check_notional(executed, approved, slippage, approval_id)


def _check_notional(notional: Decimal, approved: Decimal, tolerance: Decimal, approval_id: str) -> None:
    if notional > approved * (1 + tolerance):
        raise OutboundBreach(
            "an order is larger than its approval", approval_id=approval_id, notional=notional, approved=approved
        )

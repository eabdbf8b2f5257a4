"""Positions and results by account and by strategy, from fills and marks alone.

A trip runs from flat to flat; its profit is what was realised in it less its fees. A rest of at most a hundredth of
what was held is flat: a fee taken in the base asset leaves one that nobody can sell.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from algotrendy_common.money import ZERO
from algotrendy_core.fills import Fill
from algotrendy_core.positions import Position, PositionKey, apply_fill

_DUST = Decimal("0.01")

Mark = Callable[[str, str], Decimal | None]
Scope = tuple[str, str | None]
"""An account, and one of its strategies or None for all of it."""


@dataclass(frozen=True, slots=True)
class Trade:
    account: str
    strategy: str | None
    fill: Fill


@dataclass(slots=True)
class _Trip:
    before: Decimal
    """Net realised profit of the instrument when it began."""
    peak: Decimal = ZERO
    """The most that was held in it, without its sign."""


@dataclass(slots=True)
class Track:
    """One scope's positions and closed trips."""

    positions: dict[PositionKey, Position] = field(default_factory=dict)
    profits: list[Decimal] = field(default_factory=list)
    _trips: dict[PositionKey, _Trip] = field(default_factory=dict)

    def apply(self, fill: Fill, quote: str) -> None:
        key = (fill.venue, fill.symbol)
        before = self.positions.get(key) or Position(fill.venue, fill.symbol, fill.symbol.split("-")[0], quote)
        after = apply_fill(before, fill)
        self.positions[key] = after
        trip = self._trips.setdefault(key, _Trip(before.net_realised_pnl))
        trip.peak = max(trip.peak, abs(after.quantity), abs(before.quantity))
        turned = before.quantity * after.quantity < 0
        if turned or abs(after.quantity) <= trip.peak * _DUST:
            self.profits.append(after.net_realised_pnl - trip.before)
            del self._trips[key]
            if turned:
                self._trips[key] = _Trip(after.net_realised_pnl, abs(after.quantity))

    @property
    def realised(self) -> Decimal:
        """After fees."""
        return sum((held.net_realised_pnl for held in self.positions.values()), ZERO)

    @property
    def fees(self) -> Decimal:
        return sum((held.fees for held in self.positions.values()), ZERO)

    def unrealised(self, mark: Mark) -> Decimal | None:
        """None where the mark of something held is not known."""
        return unrealised(self.positions.values(), mark)


def unrealised(positions: Iterable[Position], mark: Mark) -> Decimal | None:
    total = ZERO
    for held in positions:
        if not held.quantity:
            continue
        price = mark(held.venue, held.symbol)
        if price is None:
            return None
        total += held.unrealised_pnl(price)
    return total


@dataclass(slots=True)
class Tracks:
    """Every scope's track. Each trade comes once; the caller sees to it."""

    by_scope: dict[Scope, Track] = field(default_factory=dict)

    def take(self, trade: Trade, quote: str) -> None:
        for strategy in {None, trade.strategy}:
            self.by_scope.setdefault((trade.account, strategy), Track()).apply(trade.fill, quote)

    def strategies(self, account: str) -> list[str]:
        return sorted(strategy for owner, strategy in self.by_scope if owner == account and strategy is not None)

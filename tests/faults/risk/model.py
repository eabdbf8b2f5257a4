"""What risk should say of an order, worked out another way: from a list of orders and a list of fills, in fractions.

Invariant: it shares no code with the service or its core. It replays everything for each question and knows no books,
no reservations and no caches.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

FEE = Fraction(1, 1000)
SLIPPAGE = Fraction(5, 1000)


@dataclass
class Placed:
    """An order that was let through, or one that the gateway placed to guard a position."""

    name: str
    symbol: str
    buy: bool
    kind: str
    quantity: Fraction
    limit: Fraction | None
    trigger: Fraction | None
    valued: Fraction
    leverage: Fraction
    reduce_only: bool
    strategy: str | None
    at: float
    guard: bool = False
    replaces: str | None = None
    filled: Fraction = Fraction(0)
    alive: bool = True
    unattended: Fraction = Fraction(0)

    @property
    def left(self) -> Fraction:
        return self.quantity - self.filled

    @property
    def perpetual(self) -> bool:
        return self.symbol.endswith("PERP")

    @property
    def cash_each(self) -> Fraction:
        """For a unit of value."""
        room = 1 + (SLIPPAGE if self.kind in ("market", "stop") else 0)
        if self.guard:
            return Fraction(0)
        if self.perpetual:
            return Fraction(0) if self.reduce_only else room * (1 / self.leverage + FEE)
        return room * (1 + FEE) if self.buy else Fraction(0)


@dataclass
class Model:
    limits: dict[str, Any]
    cash: Fraction
    prices: dict[str, Fraction]
    now: float = 0.0
    orders: list[Placed] = field(default_factory=list)
    fills: list[tuple[str, bool, Fraction, Fraction]] = field(default_factory=list)
    """Symbol, buy, quantity, price."""
    told_fills: int = 0
    """How many of them the second witness has told of."""
    past: list[tuple[float, str, Fraction]] = field(default_factory=list)
    halts: set[tuple[str, str]] = field(default_factory=set)
    off: set[str] = field(default_factory=set)
    enabled: dict[str, float] = field(default_factory=dict)
    high: Fraction = Fraction(0)
    opening: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        self.high = self.opening = self.cash
        for symbol, price in self.prices.items():
            self.past.append((self.now, symbol, price))

    def move(self, symbol: str, price: Fraction) -> None:
        self.prices[symbol] = price
        self.past.append((self.now, symbol, price))

    # -- what is held ------------------------------------------------------------------------------------------

    def held(self, symbol: str, fills: Iterable[tuple[str, bool, Fraction, Fraction]] | None = None) -> Fraction:
        rows = self.fills if fills is None else fills
        return sum(((quantity if buy else -quantity) for name, buy, quantity, _ in rows if name == symbol), Fraction(0))

    def bounds(self, symbol: str) -> tuple[Fraction, Fraction]:
        """The least and the most that may be held, by the two witnesses."""
        told = self.held(symbol, self.fills[: self.told_fills])
        return min(told, self.held(symbol)), max(told, self.held(symbol))

    def wallet(self, count: int | None = None) -> Fraction:
        rows = self.fills if count is None else self.fills[:count]
        cash = self.cash - sum((quantity * price * FEE for _, _, quantity, price in rows), Fraction(0))
        for symbol in self.prices:
            mine = [row for row in rows if row[0] == symbol]
            if symbol.endswith("PERP"):
                cash += realised(mine)[0]
            else:
                cash -= sum(((q if buy else -q) * price for _, buy, q, price in mine), Fraction(0))
        return cash

    def open_result(self, symbol: str) -> Fraction:
        """Of a perpetual: what its open position has made."""
        _, quantity, cost = realised([row for row in self.fills if row[0] == symbol])
        return quantity * self.prices[symbol] - cost

    def equity(self) -> Fraction:
        worth = self.wallet()
        for symbol, price in self.prices.items():
            worth += self.open_result(symbol) if symbol.endswith("PERP") else self.held(symbol) * price
        return worth

    # -- what may still happen ---------------------------------------------------------------------------------

    def working(self, without: str | None = None) -> list[tuple[Placed, Fraction, Fraction, Fraction]]:
        """Orders that take room, with quantity, price and cash ratio; an amendment and what it amends are one."""
        alive = [one for one in self.orders if one.alive and one.left > 0 and not one.guard and one.name != without]
        groups: dict[str, list[Placed]] = {}
        for one in alive:
            groups.setdefault(one.replaces or one.name, []).append(one)
        found = []
        for group in groups.values():
            largest = max(group, key=lambda one: one.left)
            found.append((largest, largest.left, max(one.valued for one in group), max(one.cash_each for one in group)))
        return found

    # -- the verdict -------------------------------------------------------------------------------------------

    def violations(self, order: Placed, *, agreed: bool = False) -> set[str]:
        """The codes of everything that stands against it."""
        limits, symbol = self.limits, order.symbol
        low, high = self.bounds(symbol)
        rows = self.working(order.replaces)
        same = [(one.buy, left) for one, left, _, _ in rows if one.symbol == symbol]
        buys = sum((left for buy, left in same if buy), Fraction(0))
        sells = sum((left for buy, left in same if not buy), Fraction(0))
        base = high if order.buy else low
        own = buys if order.buy else sells
        shrinks = order.quantity + own <= -base if order.buy else order.quantity + own <= base
        found: set[str] = set()
        halted = [("global", "*"), ("account", "paper-1"), ("strategy", order.strategy or "")]
        if not (limits["reductions_while_halted"] and order.reduce_only and shrinks):
            found |= {f"{level}_halted" for level, key in halted if (level, key) in self.halts}
        if order.strategy in self.off:
            found.add("strategy_switched_off")
        if order.reduce_only and not shrinks:
            found.add("not_a_reduction")
        price = self.prices[symbol]
        notional = order.quantity * order.valued
        if order.perpetual and order.leverage > limits["max_leverage"]:
            found.add("max_leverage")
        if notional > limits["max_order_notional"]:
            found.add("max_order_notional")
        if order.kind == "limit" and abs(order.limit / price - 1) > limits["price_collar"]:
            found.add("price_collar")
        found |= self._rates(order)
        found |= self._meets_itself(order, price)
        if len(rows) + 1 > limits["max_open_orders"]:
            found.add("max_open_orders")
        if self._repeats(order) >= limits["max_repeats"]:
            found.add("execution_throttle")
        if shrinks:
            return found
        recent = [mark for at, name, mark in self.past if name == symbol and self.now - at <= limits["drift_window"]]
        if any(abs(price / mark - 1) > limits["max_drift"] for mark in recent):
            found.add("price_drift")
        after = base + (order.quantity + own) * (1 if order.buy else -1)
        if after < 0 and not order.buy and not order.perpetual:
            found.add("short_not_allowed")
        if abs(after) * order.valued > limits["max_position_notional"]:
            found.add("max_position")
        gross, longest, shortest = self._exposure(rows)
        equity = self.equity()
        if gross + notional > limits["max_gross_exposure"]:
            found.add("max_gross_exposure")
        net = longest if order.buy else shortest
        leaning = abs(net + notional) if order.buy else abs(net - notional)
        if leaning > limits["max_net_exposure"] and leaning > abs(net):
            found.add("max_net_exposure")
        if equity <= 0 or abs(after) * order.valued > limits["max_concentration"] * equity:
            found.add("max_concentration")
        if order.perpetual and (equity <= 0 or gross + notional > limits["max_leverage"] * equity):
            found |= {"max_account_leverage", "equity_unknown"} if equity <= 0 else {"max_account_leverage"}
        if order.cash_each and notional * order.cash_each > self._spendable(rows):
            found.add("buying_power")
        if self.opening - equity >= limits["max_daily_loss"]:
            found.add("max_daily_loss")
        if self.high > 0 and 1 - equity / self.high >= limits["max_drawdown"]:
            found.add("max_drawdown")
        if found or agreed:
            return found
        if notional > limits["approval_notional"]:
            found.add("approval_notional")
        today = sum((one.unattended for one in self.orders if one.strategy == order.strategy), Fraction(0))
        if today + notional > limits["approval_daily_notional"]:
            found.add("approval_daily_notional")
        return found

    def reduces(self, order: Placed) -> bool:
        low, high = self.bounds(order.symbol)
        rows = [row for row in self.working(order.replaces) if row[0].symbol == order.symbol]
        own = sum((left for one, left, _, _ in rows if one.buy is order.buy), Fraction(0))
        return order.quantity + own <= (-high if order.buy else low)

    def _rates(self, order: Placed) -> set[str]:
        lately = [one for one in self.orders if not one.guard and self.now - one.at < self.limits["rate_window"]]
        counts = {
            "order_rate": (len(lately), self.limits["max_orders"]),
            "strategy_rate": (
                sum(1 for one in lately if order.strategy is not None and one.strategy == order.strategy),
                self.limits["max_strategy_orders"],
            ),
            "instrument_rate": (
                sum(1 for one in lately if one.symbol == order.symbol),
                self.limits["max_instrument_orders"],
            ),
        }
        return {code for code, (count, most) in counts.items() if count + 1 > most}

    def _repeats(self, order: Placed) -> int:
        if order.strategy is None:
            return 0
        since = self.enabled.get(order.strategy, float("-inf"))
        mine = [
            one
            for one in self.orders
            if not one.guard
            and one.strategy == order.strategy
            and one.symbol == order.symbol
            and self.now - one.at < self.limits["repeat_window"]
            and one.at > since
        ]
        count = 0
        for one in reversed(mine):
            if one.buy is not order.buy:
                break
            count += 1
        return count

    def _meets_itself(self, order: Placed, price: Fraction) -> set[str]:
        if order.kind == "stop":
            return set()
        reach = order.limit if order.kind == "limit" else price * (1 + (SLIPPAGE if order.buy else -SLIPPAGE))
        for other in self.orders:
            facing = other.alive and other.left > 0 and other.symbol == order.symbol and other.buy is not order.buy
            if not facing or other.kind != "limit" or other.name == order.replaces:
                continue
            if (reach >= other.limit) if order.buy else (reach <= other.limit):
                return {"self_trade"}
        return set()

    def _exposure(self, rows: list[tuple[Placed, Fraction, Fraction, Fraction]]) -> tuple[Fraction, Fraction, Fraction]:
        gross = longest = shortest = Fraction(0)
        for symbol, mark in self.prices.items():
            mine = [row for row in rows if row[0].symbol == symbol]
            low, high = self.bounds(symbol)
            dearest = max([mark, *(price for _, _, price, _ in mine)])
            most = (high + sum((left for one, left, _, _ in mine if one.buy), Fraction(0))) * dearest
            least = (low - sum((left for one, left, _, _ in mine if not one.buy), Fraction(0))) * dearest
            gross += max(abs(most), abs(least))
            longest += most
            shortest += least
        return gross, longest, shortest

    def _spendable(self, rows: list[tuple[Placed, Fraction, Fraction, Fraction]]) -> Fraction:
        cash = min(self.wallet(), self.wallet(self.told_fills))
        cash -= sum((left * price * ratio for _, left, price, ratio in rows), Fraction(0))
        for symbol in self.prices:
            if symbol.endswith("PERP"):
                low, high = self.bounds(symbol)
                quantity = max(abs(low), abs(high))
                if quantity:
                    cash -= quantity * self.prices[symbol] + max(-self.open_result(symbol), Fraction(0))
        return cash


def realised(fills: list[tuple[str, bool, Fraction, Fraction]]) -> tuple[Fraction, Fraction, Fraction]:
    """Profit before fees, open quantity, and what it cost, at average cost: lot by lot of one unit's share."""
    profit = quantity = cost = Fraction(0)
    for _, buy, size, price in fills:
        signed = size if buy else -size
        closing = min(size, abs(quantity)) if quantity * signed < 0 else Fraction(0)
        if closing:
            average = cost / quantity
            profit += closing * (price - average) * (1 if quantity > 0 else -1)
            direction = 1 if quantity > 0 else -1
            quantity -= direction * closing
            cost = average * quantity
        opening = size - closing
        quantity += opening if buy else -opening
        cost += (opening if buy else -opening) * price
    return profit, quantity, cost

"""The venue itself: its books, its matching and its money, on the platform's own matching engine.

Invariant: what it accepted it keeps, whoever was told of it; a fill moves the account's money in the same step.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport
from algotrendy_broker_gateway.ports import DuplicateIds
from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument
from algotrendy_core.matching import MatchingEngine, NewOrder, OrderRefused, Trade

NAME = "virtual"
FEE = Decimal("0.001")
_OURS = "ours"
_PRICES = {"BTC-USDT": Decimal(50_000), "ETH-USDT": Decimal(3_000)}
SYMBOLS = tuple(_PRICES)
_STEP = Decimal("0.01")


class ExchangeRefusal(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Held:
    """An order of the account at the venue, and from when on its queries know of it."""

    order_id: str
    client_id: str
    terms: OrderTerms
    created_at: datetime
    visible_s: float
    updated_at: datetime
    executed: Decimal = Decimal(0)
    standing: Standing = Standing.WORKING
    reason: str = ""
    fills: list[Fill] = field(default_factory=list)

    def shown(self) -> VenueOrder:
        terms = self.terms
        return VenueOrder(
            venue_order_id=self.order_id,
            client_id=self.client_id,
            symbol=terms.symbol,
            side=terms.side,
            type=terms.type,
            time_in_force=terms.time_in_force,
            quantity=terms.quantity,
            limit_price=terms.limit_price,
            executed_quantity=self.executed,
            standing=self.standing,
            reason=self.reason,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class Exchange:
    def __init__(self, chance: random.Random, now: Callable[[], datetime], now_s: Callable[[], float]) -> None:
        self._chance = chance
        self._now = now
        self._now_s = now_s
        self.duplicate_ids = chance.choice(list(DuplicateIds))
        self.settle_s = chance.choice((0.0, 0.3, 1.2))
        self.held: dict[str, Held] = {}
        self.fills: list[tuple[float, Fill]] = []
        """With the moment from which the list of fills shows each, in one order."""
        self.balances = {"BTC": Decimal(20), "ETH": Decimal(200), "USDT": Decimal(2_000_000)}
        self.tell: Callable[[VenueReport], None] = lambda report: None
        self._engines = {symbol: MatchingEngine() for symbol in _PRICES}
        self._prices = dict(_PRICES)
        self._crowd: dict[str, list[str]] = {symbol: [] for symbol in _PRICES}
        self._first_cursor = dict.fromkeys(_PRICES, 0)
        self._number = 1000

    # ── the market ──────────────────────────────────────────────────────────────────────────────────────────────

    def tick(self) -> None:
        """The crowd changes its mind: new prices around, and somebody takes."""
        for symbol, engine in self._engines.items():
            for order_id in self._crowd[symbol]:
                engine.cancel(order_id)
            self._crowd[symbol].clear()
            moved = self._prices[symbol] * Decimal(self._chance.randint(9985, 10015)) / 10_000
            price = self._prices[symbol] = moved.quantize(_STEP)
            for side in Side:
                for level in range(2):
                    away = price * (Decimal(level * 4 + 2) / 10_000)
                    at = (price - away * side.sign).quantize(_STEP)
                    self._crowd_order(symbol, side, at, Decimal(self._chance.randint(5, 60)) / 100)

    def _crowd_order(self, symbol: str, side: Side, price: Decimal, quantity: Decimal) -> None:
        order_id = f"crowd-{self._next()}"
        new = NewOrder(order_id, "crowd", side, OrderType.LIMIT, quantity, price)
        matched = self._engines[symbol].submit(new, self._now())
        assert not isinstance(matched, OrderRefused)
        self._traded(symbol, matched.trades)
        if matched.rests:
            self._crowd[symbol].append(order_id)

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, client_id: str, terms: OrderTerms) -> VenueReport:
        same = [held for held in self.held.values() if held.client_id == client_id]
        working = any(held.standing is Standing.WORKING for held in same)
        if (same and self.duplicate_ids is DuplicateIds.ALWAYS) or (
            working and self.duplicate_ids is DuplicateIds.WHILE_OPEN
        ):
            raise ExchangeRefusal("duplicate_client_order_id")
        now = self._now()
        held = Held(
            str(self._next()), client_id, terms, now, self._now_s() + self._chance.uniform(0, self.settle_s), now
        )
        self.held[held.order_id] = held
        new = NewOrder(
            held.order_id, _OURS, terms.side, terms.type, terms.quantity, terms.limit_price, terms.time_in_force
        )
        matched = self._engines[terms.symbol].submit(new, now)
        if isinstance(matched, OrderRefused):
            del self.held[held.order_id]
            raise ExchangeRefusal("would_take")
        self.tell(VenueReport(held.shown()))
        self._traded(terms.symbol, matched.trades)
        if held.standing is Standing.WORKING and not matched.rests:
            self._end(held, "not_filled")
        return VenueReport(held.shown(), tuple(held.fills))

    def cancel(self, symbol: str, client_id: str) -> VenueReport | None:
        for held in self.held.values():
            if held.client_id == client_id and held.standing is Standing.WORKING:
                self._engines[symbol].cancel(held.order_id)
                self._end(held, "user")
                return VenueReport(held.shown())
        return None

    def cancel_by_itself(self) -> None:
        """The venue cancels one of ours for reasons of its own."""
        working = [held for held in self.held.values() if held.standing is Standing.WORKING]
        if working:
            held = self._chance.choice(working)
            self._engines[held.terms.symbol].cancel(held.order_id)
            self._end(held, "venue")

    def _end(self, held: Held, reason: str) -> None:
        held.standing, held.reason, held.updated_at = Standing.CANCELLED, reason, self._now()
        self.tell(VenueReport(held.shown()))

    def _traded(self, symbol: str, trades: tuple[Trade, ...]) -> None:
        for trade in trades:
            for order_id, side, liquidity in (
                (trade.taker_order_id, trade.taker_side, Liquidity.TAKER),
                (trade.maker_order_id, trade.taker_side.opposite, Liquidity.MAKER),
            ):
                held = self.held.get(order_id)
                if held is not None:
                    self._fill(held, symbol, trade, side, liquidity)

    def _fill(self, held: Held, symbol: str, trade: Trade, side: Side, liquidity: Liquidity) -> None:
        base, quote = symbol.split("-")
        fee = trade.price * trade.quantity * FEE
        # Two sides of one trade may both be ours: each is a fill of its own.
        trade_id = f"{trade.sequence}{'' if liquidity is Liquidity.TAKER else 'm'}"
        fill = Fill(
            trade_id, held.order_id, NAME, symbol, side, trade.price, trade.quantity, fee, quote, liquidity, trade.time
        )
        lag_s = self._chance.uniform(0, 0.2) if self.settle_s else 0.0
        visible_s = max(self._now_s() + lag_s, self.fills[-1][0] if self.fills else 0.0)
        self.fills.append((visible_s, fill))
        held.fills.append(fill)
        held.executed += trade.quantity
        held.updated_at = trade.time
        self.balances[base] += side.sign * trade.quantity
        self.balances[quote] -= side.sign * trade.price * trade.quantity + fee
        if held.executed >= held.terms.quantity:
            held.standing = Standing.DONE
        self.tell(VenueReport(held.shown(), (fill,)))

    def _next(self) -> int:
        self._number += 1
        return self._number

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────────────

    def order(self, client_id: str) -> VenueReport | None:
        found = [held for held in self._visible() if held.client_id == client_id]
        return VenueReport(found[-1].shown()) if found else None

    def order_by_id(self, order_id: str) -> VenueReport | None:
        held = self.held.get(order_id)
        return VenueReport(held.shown()) if held is not None else None

    def open_orders(self) -> tuple[VenueReport, ...]:
        return tuple(VenueReport(held.shown()) for held in self._visible() if held.standing is Standing.WORKING)

    def fills_of(self, order_id: str) -> tuple[Fill, ...]:
        return tuple(fill for fill in self._listed() if fill.venue_order_id == order_id)

    def fills_cursor(self, symbol: str) -> int:
        self._first_cursor[symbol] = len(self.fills)
        return len(self.fills)

    def fills_after(self, symbol: str, cursor: int) -> tuple[tuple[Fill, ...], int]:
        """Fills numbered from ``cursor``; some of an earlier page may be repeated."""
        listed = self._listed()
        begin = max(self._first_cursor[symbol], cursor - self._chance.choice((0, 0, 2)))
        return tuple(fill for fill in listed[begin:] if fill.symbol == symbol), len(listed)

    def all_balances(self) -> tuple[AssetBalance, ...]:
        return tuple(
            AssetBalance(asset=asset, total=total, available=total, reserved=Decimal(0))
            for asset, total in sorted(self.balances.items())
            if total
        )

    def price(self, symbol: str) -> Decimal:
        return self._prices[symbol]

    def _visible(self) -> list[Held]:
        now_s = self._now_s()
        return [held for held in self.held.values() if held.visible_s <= now_s]

    def _listed(self) -> list[Fill]:
        now_s = self._now_s()
        return [fill for visible_s, fill in self.fills if visible_s <= now_s]


def instrument(symbol: str) -> Instrument:
    base, quote = symbol.split("-")
    numbers: dict[str, Any] = {
        "price_step": _STEP,
        "quantity_step": Decimal("0.0001"),
        "min_quantity": Decimal("0.0001"),
        "max_quantity": Decimal(100),
        "min_notional": Decimal(5),
        "maker_fee": FEE,
        "taker_fee": FEE,
    }
    return Instrument(venue=NAME, symbol=symbol, base=base, quote=quote, **numbers)


def by_hand(order_id: str, symbol: str, side: Side, quantity: Decimal, price: Decimal) -> OrderTerms:
    """An order that somebody makes on the account outside the platform."""
    return OrderTerms(
        order_id=order_id,
        account="by-hand",
        venue=NAME,
        symbol=symbol,
        side=side,
        type=OrderType.LIMIT,
        quantity=quantity,
        limit_price=price,
        time_in_force=TimeInForce.GTC,
    )

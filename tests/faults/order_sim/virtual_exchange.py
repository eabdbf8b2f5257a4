"""The venue itself: the simulator's own exchange, kept in memory, as one account's venue of the simulation.

Matching, waiting orders, pairs, reservations and fees are the simulator's; here is what a venue says of an order, and
when. Invariant: what it accepted it keeps, whoever was told of it; what is said of an order follows its changes one by
one.
"""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport
from algotrendy_broker_gateway.ports import DuplicateIds
from algotrendy_common.clock import Clock
from algotrendy_common.enums import OrderType
from algotrendy_common.errors import Refused
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_core.fees import ChargedIn
from algotrendy_core.fills import Fill
from algotrendy_simulator.engine import Exchange as Engine
from algotrendy_simulator.events import Execution, OrderChanged, VenueEvent
from algotrendy_simulator.orders import Fill as EngineFill
from algotrendy_simulator.orders import Order, OrderRequest

from tests.faults.order_sim.virtual_market import NAME, Crowd, markets

_OURS = "ours"
_QUOTE = Decimal(2_000_000)


class ExchangeRefusal(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Held:
    """An order of the account at the venue (a pair is one), and from when on its queries know of it."""

    client_id: str
    terms: OrderTerms
    created_at: datetime
    visible_s: float
    updated_at: datetime
    order_id: str = ""
    legs: dict[int, Order] = field(default_factory=dict)
    """As they were told last."""
    executed: Decimal = ZERO
    reason: str = ""
    fills: list[Fill] = field(default_factory=list)

    @property
    def standing(self) -> Standing:
        if any(leg.status.open for leg in self.legs.values()):
            return Standing.WORKING
        return Standing.DONE if self.executed >= self.terms.quantity else Standing.CANCELLED

    @property
    def working(self) -> bool:
        return self.standing is Standing.WORKING

    @property
    def rest(self) -> Decimal:
        """What may still trade at the venue."""
        return max((leg.remaining for leg in self.legs.values() if leg.status.open), default=ZERO)

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
            trigger_price=terms.trigger_price,
            trailing_ratio=terms.trailing_ratio,
            waiting=all(leg.waiting or not leg.status.open for leg in self.legs.values()),
            reduce_only=terms.reduce_only,
        )


class Exchange:
    def __init__(self, chance: random.Random, clock: Clock, now_s: Callable[[], float], spare: bool) -> None:
        """``spare``: the account has base assets before anything was bought."""
        self._chance = chance
        self._clock = clock
        self._now_s = now_s
        self.duplicate_ids = chance.choice(list(DuplicateIds))
        self.settle_s = chance.choice((0.0, 0.3, 1.2))
        self.held: dict[str, Held] = {}
        self.fills: list[tuple[float, Fill]] = []
        """With the moment from which the list of fills shows each, in one order."""
        self.tell: Callable[[VenueReport], None] = lambda report: None
        self.on_fill: Callable[[Held, Fill], None] = lambda held, fill: None
        """Told of each before anybody else is."""
        self.began_with = {"USDT": _QUOTE} | ({"BTC": Decimal(20), "ETH": Decimal(200)} if spare else {})
        self._by_leg: dict[int, Held] = {}
        self._placing: Held | None = None
        self._why = "not_filled"
        self._client_ids = itertools.count(1)
        numbers = itertools.count(1000)
        self.markets = markets()
        self._engine = Engine(self.markets, clock, lambda: int(now_s() * 1000), numbers, commit=lambda changes: None)
        if chance.random() < 0.5:
            self._engine.charge_spot_fees_in(ChargedIn.QUOTE)
        self._engine.listeners.append(self._told)
        self._account = self._engine.open_account(_OURS, "key", "secret", dict(self.began_with))
        self.crowd = Crowd(self._engine, chance, numbers, now_s)
        self._first_cursor = dict.fromkeys(self.markets, 0)

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, client_id: str, terms: OrderTerms) -> VenueReport:
        same = [held for held in self.held.values() if held.client_id == client_id]
        working = any(held.working for held in same)
        if (same and self.duplicate_ids is DuplicateIds.ALWAYS) or (
            working and self.duplicate_ids is DuplicateIds.WHILE_OPEN
        ):
            raise ExchangeRefusal("duplicate_client_order_id")
        now = self._clock.now()
        held = Held(client_id, terms, now, self._now_s() + self._chance.uniform(0, self.settle_s), now)
        self._placing = held
        try:
            self._engine.place(self._account, self._request(terms))
        except Refused as refused:
            raise ExchangeRefusal(refused.code) from refused
        finally:
            self._placing = None
        return VenueReport(held.shown(), tuple(held.fills))

    def _request(self, terms: OrderTerms) -> OrderRequest:
        # The engine's own ids are new each time: whether a venue minds one twice is said above.
        return OrderRequest(
            client_order_id=str(next(self._client_ids)),
            symbol=terms.symbol,
            side=terms.side,
            type=terms.type,
            time_in_force=terms.time_in_force,
            quantity=terms.quantity,
            limit_price=terms.limit_price,
            trigger_price=terms.trigger_price,
            trailing_ratio=terms.trailing_ratio,
            reduce_only=terms.reduce_only,
        )

    def cancel(self, client_id: str) -> VenueReport | None:
        for held in self.held.values():
            if held.client_id == client_id and held.working:
                self._cancel(held, "user")
                return VenueReport(held.shown())
        return None

    def cancel_by_itself(self) -> None:
        """The venue cancels one of ours for reasons of its own."""
        working = [held for held in self.held.values() if held.working]
        if working:
            self._cancel(self._chance.choice(working), "venue")

    def fill_partially(self) -> None:
        """The next few orders that trade at once do so in part, and go on with the next trade."""
        self._engine.fill_partially(Decimal("0.4"), orders=3)

    def _cancel(self, held: Held, why: str) -> None:
        open_leg = next(number for number, leg in held.legs.items() if leg.status.open)
        self._why = why
        self._engine.cancel(self._account, self._engine.orders[open_leg])
        self._why = "not_filled"

    # ── what the engine tells ───────────────────────────────────────────────────────────────────────────────────

    def _told(self, event: VenueEvent) -> None:
        if not isinstance(event, OrderChanged):
            return
        leg = event.order
        held = self._by_leg.get(leg.order_id) or self._taken_in(leg)
        before = held.shown() if held.legs else None
        held.legs[leg.order_id] = leg
        if event.execution is Execution.NEW and held.terms.type is OrderType.OCO and len(held.legs) == 1:
            return  # its other leg follows
        held.updated_at = self._clock.now()
        if event.fill is not None:
            self.tell(VenueReport(held.shown(), (self._filled(held, event.fill),)))
            return
        if not held.working:
            held.reason = held.reason or self._why
        shown = held.shown()
        if before is None or replace(shown, updated_at=before.updated_at) != before:
            self.tell(VenueReport(shown))

    def _taken_in(self, leg: Order) -> Held:
        held = self._placing
        assert held is not None, "an order that nobody placed"
        if not held.order_id:
            held.order_id = str(leg.order_id)
            self.held[held.order_id] = held
        self._by_leg[leg.order_id] = held
        return held

    def _filled(self, held: Held, found: EngineFill) -> Fill:
        # Two sides of one trade may both be ours: each is a fill of its own.
        fill = Fill(
            f"{found.trade_id}{found.liquidity.value[0]}",
            held.order_id,
            NAME,
            found.symbol,
            found.side,
            found.price,
            found.quantity,
            found.fee,
            found.fee_asset,
            found.liquidity,
            self._clock.now(),
        )
        self.on_fill(held, fill)
        lag_s = self._chance.uniform(0, 0.2) if self.settle_s else 0.0
        visible_s = max(self._now_s() + lag_s, self.fills[-1][0] if self.fills else 0.0)
        self.fills.append((visible_s, fill))
        held.fills.append(fill)
        held.executed += found.quantity
        return fill

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────────────

    def order(self, client_id: str) -> VenueReport | None:
        found = [held for held in self._visible() if held.client_id == client_id]
        return VenueReport(found[-1].shown()) if found else None

    def order_by_id(self, order_id: str) -> VenueReport | None:
        held = self.held.get(order_id)
        return VenueReport(held.shown()) if held is not None else None

    def open_orders(self) -> tuple[VenueReport, ...]:
        return tuple(VenueReport(held.shown()) for held in self._visible() if held.working)

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
            AssetBalance(asset=asset, total=one.total, available=one.free, reserved=one.locked)
            for asset, one in sorted(self._account.balances.items())
            if one.total
        )

    def total(self, asset: str) -> Decimal:
        return self._account.balance(asset).total

    def price(self, symbol: str) -> Decimal:
        return self.crowd.prices[symbol]

    def _visible(self) -> list[Held]:
        now_s = self._now_s()
        return [held for held in self.held.values() if held.visible_s <= now_s]

    def _listed(self) -> list[Fill]:
        now_s = self._now_s()
        return [fill for visible_s, fill in self.fills if visible_s <= now_s]

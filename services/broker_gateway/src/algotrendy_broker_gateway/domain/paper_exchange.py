"""The paper venue's rules: live prices in, fills out. Pure but for the ids it counts; what changed is collected.

Taking orders match what the feed offers. A resting order fills when the market trades through its price, or offers the
other side at it: a trade at its very price may have been others ahead of it in the queue. Invariant: a balance never
goes below what working orders reserve, and changes by fills alone.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_core.fees import fill_fee
from algotrendy_core.matching import NewOrder, OrderRefused
from pydantic import BaseModel

from algotrendy_broker_gateway.domain.paper_market import PaperMarket
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.errors import VenueRefused

HELD = frozenset(
    {
        OrderType.MARKET,
        OrderType.LIMIT,
        OrderType.STOP,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT,
        OrderType.TAKE_PROFIT_LIMIT,
    }
)
TIMES_IN_FORCE = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY})
_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


class PaperOrder(BaseModel):
    venue_order_id: int
    client_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    trigger_price: Decimal | None
    executed: Decimal = ZERO
    standing: Standing = Standing.WORKING
    reason: str = ""
    waiting: bool = False
    created_at: datetime
    updated_at: datetime

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.executed


class PaperFill(BaseModel):
    trade_id: int
    venue_order_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    time: datetime


@dataclass(slots=True)
class Changes:
    """What is not stored yet."""

    orders: dict[int, PaperOrder] = field(default_factory=dict)
    fills: list[PaperFill] = field(default_factory=list)
    assets: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.orders or self.fills or self.assets)


class PaperExchange:
    """One account. ``orders`` are the working ones."""

    def __init__(self, markets: dict[str, PaperMarket]) -> None:
        self.markets = markets
        self.orders: dict[int, PaperOrder] = {}
        self.balances: dict[str, Decimal] = {}
        self.last_order_id = 0
        self.last_trade_id = 0
        self.changes = Changes()

    # -- orders ------------------------------------------------------------------------------------------------

    def place(self, client_id: str, terms: OrderTerms, now: datetime) -> PaperOrder:
        """Raises VenueRefused; nothing has changed then."""
        market = self.market(terms.symbol)
        self._check(market, terms)
        order = PaperOrder(
            venue_order_id=self.last_order_id + 1,
            client_id=client_id,
            symbol=terms.symbol,
            side=terms.side,
            type=terms.type,
            time_in_force=terms.time_in_force,
            quantity=terms.quantity,
            limit_price=terms.limit_price,
            trigger_price=terms.trigger_price,
            waiting=terms.type.triggered,
            created_at=now,
            updated_at=now,
        )
        asset, needed = self._needs(order)
        if needed > self.available(asset):
            raise VenueRefused("insufficient_balance", f"{needed} {asset} are needed, {self.available(asset)} are free")
        if not order.waiting:
            self._enter(order, now)
        self.last_order_id = order.venue_order_id
        self._note(order, now)
        return order

    def cancel(self, order: PaperOrder, reason: str, now: datetime) -> None:
        order.standing, order.reason = Standing.CANCELLED, reason
        self._note(order, now)

    def drop_unlisted(self, now: datetime) -> None:
        """At start: what the feed lists no more cannot trade."""
        for order in tuple(self.orders.values()):
            if order.symbol not in self.markets:
                self.cancel(order, "not listed any more", now)

    def market(self, symbol: str) -> PaperMarket:
        try:
            return self.markets[symbol]
        except KeyError as error:
            raise VenueRefused("symbol_unknown", f"{symbol} is not traded here") from error

    def reserved(self, asset: str) -> Decimal:
        needs = (self._needs(order) for order in self.orders.values())
        return sum((needed for held, needed in needs if held == asset), ZERO)

    def available(self, asset: str) -> Decimal:
        return self.balances.get(asset, ZERO) - self.reserved(asset)

    def _check(self, market: PaperMarket, terms: OrderTerms) -> None:
        reference = terms.limit_price or terms.trigger_price or market.best(terms.side.opposite)
        if reference is None:
            raise VenueRefused("no_market", f"nobody offers anything in {terms.symbol}")
        broken = market.instrument.check(
            terms.quantity, reference, price_is_limit=terms.limit_price is not None or terms.trigger_price is not None
        )
        if broken:
            raise VenueRefused("filter", "; ".join(f"{one.rule}: {one.observed}, {one.limit}" for one in broken))
        if terms.trigger_price is not None and _reached(terms.type, terms.side, terms.trigger_price, market.last_price):
            raise VenueRefused("would_trigger", f"the price has come already: {market.last_price}")

    def _needs(self, order: PaperOrder) -> tuple[str, Decimal]:
        """What a working order may still spend."""
        market = self.markets[order.symbol]
        if order.side is Side.SELL:
            return market.instrument.base, order.remaining
        price = order.limit_price or order.trigger_price
        if price is None:
            return market.instrument.quote, market.cost(Side.BUY, order.remaining) or ZERO
        return market.instrument.quote, order.remaining * price

    # -- matching ----------------------------------------------------------------------------------------------

    def _enter(self, order: PaperOrder, now: datetime) -> None:
        """Match an order that no longer waits; raises VenueRefused for a post-only order that would take."""
        trades = self.market(order.symbol).take(
            NewOrder(
                order_id=f"own-{order.venue_order_id}",
                account="own",
                side=order.side,
                type=OrderType.MARKET if order.limit_price is None else OrderType.LIMIT,
                quantity=order.remaining,
                limit_price=order.limit_price,
                time_in_force=order.time_in_force,
            ),
            now,
        )
        if isinstance(trades, OrderRefused):
            raise VenueRefused("would_take", f"{trades.observed} would take at {trades.limit}")
        for trade in trades:
            self._fill(order, trade.price, trade.quantity, Liquidity.TAKER, now)
        rests = order.limit_price is not None and order.time_in_force in (TimeInForce.GTC, TimeInForce.POST_ONLY)
        if order.remaining and not rests:
            order.standing, order.reason = Standing.CANCELLED, "not filled at once"

    def _fill(self, order: PaperOrder, price: Decimal, quantity: Decimal, liquidity: Liquidity, now: datetime) -> None:
        instrument = self.markets[order.symbol].instrument
        fee = fill_fee(instrument, order.side, price, quantity, liquidity)
        order.executed += quantity
        if not order.remaining:
            order.standing = Standing.DONE
        self.last_trade_id += 1
        for asset, amount in (
            (instrument.base, quantity * order.side.sign),
            (instrument.quote, -price * quantity * order.side.sign),
            (fee.asset, -fee.amount),
        ):
            self.balances[asset] = self.balances.get(asset, ZERO) + amount
            self.changes.assets.add(asset)
        self.changes.fills.append(
            PaperFill(
                trade_id=self.last_trade_id,
                venue_order_id=order.venue_order_id,
                symbol=order.symbol,
                side=order.side,
                price=price,
                quantity=quantity,
                fee=fee.amount,
                fee_currency=fee.asset,
                liquidity=liquidity,
                time=now,
            )
        )

    def _note(self, order: PaperOrder, now: datetime) -> None:
        order.updated_at = now
        self.changes.orders[order.venue_order_id] = order
        if order.standing is Standing.WORKING:
            self.orders[order.venue_order_id] = order
        else:
            self.orders.pop(order.venue_order_id, None)

    # -- the feed ----------------------------------------------------------------------------------------------

    def traded(self, symbol: str, price: Decimal, quantity: Decimal, now: datetime) -> None:
        """A trade on the tape: sets off what waited for its price, fills what it went through."""
        self.markets[symbol].last_price = price
        left = quantity
        for order in self._working(symbol):
            if order.waiting:
                if _reached(order.type, order.side, order.trigger_price, price):
                    self._set_off(order, now)
            elif left and order.limit_price is not None and (order.limit_price - price) * order.side.sign > ZERO:
                part = min(left, order.remaining)
                left -= part
                self._fill(order, order.limit_price, part, Liquidity.MAKER, now)
                self._note(order, now)

    def offered(self, symbol: str, now: datetime) -> None:
        """The best prices changed: resting orders that the other side meets fill at their own price."""
        market = self.markets[symbol]
        for order in self._working(symbol):
            best = market.best(order.side.opposite)
            if order.waiting or order.limit_price is None or best is None:
                continue
            if (order.limit_price - best) * order.side.sign >= ZERO:
                self._meet(market, order, now)

    def _meet(self, market: PaperMarket, order: PaperOrder, now: datetime) -> None:
        offer = NewOrder(
            order_id=f"own-{order.venue_order_id}",
            account="own",
            side=order.side,
            type=OrderType.LIMIT,
            quantity=order.remaining,
            limit_price=order.limit_price,
            time_in_force=TimeInForce.IOC,
        )
        met = market.take(offer, now)
        assert not isinstance(met, OrderRefused)
        quantity = sum((trade.quantity for trade in met), ZERO)
        assert order.limit_price is not None
        if quantity:
            self._fill(order, order.limit_price, quantity, Liquidity.MAKER, now)
            self._note(order, now)

    def _set_off(self, order: PaperOrder, now: datetime) -> None:
        asset, kept = self._needs(order)
        order.waiting = False
        cost = self.markets[order.symbol].cost(Side.BUY, order.remaining) or ZERO
        if order.side is Side.BUY and order.limit_price is None and cost > self.available(asset) + kept:
            self.cancel(order, f"insufficient balance: {cost} {asset} were needed", now)
            return
        try:
            self._enter(order, now)
        except VenueRefused as refused:
            order.standing, order.reason = Standing.CANCELLED, str(refused)
        self._note(order, now)

    def _working(self, symbol: str) -> list[PaperOrder]:
        """Best price first, then oldest."""
        orders = [order for order in self.orders.values() if order.symbol == symbol]
        return sorted(orders, key=lambda one: (-(one.limit_price or ZERO) * one.side.sign, one.venue_order_id))


def _reached(type: OrderType, side: Side, trigger: Decimal | None, price: Decimal | None) -> bool:
    """A stop waits for the price to move against its side's interest, a take-profit for the opposite."""
    if trigger is None or price is None:
        return False
    rises = (side is Side.BUY) == (type in _STOPS)
    return price >= trigger if rises else price <= trigger

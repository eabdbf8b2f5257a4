"""The paper venue: a venue inside the gateway that trades at another venue's live prices.

Invariant: nothing is told, neither as an answer nor on the stream, before it is stored; so a gateway that is killed in
the middle finds, when it asks, exactly what it was told.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

from algotrendy_common.clock import Clock
from algotrendy_common.enums import MarginMode
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.market import BookSnapshotTaken, QuoteChanged, TradePrinted
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.telemetry import log
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument

from algotrendy_broker_gateway.desk.persistence import STORE_AWAY
from algotrendy_broker_gateway.domain.paper_exchange import (
    HELD,
    TIMES_IN_FORCE,
    Changes,
    PaperExchange,
    PaperFill,
    PaperOrder,
)
from algotrendy_broker_gateway.domain.paper_market import PaperMarket
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport
from algotrendy_broker_gateway.errors import LeaseLost, OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import (
    BalancesReported,
    Capabilities,
    DuplicateIds,
    FillPage,
    StreamMessage,
    StreamOpened,
    VenuePosition,
)
from algotrendy_broker_gateway.store.paper import PaperStore

MarketEvent = TradePrinted | QuoteChanged | BookSnapshotTaken
_FRESH = timedelta(seconds=30)
"""Older prices are nobody's offer any more."""


class PaperVenue:
    """One account. ``feed`` is the venue whose prices it trades at, and whose name its orders carry."""

    capabilities = Capabilities(
        resting=HELD,
        times_in_force=TIMES_IN_FORCE,
        margin_modes=frozenset({MarginMode.NONE}),
        max_leverage=Decimal(1),
        reduce_only=False,
        dead_man_switch=False,
        cancel_all=True,
        find_by_client_id=True,
        duplicate_ids=DuplicateIds.ALWAYS,
    )

    def __init__(
        self,
        feed: str,
        opening: dict[str, Decimal],
        store: PaperStore,
        instruments: Callable[[], Awaitable[tuple[Instrument, ...]]],
        clock: Clock,
    ) -> None:
        self.name = feed
        self._opening = opening
        self._store = store
        self._instruments = instruments
        self._clock = clock
        self._exchange = PaperExchange({})
        self._changing = asyncio.Lock()
        self._messages: asyncio.Queue[StreamMessage] = asyncio.Queue()
        self._log = log("paper")

    # -- life --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        try:
            listed = await self._instruments()
            exchange = PaperExchange({one.symbol: PaperMarket(one) for one in listed})
            await self._store.load(exchange, self._opening)
            exchange.drop_unlisted(self._clock.now())
        except (Retryable, Refused, *STORE_AWAY) as error:
            raise VenueUnreachable(f"the paper venue does not open: {error!r}") from error
        self._exchange = exchange

    async def close(self) -> None:
        """Everything is stored already."""

    def assets(self, symbol: str) -> tuple[str, str]:
        found = self.instrument(symbol)
        return found.base, found.quote

    def instrument(self, symbol: str) -> Instrument:
        return self._exchange.market(symbol).instrument

    async def ping(self) -> None:
        """Nothing lies between."""

    # -- the feed ----------------------------------------------------------------------------------------------

    async def heard(self, event: MarketEvent) -> None:
        """A live market event of the feed."""
        exchange, now = self._exchange, self._clock.now()
        market = exchange.markets.get(event.symbol)
        if market is None or event.venue != self.name:
            return
        async with self._changing:
            match event:
                case QuoteChanged():
                    market.show_quote((event.bid, event.bid_quantity), (event.ask, event.ask_quantity), now)
                    exchange.offered(event.symbol, now)
                case BookSnapshotTaken():
                    bids = ((level.price, level.quantity) for level in event.bids)
                    market.show_book(bids, ((level.price, level.quantity) for level in event.asks), now)
                    exchange.offered(event.symbol, now)
                case TradePrinted():
                    exchange.traded(event.symbol, event.price, event.quantity, now)
            if exchange.changes:
                try:
                    await self._store_changes()
                except (VenueUnreachable, LeaseLost) as error:
                    self._log.warning("not stored yet", error=str(error))

    # -- orders ------------------------------------------------------------------------------------------------

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        async with self._changing:
            try:
                known = await self._store.order_of_client(client_order_id)
            except STORE_AWAY as error:
                raise OutcomeUnknown(f"the paper books cannot be read: {error!r}") from error
            if known is not None:
                raise VenueRefused("duplicate_client_order_id", "there is an order of this client id")
            self._check_fresh(terms.symbol)
            order = self._exchange.place(client_order_id, terms, self._clock.now())
            try:
                fills = await self._store_changes(order)
            except (VenueUnreachable, LeaseLost) as error:
                raise OutcomeUnknown(f"placed, and not stored: {error}") from error
        return VenueReport(_venue_order(order), fills)

    async def cancel(self, symbol: str, client_id: str, venue_order_id: str | None = None) -> VenueReport | None:
        async with self._changing:
            order = self._working(client_id, venue_order_id)
            if order is None:
                return None
            self._exchange.cancel(order, "cancelled", self._clock.now())
            try:
                await self._store_changes(order)
            except (VenueUnreachable, LeaseLost) as error:
                raise OutcomeUnknown(f"cancelled, and not stored: {error}") from error
        return VenueReport(_venue_order(order))

    async def cancel_all(self) -> None:
        async with self._changing:
            for order in tuple(self._exchange.orders.values()):
                self._exchange.cancel(order, "cancelled with all others", self._clock.now())
            try:
                await self._store_changes()
            except (VenueUnreachable, LeaseLost) as error:
                raise OutcomeUnknown(f"cancelled, and not stored: {error}") from error

    async def arm_dead_man_switch(self, timeout: timedelta) -> None:
        raise VenueRefused("not_offered", "orders on paper rest while nobody matches them")

    async def set_leverage(self, symbol: str, leverage: Decimal, mode: MarginMode) -> None:
        raise VenueRefused("not_offered", "the paper venue lends nothing")

    def _working(self, client_id: str, venue_order_id: str | None) -> PaperOrder | None:
        for order in self._exchange.orders.values():
            if order.client_id == client_id or str(order.venue_order_id) == venue_order_id:
                return order
        return None

    def _check_fresh(self, symbol: str) -> None:
        seen_at = self._exchange.market(symbol).seen_at
        if seen_at is None or self._clock.now() - seen_at > _FRESH:
            raise VenueRefused("no_market", f"no live price of {symbol}: last seen {seen_at}")

    async def _store_changes(self, answered: PaperOrder | None = None) -> tuple[Fill, ...]:
        """Store what changed, then tell it on the stream; returns the fills of the order that is being answered.

        What could not be stored stays to be stored with the next change.
        """
        changes = self._exchange.changes
        try:
            await self._store.save(changes, self._exchange.balances)
        except STORE_AWAY as error:
            raise VenueUnreachable(f"the paper books cannot be written: {error!r}") from error
        self._exchange.changes = Changes()
        answer: tuple[Fill, ...] = ()
        for order in changes.orders.values():
            fills = tuple(self._fill(one) for one in changes.fills if one.venue_order_id == order.venue_order_id)
            if order is answered:
                answer = fills
            self._messages.put_nowait(VenueReport(_venue_order(order), fills))
        if changes.assets:
            self._messages.put_nowait(BalancesReported(tuple(map(self._balance, sorted(changes.assets)))))
        return answer

    # -- questions ---------------------------------------------------------------------------------------------

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        return _reported(await self._asked(lambda: self._store.order_of_client(client_id)))

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None:
        return _reported(await self._asked(lambda: self._store.order(int(venue_order_id))))

    async def open_orders(self) -> tuple[VenueReport, ...]:
        await self._settled()
        return tuple(VenueReport(_venue_order(order)) for order in self._exchange.orders.values())

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]:
        found = await self._asked(lambda: self._store.fills_of(int(venue_order_id)))
        return tuple(self._fill(one) for one in found)

    async def fills_cursor(self, symbol: str) -> str:
        await self._settled()
        return str(self._exchange.last_trade_id)

    async def fills_after(self, symbol: str, cursor: str) -> FillPage:
        found = await self._asked(lambda: self._store.fills_after(symbol, int(cursor)))
        return FillPage(tuple(self._fill(one) for one in found), str(found[-1].trade_id) if found else cursor)

    async def balances(self) -> tuple[AssetBalance, ...]:
        await self._settled()
        return tuple(self._balance(asset) for asset, total in sorted(self._exchange.balances.items()) if total)

    async def positions(self) -> tuple[VenuePosition, ...]:
        return ()

    async def stream(self) -> AsyncGenerator[StreamMessage]:
        yield StreamOpened()
        while True:
            yield await self._messages.get()

    async def _asked[R](self, question: Callable[[], Awaitable[R]]) -> R:
        await self._settled()
        try:
            return await question()
        except STORE_AWAY as error:
            raise VenueUnreachable(f"the paper books cannot be read: {error!r}") from error

    async def _settled(self) -> None:
        """What is asked for is answered from what is stored."""
        async with self._changing:
            if self._exchange.changes:
                await self._store_changes()

    def _balance(self, asset: str) -> AssetBalance:
        total, reserved = self._exchange.balances[asset], self._exchange.reserved(asset)
        return AssetBalance(asset=asset, total=total, available=total - reserved, reserved=reserved)

    def _fill(self, found: PaperFill) -> Fill:
        return Fill(
            trade_id=str(found.trade_id),
            venue_order_id=str(found.venue_order_id),
            venue=self.name,
            symbol=found.symbol,
            side=found.side,
            price=found.price,
            quantity=found.quantity,
            fee=found.fee,
            fee_currency=found.fee_currency,
            liquidity=found.liquidity,
            event_time=found.time,
        )


def _reported(order: PaperOrder | None) -> VenueReport | None:
    return None if order is None else VenueReport(_venue_order(order))


def _venue_order(order: PaperOrder) -> VenueOrder:
    return VenueOrder(
        venue_order_id=str(order.venue_order_id),
        client_id=order.client_id,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        time_in_force=order.time_in_force,
        quantity=order.quantity,
        limit_price=order.limit_price,
        executed_quantity=order.executed,
        standing=order.standing,
        reason=order.reason,
        created_at=order.created_at,
        updated_at=order.updated_at,
        trigger_price=order.trigger_price,
        waiting=order.waiting and order.standing is Standing.WORKING,
    )

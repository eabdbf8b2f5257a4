"""What the agent does with each event: bars to their strategies, what becomes of orders to whoever proposed them.

Invariant: an event about an order changes a strategy once, in the transaction that records that it was taken in.
"""

from collections.abc import Awaitable, Callable, Mapping

from algotrendy_common.database import Database, Transaction
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.market import BarUpdated, QuoteChanged
from algotrendy_common.events.order import OrderFilled, OrderRefused, OrderUpdated
from algotrendy_common.events.risk import HaltChanged, RiskStateChanged
from algotrendy_common.telemetry import log

from algotrendy_agent.domain.instance import Instance
from algotrendy_agent.domain.ladder import RungOrder
from algotrendy_agent.domain.market import MarketView
from algotrendy_agent.domain.own_orders import OwnOrder
from algotrendy_agent.runner import STORE_AWAY, Runner
from algotrendy_agent.states import state_of
from algotrendy_agent.store import AgentStore

_ORDER_REFUSED = "agent-order-refused"
_ORDER_EVENT = "agent-order-event"

Change = Callable[[Instance, OwnOrder], tuple[Instance, OwnOrder]]
RungChange = Callable[[Instance, RungOrder], tuple[Instance, RungOrder]]
Counts = Callable[[Transaction], Awaitable[bool]]


class Handlers:
    def __init__(
        self,
        *,
        database: Database,
        store: AgentStore,
        market: MarketView,
        runners: Mapping[str, Runner],
        events: EventFactory,
    ) -> None:
        self._database = database
        self._store = store
        self._market = market
        self._runners = runners
        self._events = events
        self._log = log("agent")

    async def on_bar(self, event: BarUpdated) -> None:
        if not event.closed or event.corrected:
            return  # what was decided on a bar stands, whatever trade of it came late
        for runner in self._runners.values():
            config = runner.instance.trading
            if (config.venue, config.symbol, config.timeframe) == (event.venue, event.symbol, event.timeframe):
                runner.offer(event)

    async def on_quote(self, event: QuoteChanged) -> None:
        self._market.take_quote(event)

    async def on_account(self, event: RiskStateChanged) -> None:
        self._market.take_account(event)

    async def on_halt(self, event: HaltChanged) -> None:
        self._market.take_halt(event)
        for runner in self._runners.values():
            if event.key in ("*", runner.id, runner.instance.config.account):
                try:
                    await runner.tend()
                except STORE_AWAY as error:  # the next bar sees to it; risk lets nothing through meanwhile
                    self._log.warning("a ladder was not tended", strategy=runner.id, error=repr(error))

    async def on_refused(self, event: OrderRefused) -> None:
        await self._take(
            event,
            _ORDER_REFUSED,
            event.terms.order_id,
            lambda instance, order: (instance.with_refusal(event, order), order.refused()),
            lambda instance, order: instance.with_rung_refusal(event, order),
        )

    async def on_updated(self, event: OrderUpdated) -> None:
        await self._take(
            event,
            _ORDER_EVENT,
            event.terms.order_id,
            lambda instance, order: (instance.with_update(event, order), order.with_update(event)),
            lambda instance, order: instance.with_rung_update(event, order),
        )

    async def on_filled(self, event: OrderFilled) -> None:
        if not await self._own(event.order_id):
            await self._guarded(event)
            return
        await self._take(
            event,
            _ORDER_EVENT,
            event.order_id,
            lambda instance, order: (instance.with_fill(event, order), order.with_fill(event.quantity)),
            lambda instance, order: instance.with_rung_fill(event, order),
            lambda tx: self._store.first_count(tx, event),
        )

    async def _own(self, order_id: str) -> bool:
        async with self._database.reading() as tx:
            return await self._store.strategy_of(tx, order_id) is not None

    async def _guarded(self, event: OrderFilled) -> None:
        """A fill of an order that the broker gateway made to guard or close a strategy's position."""
        runner = self._runners.get(event.strategy) if event.strategy else None
        if runner is None:
            return

        async def apply(tx: Transaction, before: Instance) -> Instance:
            if not await tx.first_delivery(event, _ORDER_EVENT) or not await self._store.first_count(tx, event):
                return before
            saved = await self._store.save(tx, before, await runner.tended(tx, before.with_exit(event)))
            await tx.emit(state_of(saved, self._events))
            return saved

        await runner.change(apply)

    async def _take(
        self,
        event: Event,
        consumer: str,
        order_id: str,
        change: Change,
        rung_change: RungChange,
        counts: Counts | None = None,
    ) -> None:
        async with self._database.reading() as tx:
            strategy = await self._store.strategy_of(tx, order_id)
        runner = self._runners.get(strategy) if strategy else None
        if runner is None:
            return

        async def apply(tx: Transaction, before: Instance) -> Instance:
            if not await tx.first_delivery(event, consumer) or (counts and not await counts(tx)):
                return before
            rung_order = await self._store.rung_order(tx, order_id)
            if rung_order is not None:
                return await self._rung(tx, runner, before, rung_order, rung_change)
            order = await self._store.order(tx, order_id)
            after, changed = change(before, order)
            if changed is not order:
                await self._store.save_order(tx, changed)
            if after is before:
                return before
            saved = await self._store.save(tx, before, after)
            await tx.emit(state_of(saved, self._events))
            return saved

        await runner.change(apply)

    async def _rung(
        self, tx: Transaction, runner: Runner, before: Instance, order: RungOrder, change: RungChange
    ) -> Instance:
        """What becomes of a rung's order, and what follows for the ladder, in one transaction."""
        after, changed = change(before, order)
        if changed is not order:
            await self._store.save_rung_order(tx, changed)
        after = await runner.tended(tx, after)
        if after == before:
            return before
        saved = await self._store.save(tx, before, after)
        if (saved.position, saved.status_detail) != (before.position, before.status_detail):
            await tx.emit(state_of(saved, self._events))
        return saved

"""What is asked of the gateway: approvals, amendments and cancellations, each when its ticket says.

Invariant: what risk approved is approved once; an amendment is an order of its own that names the one it replaces.
"""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from algotrendy_common import ids
from algotrendy_common.enums import OrderSource
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderApproved, OrderCancelRequested, OrderOrigin, OrderTerms

from tests.faults.order_sim.account import ACCOUNT, SIGNER
from tests.faults.order_sim.tickets import Ticket
from tests.faults.order_sim.virtual_market import NAME

if TYPE_CHECKING:
    from tests.faults.order_sim.world import World


class Load:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._steering = EventFactory("gateway", world.clock)
        self.approved: dict[str, OrderTerms] = {}

    async def put(self, ticket: Ticket) -> None:
        await asyncio.sleep(ticket.at_s)
        market = self._world.exchange.price(ticket.symbol)
        until = None
        if ticket.good_for_s is not None:
            until = self._world.clock.now() + timedelta(seconds=ticket.good_for_s)
        terms = OrderTerms.model_validate(
            {
                "order_id": ids.new_id(),
                "account": ACCOUNT,
                "venue": NAME,
                "symbol": ticket.symbol,
                "side": ticket.side,
                "type": ticket.type,
                "quantity": ticket.quantity,
                "time_in_force": ticket.time_in_force,
                "reduce_only": ticket.reduce_only,
                "good_until": until,
            }
            | ticket.prices(market)
        )
        if ticket.cancel_after_s is not None and ticket.cancel_after_s < 0:
            self._cancel(terms)
            await asyncio.sleep(-ticket.cancel_after_s)
        self._approve(terms, ticket.lifetime_s)
        if ticket.cancel_after_s is not None and ticket.cancel_after_s > 0:
            await asyncio.sleep(ticket.cancel_after_s)
            self._cancel(terms)
        if ticket.amended is not None:
            await asyncio.sleep(ticket.amended.after_s)
            market = self._world.exchange.price(ticket.symbol)
            self._approve(ticket.instead(terms, ids.new_id(), market), ticket.lifetime_s)

    def _approve(self, terms: OrderTerms, lifetime_s: float) -> None:
        world = self._world
        self.approved[terms.order_id] = terms
        price = terms.limit_price or terms.trigger_price or world.exchange.price(terms.symbol)
        notional = terms.quantity * max(price, world.exchange.price(terms.symbol) * 2)
        approval_id = ids.derived_id("approval", terms.order_id)
        expires_at = world.clock.now() + timedelta(seconds=lifetime_s)
        world.say(f"approved {terms.order_id[:8]} {terms.type} {terms.side} {terms.quantity} {terms.symbol}")
        world.bus.publish(
            world.risk_events.make(
                OrderApproved,
                approval_id=approval_id,
                terms=terms,
                origin=OrderOrigin(source=OrderSource.STRATEGY, strategy="s1"),
                notional=notional,
                expires_at=expires_at,
                signature=SIGNER.sign(approval_id, terms, notional, expires_at),
            )
        )

    def _cancel(self, terms: OrderTerms) -> None:
        self._world.say(f"cancellation wanted {terms.order_id[:8]}")
        self._world.bus.publish(
            self._steering.make(
                OrderCancelRequested, order_id=terms.order_id, account=ACCOUNT, requested_by="tom", reason="drill"
            )
        )

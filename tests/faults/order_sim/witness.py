"""Who watches: what left, what was told, and whether at that moment it was allowed to.

Invariant: it only looks; the desk's own books are never asked whether the desk did right, but for the gate it had seen.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from algotrendy_broker_gateway.domain.admission import Gate
from algotrendy_common.events.order import OrderTerms

from tests.faults.order_sim.process import Process, ProcessDied

if TYPE_CHECKING:
    from tests.faults.order_sim.world import World


@dataclass
class Observed:
    """What is counted while it happens."""

    sent: dict[str, list[str]] = field(default_factory=dict)
    """Client ids under which each order was sent."""
    sent_unreconciled: int = 0
    sent_while_closed: int = 0
    released_early: list[str] = field(default_factory=list)
    became_unknown: dict[str, float] = field(default_factory=dict)
    alerts: list[str] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    """Why each life ended; a crash of ours, or what broke."""


class Witness:
    def __init__(self, world: "World") -> None:
        self._world = world
        self.observed = Observed()
        self.statuses: dict[str, str] = {}
        self.reconciled_at_s = -1.0
        self._outbox_read = 0

    def unheard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error that nobody awaited: of a dead process it is its death, of a living one a fault of ours."""
        error = context.get("exception")
        if not isinstance(error, ProcessDied):
            self.observed.unheard.append(f"{context.get('message')}: {error!r}")

    def sent(self, process: Process, client_id: str, terms: OrderTerms) -> None:
        self._world.say(f"send {client_id[:8]} for {terms.order_id[:8]}")
        self.observed.sent.setdefault(terms.order_id, []).append(client_id)
        life = self._world.life
        compared = {"open orders", "fills", "balances"}
        self._look_at_gate()
        if life is None or not life.compared or not compared <= life.venue.answered:
            self.observed.sent_unreconciled += 1
        if life is not None and life.app.gate is not None and life.app.gate.state is not Gate.OPEN:
            self.observed.sent_while_closed += 1

    def _look_at_gate(self) -> None:
        gate = self._world.life.app.gate if self._world.life is not None else None
        if self._world.life is not None and gate is not None and gate.reconciled:
            self._world.life.compared = True

    def read_outbox(self) -> None:
        self._look_at_gate()
        rows = self._world.postgres.rows(
            "SELECT position, subject, body FROM outbox WHERE position > $1 ORDER BY position", self._outbox_read
        )
        for row in rows:
            self._outbox_read = row["position"]
            body = json.loads(row["body"])
            self._world.say(f"told {row['subject']} {body.get('status') or body.get('quantity') or body.get('ok')}")
            if body["kind"] == "OrderUpdated":
                self._order_told(body)
            elif body["kind"] == "AccountReconciled" and body["ok"]:
                self.reconciled_at_s = self._world.loop.now_s

    def _order_told(self, body: dict[str, Any]) -> None:
        order_id, status = body["terms"]["order_id"], body["status"]
        self.statuses[order_id] = status
        if status == "outcome_unknown":
            self.observed.became_unknown.setdefault(order_id, self._world.loop.now_s)
        if status in ("cancelled", "rejected", "filled") and order_id in self._world.approved:
            # From now on risk reserves nothing for it: the venue must not be able to trade it any more.
            client_id = body["client_order_id"]
            working = [
                held
                for held in self._world.exchange.held.values()
                if held.client_id == client_id and held.standing.value == "working"
            ]
            if working or self._world.network.underway[client_id] > 0:
                self.observed.released_early.append(order_id)
                self._world.say(f"released early {order_id[:8]} {status}")

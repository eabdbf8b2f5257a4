"""Who watches: what left, what was told, and whether at that moment it was allowed to.

Invariant: it only looks; the desk's own books are never asked whether the desk did right, but for the gate it had seen.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from algotrendy_broker_gateway.domain.admission import Gate
from algotrendy_common.enums import Side
from algotrendy_common.events.order import OrderTerms

from tests.faults.order_sim.process import Process, ProcessDied
from tests.faults.order_sim.virtual_exchange import Held

if TYPE_CHECKING:
    from tests.faults.order_sim.world import World

_BARE = ("naked", "partial")


@dataclass
class Observed:
    """What is counted while it happens."""

    sent: dict[str, list[str]] = field(default_factory=dict)
    """Client ids under which each order was sent."""
    sent_unreconciled: int = 0
    sent_while_closed: int = 0
    sent_unfit: list[str] = field(default_factory=list)
    """Sent as a type that the venue does not take."""
    sent_beside: list[str] = field(default_factory=list)
    """Sent while an earlier leg of the same order could still trade."""
    replaced_alive: list[str] = field(default_factory=list)
    """Sent while the order that it replaces could still trade."""
    released_early: list[str] = field(default_factory=list)
    became_unknown: dict[str, tuple[float, str]] = field(default_factory=dict)
    """When, and of which order, by client id."""
    fired_after_crash: set[str] = field(default_factory=set)
    """Orders that waited here when a life ended, and were sent in a later one."""
    alerts: list[str] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    """Why each life ended; a crash of ours, or what broke."""


class Witness:
    def __init__(self, world: "World") -> None:
        self._world = world
        self.observed = Observed()
        self.statuses: dict[str, str] = {}
        self.bare: set[str] = set()
        """Symbols that something should guard and nothing does, as it was told last."""
        self.order_of: dict[str, str] = {}
        """By client id, of what was sent."""
        self.sent_at_s: dict[str, float] = {}
        """By client id."""
        self.fill_told_at_s: dict[tuple[str, str], float] = {}
        """When each trade was in the books, by symbol and trade id."""
        self.reconciled_at_s = -1.0
        self._held: dict[str, int] = {}
        """Orders that wait at the gateway, and in which life they were taken in."""
        self._outbox_read = 0

    def unheard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error that nobody awaited: of a dead process it is its death, of a living one a fault of ours."""
        error = context.get("exception")
        if not isinstance(error, ProcessDied):
            self.observed.unheard.append(f"{context.get('message')}: {error!r}")

    def sent(self, process: Process, client_id: str, terms: OrderTerms) -> str:
        order_id, observed, life = terms.order_id, self.observed, self._world.life
        asked = self._world.load.approved.get(order_id)
        name = "submit" if asked is not None else "exit"
        self._world.say(f"send {client_id[:8]} for {order_id[:8]}: {name} {terms.type} {terms.side} {terms.quantity}")
        self.order_of[client_id] = order_id
        self.sent_at_s.setdefault(client_id, self._world.loop.now_s)
        compared = {"open orders", "fills", "balances"}
        self._look_at_gate()
        if life is None or not life.compared or not compared <= life.venue.answered:
            observed.sent_unreconciled += 1
        gate = life.app.gate if life is not None else None
        exits = asked is None or _fired_guard(asked, terms)
        if gate is not None and not (gate.state is Gate.OPEN or (exits and gate.lets_reductions_out)):
            observed.sent_while_closed += 1
        if terms.type not in self._world.plan.holds:
            observed.sent_unfit.append(f"{order_id[:8]} {terms.type}")
        if self._alive(known for known in observed.sent.get(order_id, ()) if known != client_id):
            observed.sent_beside.append(order_id)
        if asked is not None and asked.replaces is not None and self._alive(observed.sent.get(asked.replaces, ())):
            observed.replaced_alive.append(order_id)
        if self._held.get(order_id, process.number) != process.number:
            observed.fired_after_crash.add(order_id)
        observed.sent.setdefault(order_id, []).append(client_id)
        return name

    def at_venue(self, client_ids: Iterable[str]) -> list[Held]:
        wanted = frozenset(client_ids)
        return [held for held in self._world.exchange.held.values() if held.client_id in wanted]

    def _alive(self, client_ids: Iterable[str]) -> bool:
        """Whether anything sent under these can trade, now or when it arrives."""
        known = tuple(client_ids)
        underway = self._world.network.underway
        return any(underway[client_id] > 0 for client_id in known) or any(held.working for held in self.at_venue(known))

    def _look_at_gate(self) -> None:
        gate = self._world.life.app.gate if self._world.life is not None else None
        if self._world.life is not None and gate is not None and gate.reconciled:
            self._world.life.compared = True

    def committed(self, told: bool) -> None:
        self._look_at_gate()
        if told:
            self._read_outbox()

    def _read_outbox(self) -> None:
        rows = self._world.postgres.rows(
            "SELECT position, subject, body FROM outbox WHERE position > $1 ORDER BY position", self._outbox_read
        )
        for row in rows:
            self._outbox_read = row["position"]
            body = json.loads(row["body"])
            said = body.get("status") or body.get("state") or body.get("quantity") or body.get("ok")
            self._world.say(f"told {row['subject']} {said}")
            match body["kind"]:
                case "OrderUpdated":
                    self._order_told(body)
                case "OrderFilled":
                    self.fill_told_at_s[body["symbol"], body["trade_id"]] = self._world.loop.now_s
                case "ProtectionChanged":
                    (self.bare.add if body["state"] in _BARE else self.bare.discard)(body["symbol"])
                case "AccountReconciled" if body["ok"]:
                    self.reconciled_at_s = self._world.loop.now_s

    def _order_told(self, body: dict[str, Any]) -> None:
        order_id, status = body["terms"]["order_id"], body["status"]
        self.statuses[order_id] = status
        life = self._world.life
        if body["held_by"] == "gateway" and life is not None:
            self._held.setdefault(order_id, life.process.number)
        if status == "outcome_unknown":
            self.observed.became_unknown.setdefault(body["client_order_id"], (self._world.loop.now_s, order_id))
        ours = order_id in self._world.load.approved or body["origin"]["source"] == "protection"
        # From now on nothing is reserved for it: the venue must not be able to trade it any more.
        if status in ("cancelled", "rejected", "filled") and ours and self._alive(self.observed.sent.get(order_id, ())):
            self.observed.released_early.append(order_id)
            self._world.say(f"released early {order_id[:8]} {status}")


def _fired_guard(asked: OrderTerms, sent: OrderTerms) -> bool:
    """What waited at the gateway to sell what is held, or to reduce, and whose price has come."""
    return asked.type.triggered and not sent.type.triggered and (asked.reduce_only or asked.side is Side.SELL)

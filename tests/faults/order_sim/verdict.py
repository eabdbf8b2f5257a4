"""What must be true of a world at its end, each broken promise a line.

Invariant: both sides are read where they keep their books: the venue's own records, and the store's tables.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.ids import client_order_id
from algotrendy_common.money import ZERO, plain

from tests.faults.order_sim.account import ACCOUNT
from tests.faults.order_sim.guard_verdict import guards_judged
from tests.faults.order_sim.virtual_exchange import Held
from tests.faults.order_sim.virtual_wire import CHANGES, ORDERS
from tests.faults.order_sim.world import World

_OPEN = ("open", "partially_filled")
_UNSETTLED = ("submitting", "outcome_unknown", "approved")


@dataclass
class Verdict:
    """Of one seed, or summed over many."""

    counts: Counter[str] = field(default_factory=Counter)
    position_difference: Decimal = Decimal(0)
    broken: list[str] = field(default_factory=list)

    def add(self, other: "Verdict") -> None:
        self.counts += other.counts
        self.position_difference += other.position_difference
        self.broken += other.broken

    def breaks(self, seed: int, name: str, times: int, why: object = "") -> None:
        self.counts[name] += times
        if times:
            self.broken.append(f"seed {seed}: {name} {times} {why}".rstrip())


def judged(world: World) -> Verdict:
    verdict, observed, seed = Verdict(), world.witness.observed, world.seed
    rows = world.postgres.rows("SELECT * FROM orders WHERE account = $1", ACCOUNT)
    by_id = {row["order_id"]: row for row in rows}
    _orders(world, rows, verdict)
    _fills(world, verdict)
    _money(world, verdict)
    guards_judged(world, rows, verdict)

    resent = {order_id: ids for order_id, ids in observed.sent.items() if not _in_legs(order_id, ids)}
    verdict.breaks(seed, "resent_under_new_id", len(resent), resent)
    verdict.breaks(seed, "sent_unfit", len(observed.sent_unfit), observed.sent_unfit)
    verdict.breaks(seed, "sent_beside", len(observed.sent_beside), observed.sent_beside)
    verdict.breaks(seed, "replaced_alive", len(observed.replaced_alive), observed.replaced_alive)
    again = {order_id: ids for order_id, ids in observed.sent.items() if len(ids) > len(set(ids))}
    verdict.breaks(seed, "sent_again", len(again), again)
    verdict.breaks(seed, "accounts_stopped", observed.alerts.count("account_stopped"), world.log_of("account_stopped"))
    unsettled = [row["order_id"][:8] for row in rows if row["status"] in _UNSETTLED]
    verdict.breaks(seed, "unresolved", len(unsettled), unsettled)
    missing = [order_id[:8] for order_id in world.load.approved if order_id not in by_id]
    verdict.breaks(seed, "approvals_lost", len(missing), missing)
    verdict.breaks(seed, "trading_before_reconciliation", observed.sent_unreconciled)
    verdict.breaks(seed, "sent_while_closed", observed.sent_while_closed)
    verdict.breaks(seed, "released_early", len(observed.released_early), observed.released_early)
    verdict.breaks(seed, "unheard_errors", len(observed.unheard), observed.unheard)
    ended = [end for end in observed.ends if end.startswith("broke")]
    # A gateway that starts while its store is away ends, and is started again.
    broke = [end for end in ended if "ConnectionResetError" not in end]
    verdict.counts["ends_without_store"] += len(ended) - len(broke)
    verdict.breaks(seed, "ends_by_error", len(broke), broke)
    verdict.breaks(seed, "not_settled", not world.settled)

    verdict.counts["orders"] += len(world.load.approved)
    verdict.counts["exits"] += len(observed.sent.keys() - world.load.approved.keys())
    verdict.counts["legs"] += sum(len(ids) - 1 for ids in observed.sent.values())
    verdict.counts["amendments"] += sum(
        1 for terms in world.load.approved.values() if terms.replaces and terms.order_id in observed.sent
    )
    verdict.counts["fired_after_crash"] += len(observed.fired_after_crash)
    verdict.counts["sent"] += len(observed.sent)
    verdict.counts["fills"] += len(world.exchange.fills)
    verdict.counts["crashes"] += len(observed.ends) - len(ended)
    verdict.counts["commit_answers_lost"] += world.postgres.commit_answers_lost
    timeouts = world.network.timeouts
    verdict.counts["timeouts_injected"] += sum(timeouts[name] for name in CHANGES)
    verdict.counts["order_timeouts"] += sum(timeouts[name] for name in ORDERS)
    verdict.counts["question_timeouts"] += sum(times for name, times in timeouts.items() if name not in CHANGES)
    _unknowns(world, by_id, verdict)
    return verdict


def _in_legs(order_id: str, client_ids: list[str]) -> bool:
    """An order is sent under its own id, and the legs that follow one another under the ids of their numbers."""
    return all(client_id == client_order_id(order_id, leg) for leg, client_id in enumerate(dict.fromkeys(client_ids)))


def _orders(world: World, rows: list[dict[str, Any]], verdict: Verdict) -> None:
    held = world.exchange.held
    ids = Counter(order.client_id for order in held.values())
    doubled = [client_id for client_id, times in ids.items() if times > 1]
    verdict.breaks(world.seed, "duplicates", len(doubled), doubled)
    ours = {row["venue_order_id"]: row for row in rows if row["venue_order_id"]}
    ended = {order_id for row in rows for order_id in row["ended_venue_ids"]}
    orphans = []
    for order_id, order in held.items():
        working = order.working
        row = ours.get(order_id)
        if row is not None and working == (row["status"] in _OPEN):
            continue
        if order_id in ended and not working:
            continue
        # Made by hand and gone again, without a trade or before the books were opened: nothing is left of it to know.
        if row is None and order.terms.account != ACCOUNT and not working and not _after_opening(world, order):
            continue
        orphans.append(f"{order_id} {order.standing} here {row['status'] if row else 'unknown'}")
    orphans += [
        f"{row['order_id'][:8]} is open only here"
        for row in rows
        if row["status"] in _OPEN and row["state"]["status"] != "held" and row["venue_order_id"] not in held
    ]
    verdict.breaks(world.seed, "orphan_orders", len(orphans), orphans)


def _opened_at(world: World) -> datetime | None:
    rows = world.postgres.rows("SELECT opened_at FROM accounts WHERE account = $1", ACCOUNT)
    return rows[0]["opened_at"] if rows else None


def _after_opening(world: World, order: Held) -> bool:
    opened_at = _opened_at(world)
    return opened_at is not None and any(fill.event_time > opened_at for fill in order.fills)


def _fills(world: World, verdict: Verdict) -> None:
    opened_at = _opened_at(world)
    # What was traded by hand before the account's books were opened is part of their opening.
    venues = {
        (fill.symbol, fill.trade_id): fill
        for _, fill in world.exchange.fills
        if opened_at and fill.event_time > opened_at
    }
    rows = world.postgres.rows("SELECT symbol, trade_id FROM fills WHERE account = $1", ACCOUNT)
    ours = {(row["symbol"], row["trade_id"]) for row in rows}
    verdict.breaks(world.seed, "lost_fills", len(venues.keys() - ours), sorted(venues.keys() - ours))
    invented = ours - {(fill.symbol, fill.trade_id) for _, fill in world.exchange.fills}
    verdict.breaks(world.seed, "invented_fills", len(invented), sorted(invented))


def _money(world: World, verdict: Verdict) -> None:
    difference = Decimal(0)
    opening = {
        row["asset"]: row["quantity"]
        for row in world.postgres.rows("SELECT asset, quantity FROM entries WHERE account = $1", ACCOUNT)
    }
    for row in world.postgres.rows("SELECT * FROM positions WHERE account = $1 AND strategy = ''", ACCOUNT):
        base = row["symbol"].split("-")[0]
        difference += abs(row["quantity"] - (world.exchange.total(base) - opening.get(base, ZERO)))
    verdict.position_difference = difference
    rows = world.postgres.rows("SELECT asset, quantity FROM holdings WHERE account = $1", ACCOUNT)
    wrong = {
        row["asset"]: plain(row["quantity"] - world.exchange.total(row["asset"]))
        for row in rows
        if row["quantity"] != world.exchange.total(row["asset"])
    }
    verdict.breaks(world.seed, "holdings_wrong", len(wrong), wrong)
    if difference:
        verdict.broken.append(f"seed {world.seed}: position_difference {difference}")


def _unknowns(world: World, by_id: dict[str, dict[str, Any]], verdict: Verdict) -> None:
    """Every unknown outcome, and every order that was not answered: how it became known."""
    unknown = world.witness.observed.became_unknown
    queried = {
        client_id
        for client_id, (since_s, _) in unknown.items()
        if any(at >= since_s for at in world.network.asked.get(client_id, ()))
    }
    for client_id, (_, order_id) in unknown.items():
        row = by_id[order_id]
        verdict.counts["outcomes_unknown"] += 1
        verdict.counts["ended_lost"] += row["status"] == "lost"
        verdict.counts["were_accepted"] += bool(world.witness.at_venue((client_id,)))
        if row["status"] not in _UNSETTLED:
            verdict.counts["resolved_by_query" if client_id in queried else "resolved_by_stream"] += 1
    for client_id in world.network.timed_out:
        row = by_id[world.witness.order_of[client_id]]
        how = "unresolved" if row["status"] in _UNSETTLED else "by_query" if client_id in queried else "by_stream"
        verdict.counts[f"timeouts_{how}"] += 1

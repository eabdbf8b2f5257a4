"""What must be true, at a world's end, of what guards positions: enough of it, never too much, each price once.

Invariant: positions and what may still be sold are counted from the venue's own fills and orders; the store is asked
for nothing but what was wanted (its brackets) and what waits at the gateway.
"""

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from algotrendy_common.money import ZERO
from algotrendy_core import order_states, orders
from algotrendy_core.exit_feasibility import sellable
from algotrendy_core.fills import Fill

from tests.faults.order_sim.account import ACCOUNT
from tests.faults.order_sim.virtual_exchange import Held
from tests.faults.order_sim.virtual_market import SYMBOLS, instrument

if TYPE_CHECKING:
    from tests.faults.order_sim.verdict import Verdict
    from tests.faults.order_sim.world import World

_LIVE = ("open", "partially_filled", "submitting", "outcome_unknown")


def guards_judged(world: "World", rows: list[dict[str, Any]], verdict: "Verdict") -> None:
    by_id = {row["order_id"]: row for row in rows}
    _executions(world, by_id, verdict)
    _reductions(world, by_id, verdict)
    for symbol in SYMBOLS:
        _cover(world, symbol, by_id, verdict)
    if world.swept_at is not None:
        held = [row for row in rows if row["state"]["status"] == "held"]
        waiting = [row["order_id"][:8] for row in held if row["created_at"] < world.swept_at]
        verdict.breaks(world.seed, "triggers_missed", len(waiting), waiting)


def _row_of(world: "World", held: Held, by_id: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    return by_id.get(world.witness.order_of.get(held.client_id, ""))


def _protective(row: dict[str, Any] | None) -> bool:
    return row is not None and row["origin"]["source"] == "protection"


def _executions(world: "World", by_id: dict[str, dict[str, Any]], verdict: "Verdict") -> None:
    """No order trades more than it was for, over all its legs; an amendment not what the first one has traded."""
    executed: dict[str, Decimal] = defaultdict(Decimal)
    for held in world.exchange.held.values():
        executed[world.witness.order_of.get(held.client_id, "")] += held.executed
    executed.pop("", None)
    terms = {order_id: order_states.from_json(row["state"]).terms for order_id, row in by_id.items()}
    terms |= world.load.approved
    over = {one[:8]: quantity for one, quantity in executed.items() if quantity > terms[one].quantity}
    verdict.breaks(world.seed, "overfilled", len(over), over)
    pairs = [one for one in over if terms_type(terms, one) == "oco"]
    verdict.breaks(world.seed, "both_legs_filled", len(pairs), pairs)
    twice = []
    for order_id, asked in world.load.approved.items():
        before = executed.get(asked.replaces or "", ZERO)
        if executed.get(order_id, ZERO) + before > max(asked.quantity, before):
            twice.append(order_id[:8])
    verdict.breaks(world.seed, "amended_twice", len(twice), twice)


def terms_type(terms: dict[str, Any], beginning: str) -> str:
    return next(str(one.type) for order_id, one in terms.items() if order_id.startswith(beginning))


def _reductions(world: "World", by_id: dict[str, dict[str, Any]], verdict: "Verdict") -> None:
    """What may only reduce a position never goes through zero: an exit that sold twice would.

    But for what others sold at the venue and the gateway could not know yet when it sent the reduction.
    """
    opened = world.postgres.rows("SELECT opened_at FROM accounts WHERE account = $1", ACCOUNT)
    opened_at = opened[0]["opened_at"] if opened else None
    positions: dict[str, Decimal] = defaultdict(Decimal)
    others: list[Fill] = []
    wrong = []
    for _, fill in world.exchange.fills:
        in_books = (fill.symbol, fill.trade_id) in world.witness.fill_told_at_s
        if not in_books and (opened_at is None or fill.event_time <= opened_at):
            continue  # part of what the account began with
        before = positions[fill.symbol]
        positions[fill.symbol] = before + moved(fill)
        held = world.exchange.held[fill.venue_order_id]
        row = _row_of(world, held, by_id)
        if not _protective(row) and (row is None or not world.load.approved[row["order_id"]].reduce_only):
            others.append(fill)
            continue
        excess = fill.quantity - max(-before * fill.side.sign, ZERO)
        unknown = [one for one in others if (one.symbol, one.side) == (fill.symbol, fill.side)]
        unknown = [one for one in unknown if _told_after(world, one, world.witness.sent_at_s[held.client_id])]
        if excess > sum((one.quantity for one in unknown), ZERO):
            wrong.append(f"{held.client_id[:8]} {fill.side} {fill.quantity} of {before}")
    verdict.breaks(world.seed, "reduced_too_much", len(wrong), wrong)


def _told_after(world: "World", fill: Fill, sent_at_s: float) -> bool:
    return world.witness.fill_told_at_s.get((fill.symbol, fill.trade_id), sent_at_s) >= sent_at_s


def moved(fill: Fill) -> Decimal:
    """What a fill does to the position, signed."""
    change = fill.side.sign * fill.quantity
    return change - fill.fee if fill.fee_currency == instrument(fill.symbol).base else change


def _cover(world: "World", symbol: str, by_id: dict[str, dict[str, Any]], verdict: "Verdict") -> None:
    """Exits are as much as the position where the account wants that, and else as much as entries brought them for."""
    of_symbol = [row for row in by_id.values() if row["symbol"] == symbol]
    position = _position(world, symbol)
    exits = _exits(world, symbol, by_id)
    covered = sum(exits, ZERO)
    if covered > abs(position):
        verdict.breaks(world.seed, "exits_too_large", 1, f"{symbol} {covered} of {position}")
    leaving = _leaving(world, of_symbol, position)
    claims = _claims(world, symbol, by_id)
    price = world.exchange.price(symbol) / 2
    if world.plan.required:
        wanted = sellable(instrument(symbol), max(abs(position) - leaving, ZERO), price)
    else:
        wanted = sum((sellable(instrument(symbol), claim, price) for claim in claims), ZERO)
        wanted = max(min(wanted, abs(position) - leaving), ZERO)
    verdict.counts["positions_guarded"] += bool(wanted and covered)
    if covered < wanted - instrument(symbol).quantity_step * (1 + len(claims)):
        verdict.breaks(world.seed, "unprotected", 1, f"{symbol} {covered} of {wanted}, position {position}")


def _position(world: "World", symbol: str) -> Decimal:
    base = symbol.split("-")[0]
    rows = world.postgres.rows("SELECT quantity FROM entries WHERE account = $1 AND asset = $2", ACCOUNT, base)
    return world.exchange.total(base) - sum((row["quantity"] for row in rows), ZERO)


def _exits(world: "World", symbol: str, by_id: dict[str, dict[str, Any]]) -> list[Decimal]:
    """What each exit may still trade, at the venue or waiting here."""
    found = [
        held.rest
        for held in world.exchange.held.values()
        if held.working and held.terms.symbol == symbol and _protective(_row_of(world, held, by_id))
    ]
    for row in by_id.values():
        if row["symbol"] == symbol and row["state"]["status"] == "held" and _protective(row):
            found.append(orders.working_quantity(order_states.from_json(row["state"])))
    return found


def _leaving(world: "World", rows: list[dict[str, Any]], position: Decimal) -> Decimal:
    """What working orders that are no exits may take off the position."""
    ids = {row["order_id"] for row in rows if _protective(row)}
    return sum(
        (
            held.rest
            for held in world.exchange.held.values()
            if held.working
            and held.terms.symbol == (rows[0]["symbol"] if rows else "")
            and held.terms.side.sign * position < ZERO
            and world.witness.order_of.get(held.client_id) not in ids
        ),
        ZERO,
    )


def _claims(world: "World", symbol: str, by_id: dict[str, dict[str, Any]]) -> list[Decimal]:
    """What entries brought exits for, as far as nothing has sold it again."""
    found = []
    for bracket in world.postgres.rows(
        "SELECT order_id, reduced FROM brackets WHERE account = $1 AND symbol = $2 AND closed_at IS NULL",
        ACCOUNT,
        symbol,
    ):
        entry = _fills(by_id[bracket["order_id"]])
        own = [row for row in by_id.values() if row["origin"].get("parent") == bracket["order_id"]]
        left = bracket["reduced"] + sum((abs(moved(fill)) for row in own for fill in _fills(row)), ZERO)
        found.append(max(sum((abs(moved(fill)) for fill in entry), ZERO) - left, ZERO))
    return found


def _fills(row: dict[str, Any]) -> tuple[Fill, ...]:
    return orders.fills_of(order_states.from_json(row["state"]))

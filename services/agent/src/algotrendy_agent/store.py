"""Strategies, their signals and their orders in PostgreSQL.

Invariant: a strategy's state, what it signalled and what it proposed on a bar are written together, or not at all.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import asyncpg
from algotrendy_common.database import Database, Transaction
from algotrendy_common.enums import OrderStatus, StrategyStatus, Timeframe
from algotrendy_common.events.event import Event
from algotrendy_common.events.order import OrderFilled
from algotrendy_common.events.signal import SignalRaised
from algotrendy_core.positions import Position

from algotrendy_agent import ladder_rows
from algotrendy_agent.domain.instance import Instance, LastSignal, StrategyConfig
from algotrendy_agent.domain.ladder import RungOrder
from algotrendy_agent.domain.ladder_moves import Moves
from algotrendy_agent.domain.own_orders import OwnOrder
from algotrendy_agent.domain.places import Place

_SAVE = """
UPDATE strategy SET status = $2, status_detail = $3, revision = $4, state = $5, held_target = $6, quantity = $7,
    cost = $8, realised_pnl = $9, fees = $10, last_signal_time = $11, last_signal_target = $12,
    last_signal_reason = $13, ladder = $14
WHERE strategy = $1
"""

_STEP = f"""
WITH noted AS (
    INSERT INTO signal (event_id, strategy, bar_time, event, closes, raised_at)
    SELECT $15, $1, $16, $17, $18, $19 WHERE $15::text IS NOT NULL
), ordered AS (
    INSERT INTO own_order (order_id, strategy, bar_time, target, clipped, status, revision, filled, reported_filled,
                           settled, proposed_at)
    SELECT $20, $1, $21, $22, $23, 'proposed', 0, 0, 0, false, $24 WHERE $20::text IS NOT NULL
), rested AS (
    {ladder_rows.INSERT.format(rows="$29::jsonb")}
), cancelled AS (
    UPDATE rung_order SET cancel_asked = true WHERE order_id = ANY($30::text[])
), told AS (
    INSERT INTO outbox (event_id, subject, stream, body)
    SELECT event_id, subject, stream, body
    FROM unnest($25::text[], $26::text[], $27::text[], $28::text[])
        WITH ORDINALITY AS row (event_id, subject, stream, body, position)
    ORDER BY position
)
{_SAVE}"""

_ROUTE = "UPDATE strategy SET routed_account = $2, routed_venue = $3 WHERE strategy = $1"

_SAVE_ABROAD = """
INSERT INTO stand_in_position (strategy, account, venue, quantity, cost, realised_pnl, fees)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (strategy, account) DO UPDATE
SET venue = $3, quantity = $4, cost = $5, realised_pnl = $6, fees = $7
"""

_SAVE_ORDER = """
UPDATE own_order SET status = $2, revision = $3, filled = $4, reported_filled = $5, settled = $6 WHERE order_id = $1
"""

_SAVE_RUNG_ORDER = """
UPDATE rung_order SET status = $2, revision = $3, filled = $4, reported_filled = $5, settled = $6 WHERE order_id = $1
"""

_UNSETTLED_RUNGS = "SELECT * FROM rung_order WHERE NOT settled ORDER BY proposed_at, order_id"


class AgentStore:
    """Queries of the schema ``agent``; every method works inside the caller's transaction."""

    async def create(self, tx: Transaction, instance: Instance) -> None:
        """Configure a strategy; nothing where it is configured already."""
        config = instance.config
        await tx.execute(
            "INSERT INTO strategy (strategy, name, kind, venue, symbol, base, quote, timeframe, account, parameters,"
            " capital_share, status, held_target) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
            " ON CONFLICT DO NOTHING",
            config.strategy, config.name, config.kind, config.venue, config.symbol, instance.position.base,
            instance.position.quote, config.timeframe.value, config.account, config.parameters, config.capital_share,
            instance.status.value, instance.held_target,
        )  # fmt: skip

    async def load(self, tx: Transaction) -> list[Instance]:
        """All of them, by id."""
        rows = await tx.fetch("SELECT * FROM strategy ORDER BY strategy")
        orders = {
            row["strategy"]: row
            for row in await tx.fetch("SELECT * FROM own_order WHERE NOT settled ORDER BY proposed_at")
        }
        abroad = await tx.fetch("SELECT * FROM stand_in_position ORDER BY account")
        resting = await tx.fetch(_UNSETTLED_RUNGS)
        return [_instance(row, orders.get(row["strategy"]), abroad, resting) for row in rows]

    async def load_one(self, tx: Transaction, strategy: str) -> Instance:
        row = await tx.fetch_row("SELECT * FROM strategy WHERE strategy = $1", strategy)
        assert row is not None
        order = await tx.fetch_row(
            "SELECT * FROM own_order WHERE strategy = $1 AND NOT settled ORDER BY proposed_at DESC LIMIT 1", strategy
        )
        abroad = await tx.fetch("SELECT * FROM stand_in_position WHERE strategy = $1 ORDER BY account", strategy)
        resting = await tx.fetch(_UNSETTLED_RUNGS)
        return _instance(row, order, abroad, resting)

    async def save(self, tx: Transaction, before: Instance, after: Instance) -> Instance:
        """Write a change; the instance as stored, its revision one higher."""
        saved = replace(after, revision=before.revision + 1)
        await tx.execute(_SAVE, *_values(saved))
        if after.route != before.route:
            place = (after.route.account, after.route.venue) if after.route else (None, None)
            await tx.execute(_ROUTE, after.config.strategy, *place)
        for account, held in after.abroad.items():
            if held is not before.abroad.get(account):
                await tx.execute(
                    _SAVE_ABROAD, after.config.strategy, account, held.venue, held.quantity, held.cost,
                    held.realised_pnl, held.fees,
                )  # fmt: skip
        return saved

    async def save_order(self, tx: Transaction, order: OwnOrder) -> None:
        await tx.execute(
            _SAVE_ORDER, order.order_id, order.status.value, order.revision, order.filled, order.reported_filled,
            order.settled,
        )  # fmt: skip

    async def rung_order(self, tx: Transaction, order_id: str) -> RungOrder | None:
        """None where the order is no rung's."""
        row = await tx.fetch_row("SELECT * FROM rung_order WHERE order_id = $1", order_id)
        return None if row is None else ladder_rows.order_of(row)

    async def save_rung_order(self, tx: Transaction, order: RungOrder) -> None:
        await tx.execute(
            _SAVE_RUNG_ORDER, order.order_id, order.status.value, order.revision, order.filled, order.reported_filled,
            order.settled,
        )  # fmt: skip

    async def save_moves(self, tx: Transaction, strategy: str, moved: Moves) -> None:
        """The orders that a ladder proposes, and those that it asks away; the ladder itself is the instance's."""
        if moved.proposals:
            rows = ladder_rows.rows_of(moved.proposals)
            await tx.execute(ladder_rows.INSERT.format(rows="$2::jsonb"), strategy, rows)
        if moved.cancels:
            ids = [order.order_id for order, _ in moved.cancels]
            await tx.execute("UPDATE rung_order SET cancel_asked = true WHERE order_id = ANY($1::text[])", ids)

    async def save_step(
        self,
        database: Database,
        after: Instance,
        signal: SignalRaised | None,
        closes: list[str],
        order: OwnOrder | None,
        moved: Moves | None,
        said: Sequence[Event],
    ) -> None:
        """What came of a bar, and what is said of it: one statement that is a transaction of its own."""
        outgoing = [database.outgoing(event) for event in said]
        noted: tuple[Any, ...] = (None,) * 5
        if signal is not None:
            assert after.last_signal is not None
            noted = (
                signal.event_id, after.last_signal.time, signal.to_json().decode(), closes, signal.received_time,
            )  # fmt: skip
        ordered: tuple[Any, ...] = (None,) * 5
        if order is not None:
            ordered = (order.order_id, order.bar_time, order.target, order.clipped, order.proposed_at)
        told = (
            [row.event_id for row in outgoing], [row.subject for row in outgoing], [row.stream for row in outgoing],
            [row.body.decode() for row in outgoing],
        )  # fmt: skip
        rested = ladder_rows.rows_of(moved.proposals) if moved else []
        leaving = [one.order_id for one, _ in moved.cancels] if moved else []
        await database.statement(_STEP, *_values(after), *noted, *ordered, *told, rested, leaving)
        if outgoing:
            database.on_commit(outgoing)

    async def strategy_of(self, tx: Transaction, order_id: str) -> str | None:
        """The strategy that proposed an order; None where none of ours did."""
        strategy: str | None = await tx.fetch_value(
            "SELECT strategy FROM own_order WHERE order_id = $1"
            " UNION ALL SELECT strategy FROM rung_order WHERE order_id = $1",
            order_id,
        )
        return strategy

    async def order(self, tx: Transaction, order_id: str) -> OwnOrder:
        row = await tx.fetch_row("SELECT * FROM own_order WHERE order_id = $1", order_id)
        assert row is not None
        return _order(row)

    async def first_count(self, tx: Transaction, fill: OrderFilled) -> bool:
        """False where this trade was counted before, under whatever event id."""
        status = await tx.execute(
            "INSERT INTO counted_fill (account, venue, symbol, trade_id, order_id) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT DO NOTHING",
            fill.account, fill.venue, fill.symbol, fill.trade_id, fill.order_id,
        )  # fmt: skip
        return status.endswith(" 1")

    async def signals(
        self, tx: Transaction, limit: int, strategy: str | None = None, before: datetime | None = None
    ) -> tuple[SignalRaised, ...]:
        """Newest first; of one strategy, and raised before a time, where they are given."""
        rows = await tx.fetch(
            "SELECT event FROM signal WHERE ($2::text IS NULL OR strategy = $2)"
            " AND ($3::timestamptz IS NULL OR raised_at < $3) ORDER BY raised_at DESC, event_id LIMIT $1",
            limit, strategy, before,
        )  # fmt: skip
        return tuple(SignalRaised.from_json(row["event"]) for row in rows)

    async def signals_with_closes(self, tx: Transaction, newest: int = 10_000) -> list[tuple[SignalRaised, list[str]]]:
        """Each with the closes that led to it."""
        rows = await tx.fetch("SELECT event, closes FROM signal ORDER BY raised_at DESC LIMIT $1", newest)
        return [(SignalRaised.from_json(row["event"]), row["closes"]) for row in rows]

    async def newest_signal(self, tx: Transaction, strategy: str) -> tuple[SignalRaised, list[str]] | None:
        row = await tx.fetch_row(
            "SELECT event, closes FROM signal WHERE strategy = $1 ORDER BY raised_at DESC LIMIT 1", strategy
        )
        return None if row is None else (SignalRaised.from_json(row["event"]), row["closes"])

    async def signals_by_id(self, tx: Transaction, event_ids: list[str]) -> dict[str, SignalRaised]:
        rows = await tx.fetch("SELECT event_id, event FROM signal WHERE event_id = ANY($1)", event_ids)
        return {row["event_id"]: SignalRaised.from_json(row["event"]) for row in rows}


def _values(instance: Instance) -> tuple[Any, ...]:
    held, last = instance.position, instance.last_signal
    return (
        instance.config.strategy, instance.status.value, instance.status_detail, instance.revision, instance.state,
        instance.held_target, held.quantity, held.cost, held.realised_pnl, held.fees,
        last.time if last else None, last.target if last else None, last.reason if last else None,
        ladder_rows.rungs_of(instance.ladder),
    )  # fmt: skip


def _instance(
    row: asyncpg.Record,
    order: asyncpg.Record | None,
    abroad: Sequence[asyncpg.Record],
    resting: Sequence[asyncpg.Record],
) -> Instance:
    last = None
    if row["last_signal_time"] is not None:
        last = LastSignal(row["last_signal_time"], row["last_signal_target"], row["last_signal_reason"])
    return Instance(
        config=StrategyConfig(
            strategy=row["strategy"], name=row["name"], kind=row["kind"], venue=row["venue"], symbol=row["symbol"],
            timeframe=Timeframe(row["timeframe"]), account=row["account"], parameters=row["parameters"],
            capital_share=row["capital_share"],
        ),
        status=StrategyStatus(row["status"]),
        position=Position(
            row["venue"], row["symbol"], row["base"], row["quote"],
            row["quantity"], row["cost"], row["realised_pnl"], row["fees"],
        ),
        status_detail=row["status_detail"],
        revision=row["revision"],
        held_target=row["held_target"],
        last_signal=last,
        order=None if order is None else _order(order),
        state=row["state"],
        ladder=ladder_rows.ladder_of(
            row["ladder"], [rung for rung in resting if rung["strategy"] == row["strategy"]]
        ),
        route=None if row["routed_account"] is None else Place(row["routed_account"], row["routed_venue"]),
        abroad={
            held["account"]: Position(
                held["venue"], row["symbol"], row["base"], row["quote"],
                held["quantity"], held["cost"], held["realised_pnl"], held["fees"],
            )
            for held in abroad if held["strategy"] == row["strategy"]
        },
    )  # fmt: skip


def _order(row: asyncpg.Record) -> OwnOrder:
    return OwnOrder(
        order_id=row["order_id"],
        bar_time=row["bar_time"],
        target=row["target"],
        clipped=row["clipped"],
        proposed_at=row["proposed_at"],
        status=OrderStatus(row["status"]),
        revision=row["revision"],
        filled=row["filled"],
        reported_filled=row["reported_filled"],
    )

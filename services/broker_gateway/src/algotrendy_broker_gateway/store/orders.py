"""Orders, their history and their searches in PostgreSQL.

Invariant: an approved order enters by one statement that is its own transaction (inbox, order, history and outbox
together), so that one round trip lies between an approval and the call to the venue.
"""

from datetime import datetime
from typing import Any

import asyncpg
from algotrendy_common.database import Database, Outgoing, Transaction
from algotrendy_common.enums import OrderSource, OrderStatus
from algotrendy_common.events.event import Event
from algotrendy_common.events.order import OrderCancelRequested, OrderOrigin, OrderUpdated
from algotrendy_common.ids import client_order_id
from algotrendy_core import order_states, orders

from algotrendy_broker_gateway.domain.fence import Fence
from algotrendy_broker_gateway.domain.order_record import OrderRecord, Step
from algotrendy_broker_gateway.domain.search import Search

_COLUMNS = (
    "order_id, account, venue, symbol, client_order_id, venue_client_id, venue_order_id, approval_id, notional,"
    " expires_at, origin, strategy, signal_time, status, state, revision, created_at, submitted_at, updated_at,"
    " document"
)
_VALUES = ", ".join(f"${number}" for number in range(1, 21))
_INSERT = f"INSERT INTO orders ({_COLUMNS}) VALUES ({_VALUES}) ON CONFLICT (order_id) DO NOTHING"
_PLACE = f"""
WITH fence AS (
    SELECT FROM leases WHERE account = $2 AND epoch = $30 FOR KEY SHARE
), taken AS (
    INSERT INTO inbox (event_id, consumer)
    SELECT $21, $22 FROM fence
    WHERE NOT EXISTS (SELECT FROM orders WHERE order_id = $1)
      AND NOT EXISTS (SELECT FROM early_cancels WHERE order_id = $1)
    ON CONFLICT DO NOTHING
    RETURNING event_id
), placed AS (
    INSERT INTO orders ({_COLUMNS})
    SELECT {_VALUES} FROM taken
    RETURNING order_id
), stepped AS (
    INSERT INTO order_steps (order_id, status, time, detail)
    SELECT placed.order_id, step.status, step.time, step.detail
    FROM placed, unnest($23::text[], $24::timestamptz[], $25::text[]) WITH ORDINALITY
        AS step (status, time, detail, position)
    ORDER BY step.position
), told AS (
    INSERT INTO outbox (event_id, subject, stream, body)
    SELECT $26, $27, $28, $29 FROM placed
)
SELECT count(*) FROM placed
"""
_LIVE = "status NOT IN ('filled', 'cancelled', 'rejected', 'refused')"

History = tuple[tuple[str, datetime, str], ...]
"""Status, time, detail."""


class OrderStore:
    """One account's orders at one venue."""

    def __init__(self, database: Database, account: str, venue: str, fence: Fence) -> None:
        self._fence = fence
        self._database = database
        self._account = account
        self._venue = venue

    async def place(
        self, event: Event, consumer: str, order: OrderRecord, history: History, told: OrderUpdated, outgoing: Outgoing
    ) -> bool:
        """Commit an order that came by ``event``; False, and nothing written, where it is known, was cancelled, or
        belongs to another gateway by now."""
        placed = await self._database.statement(
            _PLACE,
            *_values(order, told),
            event.event_id,
            consumer,
            [status for status, _, _ in history],
            [time for _, time, _ in history],
            [detail for _, _, detail in history],
            outgoing.event_id,
            outgoing.subject,
            outgoing.stream,
            outgoing.body.decode(),
            self._fence.epoch,
        )
        return bool(placed)

    async def add(self, tx: Transaction, order: OrderRecord, history: History, told: OrderUpdated) -> bool:
        """False where the order is there already."""
        if not (await tx.execute(_INSERT, *_values(order, told))).endswith(" 1"):
            return False
        await tx.execute_many(
            "INSERT INTO order_steps (order_id, status, time, detail) VALUES ($1, $2, $3, $4)",
            [(order.order_id, status, time, detail) for status, time, detail in history],
        )
        return True

    async def save(self, tx: Transaction, step: Step, told: OrderUpdated) -> None:
        order = step.order
        await tx.execute(
            "UPDATE orders SET status = $2, state = $3, revision = $4, submitted_at = $5, updated_at = $6,"
            " document = $7, venue_order_id = coalesce($8, venue_order_id) WHERE order_id = $1",
            order.order_id,
            order.status.value,
            order_states.to_json(order.state),
            order.revision,
            order.submitted_at,
            told.received_time,
            told.to_json().decode(),
            orders.venue_order_id(order.state),
        )
        await tx.execute(
            "INSERT INTO order_steps (order_id, status, time, detail) VALUES ($1, $2, $3, $4)",
            order.order_id,
            order.status.value,
            told.received_time,
            step.detail,
        )
        if order.status is not OrderStatus.OUTCOME_UNKNOWN:
            await tx.execute("DELETE FROM searches WHERE order_id = $1", order.order_id)

    async def by_id(self, tx: Transaction, order_id: str) -> OrderRecord | None:
        """For update."""
        return _record(await tx.fetch_row("SELECT * FROM orders WHERE order_id = $1 FOR UPDATE", order_id))

    async def at_venue(
        self, tx: Transaction, symbol: str, venue_order_id: str, client_id: str
    ) -> tuple[OrderRecord | None, bool]:
        """The order behind a venue's report, for update; and whether its client id is also that of another of ours.

        The venue's own id decides. The client id does where we never learnt the venue's; on some venues a client id
        can be used again, so it decides nothing else.
        """
        rows = await tx.fetch(
            "SELECT * FROM orders WHERE account = $1 AND venue = $2 AND"
            " ((symbol = $3 AND venue_order_id = $4) OR venue_client_id = $5) FOR UPDATE",
            self._account,
            self._venue,
            symbol,
            venue_order_id,
            client_id,
        )
        if not rows:
            ended = await tx.fetch_row(
                "SELECT * FROM orders WHERE account = $1 AND venue = $2 AND leg > 0"
                " AND (ended_venue_ids @> ARRAY[$3] OR ended_client_ids @> ARRAY[$4]) FOR UPDATE",
                self._account,
                self._venue,
                venue_order_id,
                client_id,
            )
            return _record(ended), False
        known = [row for row in rows if row["symbol"] == symbol and row["venue_order_id"] == venue_order_id]
        unlearnt = [row for row in rows if row["venue_order_id"] is None]
        doubled = any(row["origin"]["source"] != OrderSource.EXTERNAL for row in rows)
        if known:
            return _record(known[0]), False
        if unlearnt:
            return _record(unlearnt[0]), False
        return None, doubled

    async def live(self, *statuses: OrderStatus) -> list[OrderRecord]:
        """Orders to which something can still happen, of these statuses or all, oldest first."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                f"SELECT * FROM orders WHERE account = $1 AND {_LIVE}"
                " AND (cardinality($2::text[]) = 0 OR status = ANY($2)) ORDER BY created_at",
                self._account,
                [status.value for status in statuses],
            )
        return [_found(row) for row in rows]

    async def symbols(self) -> set[str]:
        async with self._database.reading() as tx:
            rows = await tx.fetch("SELECT DISTINCT symbol FROM orders WHERE account = $1", self._account)
        return {row["symbol"] for row in rows}

    async def of_symbol(self, tx: Transaction, symbol: str) -> list[OrderRecord]:
        """Live orders of one symbol, oldest first."""
        rows = await tx.fetch(
            f"SELECT * FROM orders WHERE account = $1 AND symbol = $2 AND {_LIVE} ORDER BY created_at",
            self._account,
            symbol,
        )
        return [_found(row) for row in rows]

    async def now(self, order_id: str) -> OrderRecord | None:
        async with self._database.reading() as tx:
            return _record(await tx.fetch_row("SELECT * FROM orders WHERE order_id = $1", order_id))

    async def overdue(self, now: datetime) -> list[OrderRecord]:
        """Live orders whose ``good_until`` has passed and whose cancellation nobody asked for yet."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                f"SELECT * FROM orders WHERE account = $1 AND {_LIVE} AND NOT cancel_requested"
                " AND (state -> 'terms' ->> 'good_until')::timestamptz <= $2",
                self._account,
                now,
            )
        return [_found(row) for row in rows]

    # -- legs --------------------------------------------------------------------------------------------------

    async def begin_switch(self, tx: Transaction, order_id: str) -> None:
        """Its leg is to be ended for the next one."""
        await tx.execute("UPDATE orders SET switching = true WHERE order_id = $1", order_id)

    async def next_leg(self, tx: Transaction, order: OrderRecord) -> OrderRecord:
        """The order with the identity of its next leg; what is said of the ended one finds it still."""
        client_id = client_order_id(order.order_id, order.leg + 1)
        row = await tx.fetch_row(
            "UPDATE orders SET leg = leg + 1, switching = false, client_order_id = $2, venue_client_id = $2,"
            " venue_order_id = NULL, ended_client_ids = array_append(ended_client_ids, venue_client_id),"
            " ended_venue_ids = CASE WHEN venue_order_id IS NULL THEN ended_venue_ids"
            " ELSE array_append(ended_venue_ids, venue_order_id) END WHERE order_id = $1 RETURNING *",
            order.order_id,
            client_id,
        )
        assert row is not None
        return _found(row)

    # -- cancellations -----------------------------------------------------------------------------------------

    async def want_cancelled(self, tx: Transaction, order_id: str) -> None:
        await tx.execute("UPDATE orders SET cancel_requested = true WHERE order_id = $1", order_id)

    async def cancel_early(self, tx: Transaction, event: OrderCancelRequested) -> None:
        await tx.execute(
            "INSERT INTO early_cancels (order_id, requested_by, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            event.order_id,
            event.requested_by,
            event.reason,
        )

    async def early_cancel(self, tx: Transaction, order_id: str) -> str | None:
        """Who asked, and why; None where nobody did."""
        row = await tx.fetch_row("SELECT requested_by, reason FROM early_cancels WHERE order_id = $1", order_id)
        return f"{row['requested_by']}: {row['reason']}" if row else None

    # -- searches ----------------------------------------------------------------------------------------------

    async def searched(self) -> list[tuple[OrderRecord, Search]]:
        """Orders whose whereabouts are open: outcome unknown, or missed by a comparison."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT orders.*, searches.since, searches.asked, searches.not_found, searches.first_not_found"
                f" FROM orders LEFT JOIN searches USING (order_id) WHERE account = $1 AND {_LIVE} AND status <> 'lost'"
                " AND (status = 'outcome_unknown' OR searches.order_id IS NOT NULL)",
                self._account,
            )
        return [
            (
                _found(row),
                Search(row["since"], row["asked"], row["not_found"], row["first_not_found"])
                if row["since"]
                else Search(row["updated_at"]),
            )
            for row in rows
        ]

    async def save_search(self, order_id: str, search: Search) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT INTO searches (order_id, since, asked, not_found, first_not_found) VALUES ($1, $2, $3, $4, $5)"
                " ON CONFLICT (order_id) DO UPDATE SET asked = excluded.asked, not_found = excluded.not_found,"
                " first_not_found = excluded.first_not_found",
                order_id,
                search.since,
                search.asked,
                search.not_found,
                search.first_not_found,
            )

    async def end_search(self, order_id: str) -> None:
        async with self._database.transaction() as tx:
            await tx.execute("DELETE FROM searches WHERE order_id = $1", order_id)


def _values(order: OrderRecord, told: OrderUpdated) -> tuple[Any, ...]:
    terms = order.terms
    return (
        terms.order_id,
        terms.account,
        terms.venue,
        terms.symbol,
        order.client_order_id,
        order.venue_client_id,
        orders.venue_order_id(order.state),
        order.approval_id,
        order.notional,
        order.expires_at,
        order.origin.model_dump(mode="json"),
        order.origin.strategy,
        order.origin.tick_received_time,
        order.status.value,
        order_states.to_json(order.state),
        order.revision,
        order.created_at,
        order.submitted_at,
        told.received_time,
        told.to_json().decode(),
    )


def _record(row: asyncpg.Record | None) -> OrderRecord | None:
    return None if row is None else _found(row)


def _found(row: asyncpg.Record) -> OrderRecord:
    return OrderRecord(
        client_order_id=row["client_order_id"],
        venue_client_id=row["venue_client_id"],
        approval_id=row["approval_id"],
        notional=row["notional"],
        expires_at=row["expires_at"],
        origin=OrderOrigin.model_validate(row["origin"]),
        state=order_states.from_json(row["state"]),
        revision=row["revision"],
        created_at=row["created_at"],
        submitted_at=row["submitted_at"],
        cancel_requested=row["cancel_requested"],
        leg=row["leg"],
        switching=row["switching"],
        ended_venue_ids=tuple(row["ended_venue_ids"]),
        ended_client_ids=tuple(row["ended_client_ids"]),
    )

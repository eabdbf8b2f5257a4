"""Ladders between PostgreSQL and the domain.

Invariant: what is read back is what was written, floats to the last bit.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import asyncpg
from algotrendy_common.enums import OrderStatus
from algotrendy_common.events.order import OrderTerms

from algotrendy_agent.domain.ladder import Ask, Ladder, RungOrder, RungState

INSERT = """
INSERT INTO rung_order (order_id, strategy, rung, turn, stop_rung, stop_turn, kind, asked, terms, proposed_at)
SELECT (row ->> 'order_id'), $1, (row ->> 'rung')::integer, (row ->> 'turn')::bigint, (row ->> 'stop_rung')::integer,
       (row ->> 'stop_turn')::bigint, (row ->> 'kind')::integer, (row ->> 'asked')::numeric, row -> 'terms',
       (row ->> 'proposed_at')::timestamptz
FROM jsonb_array_elements({rows}) AS row
"""
"""``rows`` is the parameter's place, as in ``$2``."""


def rungs_of(ladder: Ladder) -> list[dict[str, Any]]:
    return [
        {
            "ask": [one.ask.kind, one.ask.side, one.ask.price.hex(), one.ask.quantity.hex(), one.ask.group],
            "generation": one.generation,
            "turn": one.turn,
            "orders": one.orders,
            "filled": str(one.filled),
            "over": one.over,
            "failures": one.failures,
            "wait": one.wait,
        }
        for one in ladder.rungs
    ]


def ladder_of(rungs: list[dict[str, Any]], orders: Sequence[asyncpg.Record]) -> Ladder:
    return Ladder(tuple(_rung(row) for row in rungs), tuple(order_of(row) for row in orders))


def _rung(row: dict[str, Any]) -> RungState:
    kind, side, price, quantity, group = row["ask"]
    return RungState(
        Ask(kind, side, float.fromhex(price), float.fromhex(quantity), group),
        row["generation"],
        row["turn"],
        row["orders"],
        Decimal(row["filled"]),
        row["over"],
        row["failures"],
        row["wait"],
    )


def rows_of(orders: Sequence[RungOrder]) -> list[dict[str, Any]]:
    """For ``INSERT``."""
    return [
        {
            "order_id": order.order_id,
            "rung": order.rung,
            "turn": order.turn,
            "stop_rung": order.stop_rung,
            "stop_turn": order.stop_turn,
            "kind": order.kind,
            "asked": str(order.asked),
            "terms": order.terms.model_dump(mode="json"),
            "proposed_at": order.proposed_at.isoformat(),
        }
        for order in orders
    ]


def order_of(row: asyncpg.Record) -> RungOrder:
    return RungOrder(
        OrderTerms.model_validate(row["terms"]),
        row["kind"],
        row["rung"],
        row["turn"],
        row["asked"],
        row["proposed_at"],
        row["stop_rung"],
        row["stop_turn"],
        row["cancel_asked"],
        status=OrderStatus(row["status"]),
        revision=row["revision"],
        filled=row["filled"],
        reported_filled=row["reported_filled"],
    )

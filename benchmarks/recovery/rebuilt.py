"""The broker gateway's state as its log tells it, beside the state as it is stored.

Invariant: the log is read alone, event by event in the order in which they were committed; nothing is looked up.
"""

import hashlib
import json
from decimal import Decimal
from typing import Any

from algotrendy_common.events.order import OrderFilled, OrderUpdated
from algotrendy_common.money import plain
from algotrendy_core.fills import Fill
from algotrendy_core.positions import Position, apply_fill
from algotrendy_local.drills.trader import Trader


async def hashes(trader: Trader) -> tuple[str, str]:
    """Of the state rebuilt from the log, and of the stored one."""
    log = await trader.rows("SELECT body FROM outbox ORDER BY position")
    orders = await trader.rows("SELECT order_id, revision, status FROM orders ORDER BY order_id")
    positions = await trader.rows(
        "SELECT symbol, quantity, cost, realised_pnl, fees FROM positions WHERE strategy = '' ORDER BY symbol"
    )
    stored = {
        "orders": {row["order_id"]: [row["revision"], row["status"]] for row in orders},
        "positions": {row["symbol"]: _numbers(row) for row in positions},
    }
    return _hash(rebuilt([row["body"] for row in log])), _hash(stored)


def rebuilt(log: list[str]) -> dict[str, Any]:
    orders: dict[str, list[Any]] = {}
    positions: dict[str, Position] = {}
    counted: set[tuple[str, str, str]] = set()
    for body in log:
        match json.loads(body)["kind"]:
            case "OrderUpdated":
                updated = OrderUpdated.from_json(body)
                known = orders.get(updated.terms.order_id)
                if known is None or known[0] < updated.revision:
                    orders[updated.terms.order_id] = [updated.revision, updated.status.value]
            case "OrderFilled":
                fill = Fill.of_event(OrderFilled.from_json(body))
                if fill.key in counted:
                    continue
                counted.add(fill.key)
                base, quote = fill.symbol.split("-")[:2]
                before = positions.get(fill.symbol, Position(fill.venue, fill.symbol, base, quote))
                positions[fill.symbol] = apply_fill(before, fill)
            case _:
                pass
    return {
        "orders": dict(sorted(orders.items())),
        "positions": {
            symbol: _numbers({name: getattr(position, name) for name in ("quantity", "cost", "realised_pnl", "fees")})
            for symbol, position in sorted(positions.items())
        },
    }


def _numbers(row: dict[str, Decimal]) -> dict[str, str]:
    return {name: plain(Decimal(row[name])) for name in ("quantity", "cost", "realised_pnl", "fees")}


def _hash(state: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()

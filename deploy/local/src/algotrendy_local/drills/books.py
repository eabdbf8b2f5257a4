"""The platform's books, as they are stored, against the venue's own.

Invariant: pure comparison of two full readings; money by value, never within a tolerance.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from algotrendy_local.drills.trader import ACCOUNT, Trader

_WORKING = {"NEW", "PARTIALLY_FILLED"}
_OPEN = {"open", "partially_filled"}


@dataclass
class Differences:
    duplicates: int = 0
    """Orders at the venue beyond the first of one client id, or of one proposal."""
    lost_fills: int = 0
    invented_fills: int = 0
    orphan_orders: int = 0
    """Orders that one side knows and the other does not, or that only one side thinks are working."""
    position_difference: Decimal = Decimal(0)
    detail: list[str] = field(default_factory=list)

    @property
    def none(self) -> bool:
        counts = self.duplicates + self.lost_fills + self.invented_fills + self.orphan_orders
        return not counts and not self.position_difference


async def compared(trader: Trader) -> Differences:
    ground = trader.ground
    theirs = {name: await ground.admin("GET", f"{name}?account={ACCOUNT}") for name in ("orders", "fills", "balances")}
    ours = await trader.rows(
        "SELECT order_id, client_order_id, venue_order_id, symbol, status FROM orders WHERE account = $1", ACCOUNT
    )
    fills = await trader.rows("SELECT symbol, trade_id FROM fills WHERE account = $1", ACCOUNT)
    positions = await trader.rows(
        "SELECT symbol, quantity FROM positions WHERE account = $1 AND strategy = ''", ACCOUNT
    )
    entries = await trader.rows("SELECT asset, quantity FROM entries WHERE account = $1", ACCOUNT)
    found = Differences()
    _orders(ours, theirs["orders"], found)
    _fills(fills, theirs["fills"], found)
    _positions(positions, entries, theirs["balances"][ACCOUNT], found)
    return found


def _orders(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], found: Differences) -> None:
    times = Counter(order["clientOrderId"] for order in theirs)
    doubled = [client_id for client_id, count in times.items() if count > 1]
    found.duplicates += len(theirs) - len(times)
    found.detail += [f"the venue has {times[client_id]} orders of {client_id}" for client_id in doubled]
    mine = {(row["symbol"].replace("-", ""), row["venue_order_id"]): row for row in ours if row["venue_order_id"]}
    venues = {(order["symbol"], str(order["orderId"])): order for order in theirs}
    for key, order in venues.items():
        row = mine.get(key)
        if row is None:
            found.orphan_orders += 1
            found.detail.append(f"order {key} ({order['status']}) is only at the venue")
        elif (order["status"] in _WORKING) != (row["status"] in _OPEN):
            found.orphan_orders += 1
            found.detail.append(f"order {key} is {row['status']} here, {order['status']} there")
    missing = [key for key in mine if key not in venues]
    found.orphan_orders += len(missing)
    found.detail += [f"order {key} is only here" for key in missing]


def _fills(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], found: Differences) -> None:
    mine = {(row["symbol"].replace("-", ""), row["trade_id"]) for row in ours}
    venues = {(fill["symbol"], str(fill["id"])) for fill in theirs}
    found.lost_fills += len(venues - mine)
    found.invented_fills += len(mine - venues)
    found.detail += [f"fill {key} is only at the venue" for key in sorted(venues - mine)]
    found.detail += [f"fill {key} is only here" for key in sorted(mine - venues)]


def _positions(
    ours: list[dict[str, Any]], entries: list[dict[str, Any]], balances: dict[str, dict[str, str]], found: Differences
) -> None:
    brought: Counter[str] = Counter()
    for entry in entries:
        brought[entry["asset"]] += entry["quantity"]
    for row in ours:
        asset = row["symbol"].split("-")[0]
        held = Decimal(balances.get(asset, {"total": "0"})["total"])
        difference = abs(row["quantity"] - (held - brought[asset]))
        found.position_difference += difference
        if difference:
            found.detail.append(f"position {row['symbol']} is {row['quantity']}, the venue holds {held} {asset}")

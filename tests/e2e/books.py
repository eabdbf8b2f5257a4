"""The platform's books against the venue's own: every order, fill, fee and balance, exactly."""

from decimal import Decimal
from typing import Any

import httpx
from algotrendy_common.ids import client_order_id

MOST = 1000
"""Rows of each kind that are compared."""
LEGS = 50
"""More than any order needs: an exit that is moved or makes room begins a new one."""


def differences(api: Any, venue_url: str, account: str) -> list[str]:
    """What does not agree, a line each; empty where all of it does."""
    with httpx.Client(base_url=venue_url, timeout=10, params={"account": account}) as venue:
        theirs = {name: venue.get(f"/admin/{name}").json() for name in ("fills", "orders")}
        balances = venue.get("/admin/balances").json()[account]
    return [
        *_fills(api.get("fills", account=account, limit=MOST), theirs["fills"]),
        *_orders(api.get("orders", account=account, status="all", limit=MOST), theirs["orders"]),
        *_positions(api.get("positions", account=account), balances),
    ]


def _fills(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[str]:
    mine = {(fill["symbol"].replace("-", ""), fill["trade_id"]): fill for fill in ours}
    venues = {(fill["symbol"], str(fill["id"])): fill for fill in theirs}
    found = [f"fill {key} is only at the venue" for key in venues.keys() - mine.keys()]
    found += [f"fill {key} is only ours" for key in mine.keys() - venues.keys()]
    found += [f"{len(ours) - len(mine)} fill(s) are counted twice"] if len(ours) != len(mine) else []
    for key in mine.keys() & venues.keys():
        for our_name, their_name in (("price", "price"), ("quantity", "qty"), ("fee", "commission")):
            if Decimal(mine[key][our_name]) != Decimal(venues[key][their_name]):
                found.append(f"fill {key}: {our_name} is {mine[key][our_name]}, there {venues[key][their_name]}")
    return found


def _orders(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[str]:
    """An order goes to the venue in one leg or several, each under an id that follows from the order's own; a pair's
    second leg carries its first one's with an ``s``."""
    mine = [order for order in ours if order["status"] not in ("refused", "proposed", "approved")]
    venues = {order["clientOrderId"]: order for order in theirs}
    found = [f"{len(theirs) - len(venues)} order(s) were sent twice"] if len(theirs) != len(venues) else []
    for order in mine:
        ids = [client_order_id(order["order_id"], leg) for leg in range(LEGS)] + [order["client_order_id"]]
        legs = [venues.pop(name, None) for base in ids for name in (base, f"{base}s")]
        filled = sum((Decimal(leg["executedQty"]) for leg in legs if leg), Decimal(0))
        if Decimal(order["filled_quantity"]) != filled:
            found.append(f"order {order['order_id']}: filled {order['filled_quantity']}, at the venue {filled}")
    return found + [f"order {name} is only at the venue" for name in venues]


def _positions(ours: list[dict[str, Any]], balances: dict[str, dict[str, str]]) -> list[str]:
    found = []
    for position in ours:
        asset = position["symbol"].split("-")[0]
        held = balances.get(asset, {"total": "0"})["total"]
        if Decimal(position["quantity"]) != Decimal(held):
            found.append(f"position {position['symbol']} is {position['quantity']}, the venue holds {held} {asset}")
    return found

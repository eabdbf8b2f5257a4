"""The field: one stack for many blows, and how each step of an order's way is seen from outside.

Invariant: a moment is recognised in the stores and at the venue, never by waiting long enough.
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
from algotrendy_common.clock import monotonic_s
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import client_order_id
from algotrendy_local.drills.ground import Ground, running_ground
from algotrendy_local.drills.trader import AWAY, Trader, trading
from algotrendy_risk.settings import PAPER

WIDE = {
    "duplicate_window": "PT0.001S",
    "max_orders": 100_000,
    "max_strategy_orders": 100_000,
    "max_instrument_orders": 100_000,
    "max_repeats": 100_000,
    "max_open_orders": 1_000,
    "max_position_notional": "100000000",
    "max_gross_exposure": "100000000",
    "max_net_exposure": "100000000",
    "max_concentration": "1",
    "max_daily_loss": "90000",
    "max_drawdown": "0.9",
    "max_leverage": "100",
}
"""What is looked at here is not the limits."""


def wide_limits() -> str:
    """``ALGOTRENDY_RISK_ACCOUNTS``: the paper account, with room."""
    document = PAPER.model_dump(mode="json")
    document["limits"] |= WIDE
    return json.dumps([document])


@asynccontextmanager
async def running_field() -> AsyncIterator[tuple[Ground, Trader]]:
    environment = {"ALGOTRENDY_RISK_ACCOUNTS": wide_limits(), "ALGOTRENDY_SIMULATOR_SPEED": "30"}
    async with running_ground(environment=environment) as ground, trading(ground) as trader:
        yield ground, trader


KEPT = Path(".build/faults/orders")


def keep_logs(ground: Ground, seed: int) -> Path:
    """What the programs have said so far, where it outlives the stack."""
    kept = KEPT / str(seed)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(ground.place.home.logs, kept)
    return kept


class Moments:
    """Seen of one order."""

    def __init__(self, trader: Trader, terms: OrderTerms) -> None:
        self._trader = trader
        self._ground = trader.ground
        self._terms = terms
        self._client_id = client_order_id(terms.order_id)

    async def comes(self, moment: str, within_s: float = 4.0) -> bool:
        """False where it does not come: the order went another way."""
        seen: Callable[[], Awaitable[bool]] = getattr(self, f"_{moment}", self._at_once)
        deadline_s = monotonic_s() + within_s
        while monotonic_s() < deadline_s:
            try:
                if await seen():
                    return True
            except (*AWAY, aiohttp.ClientError):
                pass
            await asyncio.sleep(0.003)
        return False

    async def _at_once(self) -> bool:
        return True

    async def _approved(self) -> bool:
        connection = await asyncpg.connect(self._ground.place.addresses.service_postgres_url("risk"))
        try:
            return bool(
                await connection.fetchval(
                    "SELECT true FROM outbox WHERE subject = 'order.approved' AND body LIKE '%' || $1 || '%'",
                    self._terms.order_id,
                )
            )
        finally:
            await connection.close()

    async def _intent_committed(self) -> bool:
        return await self._trader.status(self._terms.order_id) is not None

    async def _on_the_wire(self) -> bool:
        return await self._trader.status(self._terms.order_id) in ("submitting", "outcome_unknown")

    async def _accepted(self) -> bool:
        orders = await self._ground.admin("GET", "orders")
        return any(order["clientOrderId"] == self._client_id for order in orders)

    async def _unknown(self) -> bool:
        return await self._trader.status(self._terms.order_id) == "outcome_unknown"

    async def _open(self) -> bool:
        return await self._trader.status(self._terms.order_id) == "open"

    async def _filled(self) -> bool:
        return await self._trader.status(self._terms.order_id) == "filled"

    async def _cancel_wanted(self) -> bool:
        rows = await self._trader.rows("SELECT cancel_requested FROM orders WHERE order_id = $1", self._terms.order_id)
        return bool(rows and rows[0]["cancel_requested"])

    _cancel_on_the_wire = _cancel_wanted

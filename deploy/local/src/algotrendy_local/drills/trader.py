"""Whoever orders in a drill, and looks: proposals on the bus, the broker gateway's store, risk's answers.

Invariant: what is concluded is read from PostgreSQL and from the venue, never from what was said on the way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import asyncpg
import nats
import nats.errors
import nats.js.errors
from algotrendy_common import ids, subjects
from algotrendy_common.clock import SystemClock, monotonic_s
from algotrendy_common.database import UNREACHABLE
from algotrendy_common.enums import OrderSource, OrderType, Side, TimeInForce
from algotrendy_common.events.event import Event, EventFactory, Record
from algotrendy_common.events.order import OrderCancelRequested, OrderOrigin, OrderProposed, OrderTerms
from algotrendy_common.events.risk import TradingState
from algotrendy_common.rpc import risk
from algotrendy_common.rpc.call import Call
from algotrendy_common.subjects import inbox_prefix
from nats.aio.client import Client

from algotrendy_local.drills.ground import Ground

ACCOUNT = "paper-1"
SYMBOL = "BTC-USDT"
AWAY = (*UNREACHABLE, TimeoutError, asyncpg.PostgresError)
UNSETTLED = frozenset({"approved", "submitting", "outcome_unknown"})
BUS_AWAY = (nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError)


class NotInTime(Exception):
    """Something that had to happen did not."""


@dataclass
class Trader:
    """A context manager: its connections end with the block."""

    ground: Ground
    proposed: dict[str, OrderTerms] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    events: EventFactory = field(default_factory=lambda: EventFactory("gateway", SystemClock()))
    _made: int = 0
    _bus: Client | None = None
    _store: asyncpg.Connection[asyncpg.Record] | None = None

    async def __aenter__(self) -> Self:
        addresses = self.ground.place.addresses
        self._bus = await nats.connect(
            addresses.nats_url,
            nkeys_seed_str=addresses.nats_seed("gateway"),
            inbox_prefix=inbox_prefix("gateway"),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
            error_cb=_ignore,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bus is not None:
            await self._bus.close()
        if self._store is not None:
            self._store.terminate()

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────

    def terms(self, side: Side, quantity: str, limit_price: Decimal | None = None, **changes: Any) -> OrderTerms:
        """Market without a limit price, else a limit that rests until it is cancelled."""
        return OrderTerms(
            order_id=ids.new_id(),
            account=ACCOUNT,
            venue="binance",
            symbol=SYMBOL,
            side=side,
            type=OrderType.MARKET if limit_price is None else OrderType.LIMIT,
            quantity=Decimal(quantity),
            limit_price=limit_price,
            time_in_force=TimeInForce.GTC,
            **changes,
        )

    def quantity(self) -> str:
        """A little of the base, and never the same twice: equal orders in a row look like a mistake."""
        self._made += 1
        return str(Decimal("0.002") + Decimal("0.00001") * (self._made % 300))

    async def propose(self, terms: OrderTerms) -> OrderTerms:
        """As a person does at the page; again and again until the bus has stored it, under one id."""
        self.proposed[terms.order_id] = terms
        origin = OrderOrigin(source=OrderSource.TRADER, user="drill", reason="drill")
        await self._store_on_bus(self.events.make(OrderProposed, terms=terms, origin=origin))
        return terms

    async def cancel(self, terms: OrderTerms) -> None:
        await self._store_on_bus(
            self.events.make(
                OrderCancelRequested,
                order_id=terms.order_id,
                account=terms.account,
                requested_by="drill",
                reason="drill",
            )
        )

    async def _store_on_bus(self, event: Event) -> None:
        assert self._bus is not None
        stream = subjects.subject_of(type(event)).stream
        assert stream is not None
        while True:
            try:
                await self._bus.jetstream(timeout=1.0).publish(
                    subjects.address(event),
                    event.to_json(),
                    stream=stream.name,
                    headers={"Nats-Msg-Id": event.event_id},
                )
                return
            except BUS_AWAY:
                await asyncio.sleep(0.05)

    async def price(self, side: Side, away: str = "0") -> Decimal:
        """The best price of a side of the venue's book, moved ``away`` from the other side by a fraction."""
        book = (await self.ground.admin("GET", "books"))[SYMBOL.replace("-", "")]
        best = Decimal(book["bids" if side is Side.BUY else "asks"][0][0])
        return (best * (1 - side.sign * Decimal(away))).quantize(Decimal("0.01"))

    # ── risk ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def ask[Req: Record, Res: Record](self, call: Call[Req, Res], asked: Req, timeout_s: float = 2.0) -> Res:
        """Raises TimeoutError or one of NATS's errors where nobody answers, ValueError where the answer is a no."""
        assert self._bus is not None
        answer = await self._bus.request(call.subject, asked.model_dump_json().encode(), timeout=timeout_s)
        if answer.headers and "Algotrendy-Fault" in answer.headers:
            raise ValueError(answer.data.decode())
        return call.response.model_validate_json(answer.data)

    async def inactive(self) -> str | None:
        """Why risk lets no order through on the account; None where it does."""
        try:
            state = (await self.ask(risk.STATE, risk.StateAsked(account=ACCOUNT))).state
        except (*BUS_AWAY, ValueError) as error:
            return f"risk does not answer: {error!r}"
        if state.trading_state is TradingState.ACTIVE:
            return None
        return f"risk says {state.trading_state}, {state.halted_reason or 'no reason'}"

    async def active(self) -> bool:
        return await self.inactive() is None

    async def _refusal(self, order_id: str) -> str | None:
        try:
            found = await self.ask(risk.REFUSALS, risk.RefusalsAsked(account=ACCOUNT, order_id=order_id))
        except (*BUS_AWAY, ValueError):
            return None
        return next((f"{one.code}: {one.message}" for one in found.refusals), None)

    # ── the broker gateway's store ──────────────────────────────────────────────────────────────────────────────

    async def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        """Waits while PostgreSQL is away."""
        while True:
            try:
                if self._store is None or self._store.is_closed():
                    url = self.ground.place.addresses.service_postgres_url("broker_gateway")
                    self._store = await asyncpg.connect(url, timeout=2)
                return [dict(row) for row in await self._store.fetch(sql, *arguments, timeout=5)]
            except AWAY:
                if self._store is not None:
                    self._store.terminate()
                    self._store = None
                await asyncio.sleep(0.05)

    async def status(self, order_id: str) -> str | None:
        """As the broker gateway has committed it; ``refused`` where risk said no; None where nobody knows it yet."""
        rows = await self.rows("SELECT status FROM orders WHERE order_id = $1", order_id)
        if rows:
            return str(rows[0]["status"])
        return "refused" if order_id in self.refused else None

    async def reaches(self, terms: OrderTerms, *statuses: str, within_s: float = 30.0) -> str:
        """The first of ``statuses`` that the order has; raises NotInTime."""
        deadline_s = monotonic_s() + within_s
        while True:
            status = await self.status(terms.order_id)
            if status in statuses:
                assert status is not None
                return status
            if status is None:
                refusal = await self._refusal(terms.order_id)
                if refusal is not None:
                    self.refused[terms.order_id] = refusal
                    continue
            if monotonic_s() > deadline_s:
                why = self.refused.get(terms.order_id) or await self._reason(terms.order_id)
                raise NotInTime(f"an order is {status or 'nowhere'} {why}, not {' or '.join(statuses)}")
            await asyncio.sleep(0.01)

    async def _reason(self, order_id: str) -> str:
        rows = await self.rows("SELECT reason_code, reason_message FROM orders WHERE order_id = $1", order_id)
        return "".join(f"({row['reason_code']}: {row['reason_message']})" for row in rows if row["reason_code"])

    async def steps(self, terms: OrderTerms) -> list[tuple[str, datetime]]:
        rows = await self.rows("SELECT status, time FROM order_steps WHERE order_id = $1 ORDER BY step", terms.order_id)
        return [(row["status"], row["time"]) for row in rows]

    async def compared_since(self, since: datetime) -> bool:
        """Whether a comparison with the venue has ended well after ``since``."""
        rows = await self.rows("SELECT reconciled FROM accounts WHERE account = $1", ACCOUNT)
        newest = json.loads(rows[0]["reconciled"]) if rows and rows[0]["reconciled"] else None
        return bool(newest and newest["ok"] and datetime.fromisoformat(newest["checked_at"]) > since)

    async def settles(self, within_s: float = 60.0) -> None:
        """Until each order proposed is known to the end or to be working, and a comparison after that ended well."""
        deadline_s = monotonic_s() + within_s
        for terms in self.proposed.values():
            left_s = max(1.0, deadline_s - monotonic_s())
            await self.reaches(
                terms,
                *("open", "partially_filled", "filled", "cancelled", "rejected", "refused", "lost"),
                within_s=left_s,
            )
        since = SystemClock().now()
        while not await self.compared_since(since):
            if monotonic_s() > deadline_s:
                raise NotInTime("our books and the venue's were not found equal again")
            await asyncio.sleep(0.05)


@asynccontextmanager
async def trading(ground: Ground) -> AsyncIterator[Trader]:
    """A trader whose account is reconciled and may trade."""
    async with Trader(ground) as trader:
        await until_active(trader)
        yield trader


async def until_active(trader: Trader, within_s: float = 60.0) -> None:
    """The broker gateway is ready, risk says active, and an order passes; raises NotInTime."""
    deadline_s = monotonic_s() + within_s
    detail = ""
    while monotonic_s() < deadline_s:
        problem = await trader.ground.problem("broker_gateway") or await trader.inactive()
        if problem is not None:
            detail = problem
        else:
            # Prices may still be unknown to risk: only an order that passes shows that all of it works.
            terms = await trader.propose(
                trader.terms(Side.BUY, trader.quantity(), await trader.price(Side.BUY, "0.03"))
            )
            if await trader.reaches(terms, "open", "refused", "cancelled", "rejected") == "open":
                await trader.cancel(terms)
                await trader.reaches(terms, "cancelled", "filled")
                return
            detail = trader.refused.get(terms.order_id, "its first order was cancelled")
        await asyncio.sleep(0.1)
    raise NotInTime(f"the account did not become active within {within_s:.0f} s: {detail}")


async def _ignore(error: Exception) -> None:
    """What goes wrong comes back from the call that meets it."""

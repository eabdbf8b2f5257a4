"""What the handlers need of the outside."""

from datetime import datetime
from typing import Protocol

import asyncpg
from algotrendy_common.database import UNREACHABLE
from algotrendy_common.enums import Severity
from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import Event
from algotrendy_common.events.market import QuoteChanged
from algotrendy_common.events.order import OrderUpdated
from algotrendy_common.rpc.broker_gateway import Balances, Positions
from algotrendy_common.rpc.ingest import InstrumentInfo

STORE_AWAY = (*UNREACHABLE, asyncpg.PostgresError, Retryable, TimeoutError)
"""What a store that does not answer now looks like."""


class Platform(Protocol):
    """The other services. Each call raises ``Retryable`` where no answer comes."""

    async def instruments(self) -> tuple[InstrumentInfo, ...]: ...

    async def quotes(self) -> tuple[QuoteChanged, ...]: ...

    async def positions(self, account: str) -> Positions: ...

    async def balances(self, account: str) -> Balances: ...

    async def orders(self, account: str, before: datetime | None = None) -> tuple[OrderUpdated, ...]:
        """Newest first, a page; ``before`` goes on from an order's creation."""
        ...


class Announcer(Protocol):
    """What is told without a transaction: states that are soon told again, and alerts."""

    async def publish(self, event: Event) -> None: ...

    async def alert(self, severity: Severity, code: str, message: str, **context: object) -> None: ...

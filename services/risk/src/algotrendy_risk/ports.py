"""What the handlers need of the outside."""

from typing import Protocol

from algotrendy_common.enums import Severity
from algotrendy_common.events.event import Event
from algotrendy_common.events.market import QuoteChanged
from algotrendy_common.events.order import OrderUpdated
from algotrendy_common.rpc.broker_gateway import Balances, Positions
from algotrendy_common.rpc.ingest import InstrumentInfo


class Platform(Protocol):
    """The other services. Each call raises ``Retryable`` where no answer comes."""

    async def instruments(self) -> tuple[InstrumentInfo, ...]: ...

    async def quotes(self) -> tuple[QuoteChanged, ...]: ...

    async def positions(self, account: str) -> Positions: ...

    async def balances(self, account: str) -> Balances: ...

    async def orders(self, account: str) -> tuple[OrderUpdated, ...]:
        """The newest few hundred."""
        ...


class Announcer(Protocol):
    """What is told without a transaction: states that are soon told again, and alerts."""

    async def publish(self, event: Event) -> None: ...

    async def alert(self, severity: Severity, code: str, message: str, **context: object) -> None: ...

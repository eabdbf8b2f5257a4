"""What the gateway needs of a venue.

Invariant: ``submit`` and ``cancel`` say what the venue said or raise; they never decide, never retry and never make
an id.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.domain.venue_report import VenueReport


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The user stream is live (again): whatever happened before this moment has to be asked for."""


@dataclass(frozen=True, slots=True)
class StreamLost:
    detail: str


@dataclass(frozen=True, slots=True)
class BalancesReported:
    """The balances of the assets that changed, not of all."""

    balances: tuple[AssetBalance, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something arrived that could not be understood; the books must be compared."""

    detail: str


StreamMessage = StreamOpened | StreamLost | BalancesReported | Unreadable | VenueReport


class Venue(Protocol):
    """One account at one venue. Queries raise ``VenueUnreachable`` where no answer comes."""

    name: str

    async def connect(self) -> None:
        """Load the markets; raises KeyTooPowerful where the key may withdraw, VenueUnreachable where nobody answers."""
        ...

    async def close(self) -> None: ...

    def assets(self, symbol: str) -> tuple[str, str]:
        """Base and quote; raises VenueRefused where the venue does not list the symbol."""
        ...

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        """Raises VenueRefused on the venue's explicit no, OutcomeUnknown on anything else that is not a yes."""
        ...

    async def cancel(self, symbol: str, client_id: str) -> VenueReport | None:
        """The order after it; None where the venue holds no such working order. Raises as ``submit``."""
        ...

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        """By client id; None where the venue does not know it (which need not stay so)."""
        ...

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None: ...

    async def open_orders(self) -> tuple[VenueReport, ...]: ...

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]: ...

    async def fills_after(self, symbol: str, trade_id: int) -> tuple[Fill, ...]:
        """All of the account's trades of a symbol with a greater id, oldest first."""
        ...

    async def last_trade_id(self, symbol: str) -> int:
        """0 where the account never traded the symbol."""
        ...

    async def balances(self) -> tuple[AssetBalance, ...]:
        """Every asset that is not zero."""
        ...

    async def ping(self) -> None:
        """Anything that keeps the connection warm."""
        ...

    def stream(self) -> AsyncGenerator[StreamMessage]:
        """The account's own messages, each once and in order, over as many connections as it takes."""
        ...

"""What the gateway needs of a venue.

Invariant: ``submit`` and ``cancel`` say what the venue said or raise; they never decide, never retry and never make
an id.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from algotrendy_common.enums import MarginMode
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.rpc.broker_gateway import EarnProduct
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument

from algotrendy_broker_gateway.domain.capabilities import Capabilities as Capabilities
from algotrendy_broker_gateway.domain.capabilities import DuplicateIds as DuplicateIds
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


@dataclass(frozen=True, slots=True)
class FillPage:
    """Fills after a cursor, oldest first, and the cursor after them."""

    fills: tuple[Fill, ...]
    cursor: str
    """Opaque to everybody but the adapter; later pages may repeat fills of earlier ones, they never skip one."""


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """A derivative or margin position as the venue has it; spot holdings are balances."""

    symbol: str
    quantity: Decimal
    """Signed, base."""
    entry_price: Decimal | None
    mark_price: Decimal | None
    liquidation_price: Decimal | None
    leverage: Decimal | None
    margin_mode: MarginMode
    as_of: datetime


class Venue(Protocol):
    """One account at one venue. Queries raise ``VenueUnreachable`` where no answer comes."""

    name: str
    capabilities: Capabilities

    async def connect(self) -> None:
        """Load the markets; raises KeyTooPowerful where the key may withdraw, VenueUnreachable where nobody answers."""
        ...

    async def close(self) -> None: ...

    def assets(self, symbol: str) -> tuple[str, str]:
        """Base and quote (the settlement currency of a derivative); raises VenueRefused where it is not listed."""
        ...

    def instrument(self, symbol: str) -> Instrument:
        """Steps, limits and fees as the venue lists them; raises as ``assets``."""
        ...

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        """Raises VenueRefused on the venue's explicit no, OutcomeUnknown on anything else that is not a yes.

        ``terms`` ask for nothing outside ``capabilities``; one OCO order is one call, one client id and one report.
        """
        ...

    async def cancel(self, symbol: str, client_id: str, venue_order_id: str | None = None) -> VenueReport | None:
        """The order after it; None where the venue holds no such working order. Raises as ``submit``.

        A venue that cannot cancel by client id uses ``venue_order_id``, or finds it among the open orders.
        """
        ...

    async def cancel_all(self) -> None:
        """Everything working on the account, in as few calls as the venue allows; raises as ``submit``."""
        ...

    async def arm_dead_man_switch(self, timeout: timedelta) -> None:
        """The venue is to cancel everything unless this is called again within ``timeout``; zero disarms.

        Raises VenueRefused where ``capabilities`` have none.
        """
        ...

    async def set_leverage(self, symbol: str, leverage: Decimal, mode: MarginMode) -> None:
        """Raises VenueRefused where the venue has none or says no."""
        ...

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        """By client id; None where the venue does not know it (which need not stay so)."""
        ...

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None: ...

    async def open_orders(self) -> tuple[VenueReport, ...]:
        """Waiting triggered orders among them."""
        ...

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]: ...

    async def fills_cursor(self, symbol: str) -> str:
        """The cursor after everything that was traded until now."""
        ...

    async def fills_after(self, symbol: str, cursor: str) -> FillPage:
        """All of the account's trades of a symbol after ``cursor``."""
        ...

    async def balances(self) -> tuple[AssetBalance, ...]:
        """Every asset that is not zero."""
        ...

    async def positions(self) -> tuple[VenuePosition, ...]:
        """Derivatives and margin; empty on spot."""
        ...

    async def ping(self) -> None:
        """Anything that keeps the connection warm."""
        ...

    def stream(self) -> AsyncGenerator[StreamMessage]:
        """The account's own messages, each once and in order, over as many connections as it takes."""
        ...


class Earn(Protocol):
    """Staking, where a venue offers it; a port of its own because nothing in trading needs it."""

    async def products(self, asset: str | None) -> tuple[EarnProduct, ...]: ...

    async def change(self, product_id: str, amount: Decimal, allocate: bool) -> None:
        """Allocate or take back; raises VenueRefused (``earn_busy`` while an earlier change is under way)."""
        ...

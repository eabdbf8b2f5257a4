"""The other services over the bus."""

from datetime import datetime

from algotrendy_common.bus import Bus
from algotrendy_common.events.market import QuoteChanged
from algotrendy_common.events.order import OrderUpdated
from algotrendy_common.rpc import broker_gateway, ingest
from algotrendy_common.rpc.broker_gateway import AccountAsked, Balances, OrdersAsked, Positions
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.rpc.ingest import InstrumentInfo

_TIMEOUT_S = 2.0


class BusPlatform:
    """``ports.Platform`` by remote calls."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def instruments(self) -> tuple[InstrumentInfo, ...]:
        return (await self._bus.ask(ingest.INSTRUMENTS, Nothing(), _TIMEOUT_S)).instruments

    async def quotes(self) -> tuple[QuoteChanged, ...]:
        return tuple(row.quote for row in (await self._bus.ask(ingest.QUOTES, Nothing(), _TIMEOUT_S)).quotes)

    async def positions(self, account: str) -> Positions:
        return await self._bus.ask(broker_gateway.POSITIONS, AccountAsked(account=account, limit=1000), _TIMEOUT_S)

    async def balances(self, account: str) -> Balances:
        return await self._bus.ask(broker_gateway.BALANCES, AccountAsked(account=account), _TIMEOUT_S)

    async def orders(self, account: str, before: datetime | None = None) -> tuple[OrderUpdated, ...]:
        asked = OrdersAsked(account=account, before=before)
        return (await self._bus.ask(broker_gateway.ORDERS, asked, _TIMEOUT_S)).orders

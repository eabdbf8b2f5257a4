"""The broker gateway over the bus: which accounts there are, and who stands in for whom."""

from algotrendy_common.bus import Bus
from algotrendy_common.rpc import broker_gateway
from algotrendy_common.rpc.broker_gateway import AccountInfo
from algotrendy_common.rpc.call import Nothing


class BrokerGateway:
    """``rerouting.Asking``."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def accounts(self) -> tuple[AccountInfo, ...]:
        return (await self._bus.ask(broker_gateway.ACCOUNTS, Nothing())).accounts

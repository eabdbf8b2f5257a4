"""What the handlers and the desk need of the world."""

from typing import Protocol

from algotrendy_common.events.event import Record
from algotrendy_common.rpc.call import Call

from algotrendy_gateway.domain.alerts import Alert


class AlertStore(Protocol):
    async def add(self, alert: Alert) -> None:
        """Keep it, once."""
        ...


class Asking(Protocol):
    async def ask[Req: Record, Res: Record](self, call: Call[Req, Res], request: Req) -> Res:
        """Raises ``Refused`` as the service said it, ``ServiceMissing`` where it says nothing."""
        ...

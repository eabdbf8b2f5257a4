"""The other services, asked over the bus.

Invariant: a service that does not answer is named in the error; an answer is never made up for it.
"""

from algotrendy_common.bus import Bus
from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import Record
from algotrendy_common.rpc.call import Call
from pydantic import ValidationError

from algotrendy_gateway.errors import ServiceMissing

_TIMEOUT_S = 2.0


class Peers:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def ask[Req: Record, Res: Record](self, call: Call[Req, Res], request: Req) -> Res:
        """Raises ``Refused`` as the service said it, ``ServiceMissing`` where it says nothing or nothing readable."""
        try:
            return await self._bus.ask(call, request, timeout_s=_TIMEOUT_S)
        except Retryable as error:
            raise ServiceMissing(call.service, error.args[0]) from error
        except ValidationError as error:
            raise ServiceMissing(call.service, f"its answer to {call.verb} cannot be read") from error

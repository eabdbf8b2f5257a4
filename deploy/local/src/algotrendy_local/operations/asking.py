"""Calls to the services of a running stack, for whoever is no service."""

import nats.errors
from algotrendy_common.bus import Fault
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.event import Record
from algotrendy_common.rpc.call import Call
from nats.aio.client import Client


class Asker:
    """What ``Bus.ask`` does, over a connection as any user who may."""

    def __init__(self, client: Client, timeout_s: float = 10.0) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def ask[Req: Record, Res: Record](self, call: Call[Req, Res], request: Req) -> Res:
        """Raises the service's Refused, or Retryable where it does not answer."""
        try:
            message = await self._client.request(
                call.subject, request.model_dump_json().encode(), timeout=self._timeout_s
            )
        except (TimeoutError, nats.errors.Error) as error:
            raise Retryable(f"{call.service} does not answer", call=call.subject) from error
        if message.headers and "Algotrendy-Fault" in message.headers:
            fault = Fault.model_validate_json(message.data)
            raise Refused(fault.code, fault.message)
        return call.response.model_validate_json(message.data)

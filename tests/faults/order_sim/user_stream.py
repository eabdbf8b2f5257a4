"""The venue's user stream: what it tells of the account, delayed, and now and then twice, late, or to nobody.

Invariant: while the network is calm it tells everything once and in order, as long as somebody is connected.
"""

import asyncio
from contextvars import Context

from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.ports import StreamLost, StreamMessage

from tests.faults.order_sim.virtual_wire import Network


class UserStream:
    def __init__(self, network: Network, disorder: float) -> None:
        self._network = network
        self._disorder = disorder
        self._line: asyncio.Queue[StreamMessage] | None = None
        self._last_s = 0.0
        self.last_told_s = 0.0
        """When something last happened to the account at the venue."""
        self.silent_until_s = 0.0
        network.exchange.tell = self.tell

    def connect(self) -> asyncio.Queue[StreamMessage]:
        self._line = asyncio.Queue()
        return self._line

    def cut(self) -> None:
        if self._line is not None:
            self._line.put_nowait(StreamLost("cut"))
            self._line = None

    def tell(self, report: VenueReport) -> None:
        network = self._network
        self.last_told_s = network.loop.now_s
        if self._line is None or network.loop.now_s < self.silent_until_s:
            return
        delay_s = network.latency()
        if network.calm or network.chance.random() >= self._disorder:
            # In order, whatever each one's own delay.
            self._last_s = max(self._last_s, network.loop.now_s + delay_s)
            self._send(self._last_s - network.loop.now_s, report)
            return
        self._send(delay_s + network.chance.uniform(0, 1.5), report)
        if network.chance.random() < 0.5:
            self._send(delay_s, report)

    def _send(self, delay_s: float, report: VenueReport) -> None:
        line = self._line
        assert line is not None
        self._network.loop.call_later(delay_s, line.put_nowait, report, context=Context())

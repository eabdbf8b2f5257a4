"""Balances of a venue whose stream does not tell what is available: asked again after something moved.

Invariant: many moves make one question, and two questions are at least ``least_s`` apart; one that is not answered is
asked again.
"""

import asyncio
from collections.abc import Awaitable, Callable

from algotrendy_common.events.account import AssetBalance

from algotrendy_broker_gateway.errors import VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import BalancesReported

_GATHER_S = 0.1
"""What moves together is heard together."""


class BalanceWatch:
    def __init__(
        self,
        ask: Callable[[], Awaitable[tuple[AssetBalance, ...]]],
        tell: Callable[[BalancesReported], None],
        least_s: float,
    ) -> None:
        self._ask = ask
        self._tell = tell
        self._least_s = least_s
        self._moved = asyncio.Event()

    def moved(self) -> None:
        self._moved.set()

    async def run(self) -> None:
        """For as long as the stream is up."""
        while True:
            await self._moved.wait()
            await asyncio.sleep(_GATHER_S)
            self._moved.clear()
            try:
                self._tell(BalancesReported(await self._ask()))
            except (VenueUnreachable, VenueRefused):
                self._moved.set()
            await asyncio.sleep(self._least_s)

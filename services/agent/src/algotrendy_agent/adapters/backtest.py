"""The backtest service over the bus: what it found of a strategy."""

from algotrendy_common.bus import Bus
from algotrendy_common.rpc import backtest
from algotrendy_common.rpc.backtest import Verdict, VerdictAsked


class Backtest:
    """``promotion.Research``."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def verdict(self, asked: VerdictAsked) -> Verdict:
        return await self._bus.ask(backtest.VERDICT, asked)

"""What a strategy's runner needs of the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from algotrendy_common.enums import Severity, Timeframe
from algotrendy_common.rpc.ingest import Candle


class MarketHistory(Protocol):
    """Candles of the past, closed ones only, oldest first. Each call raises ``Retryable`` where no answer comes."""

    async def newest(self, venue: str, symbol: str, timeframe: Timeframe, count: int) -> list[Candle]:
        """The last ``count``, or as many as there are."""
        ...

    async def between(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime, end: datetime | None
    ) -> list[Candle]:
        """Those that open in [start, end)."""
        ...


class Announcer(Protocol):
    async def alert(self, severity: Severity, code: str, message: str, **context: object) -> None: ...


class Near(Protocol):
    @property
    def event_id(self) -> str: ...

    @property
    def similarity(self) -> float: ...


class SituationIndex(Protocol):
    """Vectors of past situations by the id of their signal. Calls block; whoever makes them does so in a thread."""

    def begin(self, size: int) -> None: ...

    def add(self, event_id: str, strategy: str, vector: Sequence[float]) -> None: ...

    def nearest(self, strategy: str, vector: Sequence[float], limit: int, but: str) -> Sequence[Near]: ...

    def close(self) -> None: ...

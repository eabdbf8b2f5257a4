"""The same instrument at several venues: an alert where their prices part.

Invariant: one alert an episode. It begins when two venues were apart at several looks in a row and ends with a look at
which they were not, so a venue that is a moment ahead of another is no episode.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from algotrendy_common.enums import Severity
from algotrendy_common.events.market import QuoteChanged
from algotrendy_common.telemetry import log
from algotrendy_core.data_quality.venues import LIMIT, Price, disagreements

from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.metrics import VENUES_APART
from algotrendy_ingest.ports import Alarm

_LOOK_S = 2.0
_LOOKS = 3

type Pair = tuple[str, str, str]
"""Symbol, and two venues by name."""


class CrossCheck:
    def __init__(
        self, venues: Mapping[str, Mapping[str, Market]], alarm: Alarm, *, limit: Decimal = LIMIT, looks: int = _LOOKS
    ) -> None:
        """``venues``: the markets of each, by symbol."""
        self._venues = venues
        self._alarm = alarm
        self._limit = limit
        self._looks = looks
        self._apart: dict[Pair, int] = {}
        self._log = log("crosscheck")

    async def look_forever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look()

    async def look(self) -> None:
        apart: dict[Pair, Decimal] = {}
        for symbol in {symbol for markets in self._venues.values() for symbol in markets}:
            prices = {
                venue: _price(market.quote)
                for venue, markets in self._venues.items()
                if (market := markets.get(symbol)) is not None and market.quote is not None
            }
            for found in disagreements(prices, limit=self._limit):
                apart[symbol, found.one, found.other] = found.apart
        for over in [pair for pair in self._apart if pair not in apart]:
            VENUES_APART.labels(*over).set(0)
            if self._apart.pop(over) >= self._looks:
                self._log.info("venues agree again", symbol=over[0], one=over[1], other=over[2])
        for pair, ratio in apart.items():
            VENUES_APART.labels(*pair).set(float(ratio))
            self._apart[pair] = self._apart.get(pair, 0) + 1
            if self._apart[pair] == self._looks:
                await self._tell(pair, ratio)

    async def _tell(self, pair: Pair, ratio: Decimal) -> None:
        symbol, one, other = pair
        await self._alarm.alert(
            Severity.WARNING,
            "venues_apart",
            f"{one} and {other} are {ratio:.2%} apart on {symbol}, more than {self._limit:.1%}",
            symbol=symbol, one=one, other=other, apart=str(round(ratio, 6)),
        )  # fmt: skip


def _price(quote: QuoteChanged) -> Price:
    return Price((quote.bid + quote.ask) / 2, quote.event_time)

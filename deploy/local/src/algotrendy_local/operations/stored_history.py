"""The newest candles that the running stack has, as a history to be examined."""

import asyncio

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.rpc.ingest import CANDLES, Candle, CandlesAsked
from algotrendy_core.data_quality.history import PriceHistory, history_of

from algotrendy_local.operations.asking import Asker
from algotrendy_local.operations.connection import connected, running_place
from algotrendy_local.settings import LocalSettings

_PAGE = 1000


def newest_candles(settings: LocalSettings, venue: str, symbol: str, timeframe: Timeframe, count: int) -> PriceHistory:
    """At most ``count`` closed ones; raises StackError where no stack runs, Refused where it has none of these."""
    candles = asyncio.run(_newest(settings, venue, symbol, timeframe, count))
    if not candles:
        raise Refused("no_candles", f"there are no closed candles of {symbol} at {venue} yet")
    return history_of(
        [to_ms(each.open_time) for each in candles],
        [(float(each.open), float(each.high), float(each.low), float(each.close)) for each in candles],
        [float(each.volume) for each in candles],
    )


async def _newest(settings: LocalSettings, venue: str, symbol: str, timeframe: Timeframe, count: int) -> list[Candle]:
    found: list[Candle] = []
    async with connected(running_place(settings), "gateway") as client:
        asker = Asker(client)
        end = None
        while len(found) < count:
            asked = CandlesAsked(
                venue=venue, symbol=symbol, timeframe=timeframe, end=end, limit=min(_PAGE, count - len(found) + 1)
            )
            page = (await asker.ask(CANDLES, asked)).candles
            found = [each for each in page if each.closed] + found
            if not page or (end is not None and page[0].open_time >= end):
                break
            end = page[0].open_time
    return found[-count:]

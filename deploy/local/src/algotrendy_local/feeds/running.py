"""The feeds of the running stack, asked about and told over its bus with the gateway's rights."""

from algotrendy_common.errors import Refused
from algotrendy_common.events.event import Record
from algotrendy_common.events.market import FeedHealthChanged
from algotrendy_common.rpc import ingest
from algotrendy_common.rpc.call import Call, Nothing
from pydantic import ValidationError

from algotrendy_local.operations.asking import Asker
from algotrendy_local.operations.connection import connected
from algotrendy_local.topology import Place

PATIENCE_S = 60.0
"""A symbol's candles are fetched before it is listened to."""


async def health(place: Place) -> tuple[FeedHealthChanged, ...]:
    """Raises StackError where nothing runs, Retryable where ingest does not answer."""
    return (await _asked(place, ingest.FEEDS, Nothing())).feeds


async def follow(place: Place, venue: str, symbol: str) -> tuple[str, ...]:
    """What the venue is followed for from here on. Raises Refused where it cannot have that one."""
    return (await _asked(place, ingest.FOLLOW, _market(venue, symbol))).symbols


async def unfollow(place: Place, venue: str, symbol: str) -> tuple[str, ...]:
    return (await _asked(place, ingest.UNFOLLOW, _market(venue, symbol))).symbols


def _market(venue: str, symbol: str) -> ingest.MarketNamed:
    try:
        return ingest.MarketNamed(venue=venue, symbol=symbol)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise Refused("no_name", f"{wrong['input']!r} is no {wrong['loc'][0]}") from error


async def _asked[Req: Record, Res: Record](place: Place, call: Call[Req, Res], request: Req) -> Res:
    async with connected(place, "gateway") as client:
        return await Asker(client, PATIENCE_S).ask(call, request)

"""A venue's feed put together: its lines and its REST, at the addresses that were set."""

from datetime import timedelta

from algotrendy_common.clock import Clock

from algotrendy_ingest.adapters.registry import ADAPTERS, loaded
from algotrendy_ingest.adapters.socket_feed import SocketFeed


def open_feed(
    venue: str,
    http_url: str,
    ws_url: str,
    symbols: tuple[str, ...],
    clock: Clock,
    *,
    book_interval: timedelta,
    mute_after: timedelta,
    mute_trades_after: timedelta,
) -> SocketFeed:
    """A venue that has several addresses has all of them at one that is not its own: there it is simulated."""
    adapter = ADAPTERS[venue]
    return SocketFeed(
        loaded(adapter.line),
        loaded(adapter.rest)(http_url, symbols, clock, elsewhere=http_url != adapter.http),
        ws_url,
        symbols,
        clock,
        book_interval=book_interval,
        mute_after=mute_after,
        mute_trades_after=mute_trades_after,
        elsewhere=ws_url != adapter.ws,
    )

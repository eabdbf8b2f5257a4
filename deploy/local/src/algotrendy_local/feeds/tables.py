"""Replayed symbols and the health of feeds, for reading."""

from collections.abc import Sequence
from datetime import datetime

from algotrendy_common.enums import FeedState
from algotrendy_common.events.market import FeedHealthChanged
from algotrendy_ingest.replaying import State, SymbolState
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WIDE = 200


def show(state: State) -> None:
    """What was counted of all symbols, then each book's best levels."""
    console = _console()
    console.print(f"[bold]after message {state.message}[/]")
    console.print(_counts(state.symbols))
    for symbol in state.symbols:
        if symbol.book_ready:
            console.print(_levels(symbol))


_COLOURS = {FeedState.LIVE: "green", FeedState.QUIET: "yellow", FeedState.CONNECTING: "yellow"}


def show_feeds(feeds: Sequence[FeedHealthChanged]) -> None:
    table = Table("venue", box=None, pad_edge=False, header_style="bold")
    for column in ("state", "lag", "to the bus", "complete up to", "last message", "gaps", "reconnects", "missing"):
        table.add_column(column)
    table.add_column("stale", overflow="fold")
    for feed in feeds:
        table.add_row(
            f"{feed.venue} [dim](replay)[/]" if feed.replay else feed.venue,
            f"[{_COLOURS.get(feed.state, 'bold red')}]{feed.state}[/]",
            _milliseconds(feed.lag_ms),
            _milliseconds(feed.latency_ms),
            _time(feed.watermark),
            _time(feed.last_message_at),
            str(feed.gaps),
            str(feed.reconnects),
            str(feed.missing_trades),
            ", ".join(feed.stale_symbols) or "none",
        )
    _console().print(table)


def _milliseconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g} ms"


def _time(value: datetime | None) -> str:
    return "never" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


def _console() -> Console:
    console = Console(emoji=False, highlight=False)
    return console if console.is_terminal else Console(emoji=False, highlight=False, width=_WIDE)


def _counts(symbols: list[SymbolState]) -> Table:
    table = Table("symbol", box=None, pad_edge=False, header_style="bold")
    for column in ("levels", "trades", "quantity", "price x quantity", "sequence", "checksum", "crossed", "lost"):
        table.add_column(column, justify="right")
    table.add_column("first and last trade", overflow="fold")
    for each in symbols:
        table.add_row(
            escape(each.symbol),
            f"{each.bid_levels} / {each.ask_levels}" if each.book_ready else "no book",
            str(each.trades),
            each.quantity,
            each.notional,
            _verdict(each.sequence_right, each.sequence_wrong),
            _verdict(each.checksum_right, each.checksum_wrong),
            str(each.crossed),
            f"{each.books_lost}{f' ({escape(each.lost_last)})' if each.lost_last else ''}",
            " … ".join(dict.fromkeys(filter(None, (each.first_trade_id, each.last_trade_id)))),
        )
    return table


def _verdict(right: int, wrong: int) -> str:
    if not right and not wrong:
        return "none"
    return f"{right} right" + (f", [bold red]{wrong} wrong[/]" if wrong else "")


def _levels(symbol: SymbolState) -> Table:
    table = Table(title=escape(symbol.symbol), title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in ("quantity", "bid", "ask", "quantity"):
        table.add_column(column, justify="right")
    for i in range(max(len(symbol.bids), len(symbol.asks))):
        bid = symbol.bids[i] if i < len(symbol.bids) else ("", "")
        ask = symbol.asks[i] if i < len(symbol.asks) else ("", "")
        table.add_row(bid[1], bid[0], ask[0], ask[1])
    return table

"""Kraken's socket as it was before v2: arrays of channel number, content, channel name and pair. Read from recordings.

Trades have no numbers there, and a book's first message no checksum. Source: docs.kraken.com, "Spot WebSocket v1".
Invariant: as ``KrakenLine``, whose markets and books these are.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from algotrendy_common.clock import to_ms

from algotrendy_ingest.domain.ticks import Cause, Stamp
from algotrendy_ingest.wire import kraken_words as words
from algotrendy_ingest.wire.kraken_book import DEPTHS, Change
from algotrendy_ingest.wire.protocol import Heard, Refusal

if TYPE_CHECKING:
    from algotrendy_ingest.wire.kraken import KrakenLine

_CANDLE_MINUTES = 5


class OldLayout:
    def __init__(self, line: "KrakenLine") -> None:
        self._line = line
        self._last_trade: dict[str, tuple[str, int]] = {}

    def event(self, message: dict[str, Any]) -> list[Heard]:
        match message:
            case {"event": "subscriptionStatus", "status": "error", "errorMessage": str(error)}:
                return [Refusal(f"{message.get('pair', 'subscription')}: {error}")]
            case {"event": "error", "errorMessage": str(error)}:
                return [Refusal(error)]
        return []

    def read(self, message: list[Any], received: Stamp) -> list[Heard]:
        _, *contents, channel, pair = message
        kind, _, detail = channel.partition("-")
        symbol = self._line.market(pair).names.symbol
        match kind:
            case "book":
                return self._book(pair, int(detail) if detail else DEPTHS[0], contents, received)
            case "trade":
                return [self._trade(row, pair, symbol, received) for row in contents[0]]
            case "ticker":
                ticker = contents[0]
                bid, ask = ((ticker[side][0], ticker[side][2]) for side in ("b", "a"))
                quote = words.quote_of(symbol, bid, ask, self._line.later(None, received), received)
                return [] if quote is None else [quote]
            case "spread":
                bid_price, ask_price, time, bid_quantity, ask_quantity = contents[0]
                when = self._line.later(words.unix_instant(time), received)
                quote = words.quote_of(symbol, (bid_price, bid_quantity), (ask_price, ask_quantity), when, received)
                return [] if quote is None else [quote]
            case "ohlc":
                return self._candle(contents[0], int(detail or _CANDLE_MINUTES), symbol, received)
        raise ValueError(f"{channel!r} is no channel of Kraken's")

    def _book(self, pair: str, depth: int, contents: list[dict[str, Any]], received: Stamp) -> list[Heard]:
        self._line.is_of_depth(pair, depth)
        market = self._line.market(pair)
        content = {name: rows for part in contents for name, rows in part.items()}
        snapshot = "as" in content or "bs" in content
        try:
            bids, asks = (content.get("bs" if snapshot else "b", []), content.get("as" if snapshot else "a", []))
            sent = content.get("c")
            newest = max((row[2] for row in (*bids, *asks)), default=None)
            time_ms = to_ms(received.time) if newest is None else words.unix_ms(newest)
            change = Change(bids, asks, None if sent is None else int(sent), time_ms, snapshot)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            if not market.book.ready:
                raise
            return [market.lose(Cause.SEQUENCE, f"a change cannot be read: {error!r}")]
        return self._line.changed(market, change, received)

    def _trade(self, row: list[Any], pair: str, symbol: str, received: Stamp) -> Heard:
        """Known by its time, and its place among those of the same microsecond."""
        time = row[2]
        before, place = self._last_trade.get(pair, ("", 0))
        place = place + 1 if time == before else 0
        self._last_trade[pair] = time, place
        trade = words.old_trade_of(row, f"{time}-{place}" if place else time, symbol, received)
        self._line.later(trade.event_time, received)
        return trade

    def _candle(self, row: list[Any], minutes: int, symbol: str, received: Stamp) -> list[Heard]:
        _, end, *prices, vwap, volume, trades = row
        begin = words.unix_instant(end) - timedelta(minutes=minutes)
        bar = words.bar_of(words.TIMEFRAMES[minutes], begin, prices, vwap, volume, trades, complete=False)
        return self._line.grown(symbol, bar, received)

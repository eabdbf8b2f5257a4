"""Coinbase's Exchange feed, as it was before Advanced Trade: read from recordings.

A book's messages bear no number there, only a time to the microsecond, and trades are numbered one by one: time that
goes back and a trade that is missing are the only proofs that something was lost. Invariant: as ``CoinbaseLine``.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from algotrendy_ingest.domain.ticks import Cause, Stamp
from algotrendy_ingest.wire import coinbase_words as words
from algotrendy_ingest.wire.coinbase_book import Books, Change
from algotrendy_ingest.wire.protocol import Heard, Market

if TYPE_CHECKING:
    from algotrendy_ingest.wire.coinbase import CoinbaseLine


class ExchangeFeed:
    def __init__(self, line: "CoinbaseLine", books: Books) -> None:
        self._line = line
        self._books = books
        self._last_trades: dict[str, int] = {}
        self._last_changes: dict[str, datetime] = {}

    def read(self, message: dict[str, Any], received: Stamp) -> list[Heard]:
        kind = message["type"]
        if kind == "subscriptions":
            return []
        market = self._line.market(message["product_id"])
        match kind:
            case "l2update":
                return self._changed(market, message, received)
            case "snapshot":
                self._last_changes.pop(market.names.id, None)
                change = Change(message["bids"], message["asks"], received.time, snapshot=True, sequence=None)
                return self._books.take(market, change, received)
            case "match" | "last_match":
                return self._traded(market, message, received)
            case "ticker" if "best_bid_size" in message and not market.book.ready:
                bid, ask = ((message[f"best_{side}"], message[f"best_{side}_size"]) for side in ("bid", "ask"))
                time = words.instant(message["time"])
                quote = words.quote_of(market.names.symbol, bid, ask, time, received)
                return [] if quote is None else [quote]
        return []

    def _changed(self, market: Market, message: dict[str, Any], received: Stamp) -> list[Heard]:
        if not market.book.ready:
            return []
        sides: dict[str, list[tuple[str, str]]] = {"buy": [], "sell": []}
        try:
            for side, price, size in message["changes"]:
                sides[side].append((price, size))
            time = words.instant(message["time"])
        except (ValueError, KeyError, TypeError) as error:
            return [market.lose(Cause.SEQUENCE, f"a change cannot be read: {error!r}")]
        before = self._last_changes.get(market.names.id)
        if before is not None and time < before:
            return [
                market.lose(Cause.SEQUENCE, f"a change of {time:%H:%M:%S.%f} came after one of {before:%H:%M:%S.%f}")
            ]
        self._last_changes[market.names.id] = time
        return self._books.take(
            market, Change(sides["buy"], sides["sell"], time, snapshot=False, sequence=None), received
        )

    def _traded(self, market: Market, message: dict[str, Any], received: Stamp) -> list[Heard]:
        trade = words.trade_of(message, market.names.symbol, received)
        number = int(trade.trade_id)
        before = self._last_trades.get(market.names.id)
        heard: list[Heard] = [trade]
        if before is None or (message["type"] == "last_match" and number == before):
            pass  # the first that is known
        elif number == before + 1:
            market.checks.sequence_right += 1
        elif number > before:
            # Trades and changes come over one socket: where one is missing, so may be others.
            heard.append(market.lose(Cause.SEQUENCE, f"trade {before + 1} was due, {number} came"))
        else:
            market.checks.repeated += 1
        self._last_trades[market.names.id] = max(number, before or 0)
        return heard

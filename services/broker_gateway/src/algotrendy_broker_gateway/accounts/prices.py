"""Live prices, to whom they concern: paper venues that trade at them, and desks that wait for one."""

from collections.abc import Iterator, Mapping

from algotrendy_common.events.market import BookSnapshotTaken, QuoteChanged, TradePrinted

from algotrendy_broker_gateway.accounts.running import RunningAccount
from algotrendy_broker_gateway.adapters.paper import MarketEvent


class Prices:
    def __init__(self, accounts: Mapping[str, RunningAccount]) -> None:
        self._accounts = accounts

    async def on_trade(self, trade: TradePrinted) -> None:
        await self._matched(trade)
        for running in self._at(trade.venue):
            running.desk.trade(trade)

    async def on_quote(self, quote: QuoteChanged) -> None:
        await self._matched(quote)
        for running in self._at(quote.venue):
            running.desk.quote(quote)

    async def on_book(self, book: BookSnapshotTaken) -> None:
        await self._matched(book)

    def _at(self, venue: str) -> Iterator[RunningAccount]:
        return (running for running in self._accounts.values() if running.settings.market == venue)

    async def _matched(self, event: MarketEvent) -> None:
        for running in self._accounts.values():
            if running.paper is not None:
                await running.paper.heard(event)

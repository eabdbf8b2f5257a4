"""What Bybit is asked about an account: its orders, executions, balances and positions, page by page.

Invariant: nothing here changes anything at the venue, and an answer is read whole or not at all.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from algotrendy_common.events.account import AssetBalance
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.adapters import bybit_messages as messages
from algotrendy_broker_gateway.adapters.bybit_messages import LINEAR, SPOT, AssetsOf, SymbolOf
from algotrendy_broker_gateway.adapters.fill_windows import windows
from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.ports import VenuePosition

SETTLED_IN = "USDT"
RANGE_MS = int(timedelta(days=7).total_seconds() * 1000)
"""The longest stretch of time it takes in one question."""
_PAGE_OF_ORDERS, _PAGE_OF_FILLS, _PAGE_OF_POSITIONS = "50", "100", "200"


class Ask(Protocol):
    """Sends a question within the venue's limits and reads its answer; raises as every question of a venue."""

    async def __call__[R](self, call: Callable[[], Awaitable[Any]], read: Callable[[Any], R]) -> R: ...


class Questions:
    def __init__(self, wire: Any, ask: Ask, symbol_of: SymbolOf, assets_of: AssetsOf) -> None:
        self._wire = wire
        self._ask = ask
        self._symbol_of = symbol_of
        self._assets_of = assets_of

    async def order(self, category: str, named: Mapping[str, str]) -> VenueReport | None:
        """Among the open and lately closed ones, else in the history."""
        request = {"category": category, **named}
        for call in (self._wire.privateGetV5OrderRealtime, self._wire.privateGetV5OrderHistory):
            found = await self._ask(
                lambda call=call: call(request),  # type: ignore[misc]
                lambda answer: self._reports(category, answer),
            )
            if found:
                return found[0]
        return None

    async def open_orders(self) -> tuple[VenueReport, ...]:
        spot = {"category": SPOT, "limit": _PAGE_OF_ORDERS}
        linear = {"category": LINEAR, "limit": _PAGE_OF_ORDERS, "settleCoin": SETTLED_IN}
        call = self._wire.privateGetV5OrderRealtime
        found = await self._pages(call, spot, lambda answer: self._reports(SPOT, answer))
        return (*found, *await self._pages(call, linear, lambda answer: self._reports(LINEAR, answer)))

    async def fills(
        self, category: str, wire_symbol: str, since_ms: int, until_ms: int, venue_order_id: str | None = None
    ) -> tuple[Fill, ...]:
        """Oldest first, over as many ranges and pages as it takes: the venue begins each with the newest."""
        found: list[Fill] = []
        for begin_ms, end_ms in windows(since_ms, until_ms, RANGE_MS):
            request = {
                "category": category,
                "symbol": wire_symbol,
                "limit": _PAGE_OF_FILLS,
                "startTime": str(begin_ms),
                "endTime": str(end_ms),
            } | ({} if venue_order_id is None else {"orderId": venue_order_id})
            read = lambda answer: self._executions(category, answer)  # noqa: E731
            found += (await self._pages(self._wire.privateGetV5ExecutionList, request, read))[::-1]
        once = {fill.trade_id: fill for fill in found}
        return tuple(sorted(once.values(), key=lambda fill: fill.event_time))

    async def balances(self) -> tuple[AssetBalance, ...]:
        """Zeros left out."""
        call = lambda: self._wire.privateGetV5AccountWalletBalance({"accountType": "UNIFIED"})  # noqa: E731
        found = await self._ask(call, lambda answer: messages.balances(answer["result"]["list"]))
        return tuple(row for row in found if row.total or row.reserved)

    async def positions(self) -> tuple[VenuePosition, ...]:
        request = {"category": LINEAR, "settleCoin": SETTLED_IN, "limit": _PAGE_OF_POSITIONS}
        read = lambda answer: [messages.position(row, self._symbol_of) for row in answer["result"]["list"]]  # noqa: E731
        found = await self._pages(self._wire.privateGetV5PositionList, request, read)
        return tuple(row for row in found if row is not None)

    async def time_ms(self) -> int:
        return await self._ask(self._wire.publicGetV5MarketTime, lambda answer: int(answer["time"]))

    def _reports(self, category: str, answer: Mapping[str, Any]) -> list[VenueReport]:
        return [VenueReport(messages.order(row, category, self._symbol_of)) for row in answer["result"]["list"]]

    def _executions(self, category: str, answer: Mapping[str, Any]) -> list[Fill]:
        # The rows of an answer do not all say their category; the question did.
        rows = ({"category": category, **row} for row in answer["result"]["list"])
        read = (messages.execution(row, self._symbol_of, self._assets_of) for row in rows)
        return [fill for fill in read if fill is not None]

    async def _pages[R](
        self, call: Callable[[Any], Awaitable[Any]], request: Mapping[str, str], read: Callable[[Any], list[R]]
    ) -> list[R]:
        """What is read from each page, in the venue's order."""
        found: list[R] = []
        asked = dict(request)
        while True:
            page, cursor, rows = await self._ask(
                lambda asked=dict(asked): call(asked),  # type: ignore[misc]
                lambda answer: (
                    read(answer),
                    str(answer["result"].get("nextPageCursor") or ""),
                    len(answer["result"]["list"]),
                ),
            )
            found += page
            if not cursor or not rows:
                return found
            # It comes percent-encoded and goes back as it came.
            asked["cursor"] = cursor

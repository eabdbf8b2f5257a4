"""Binance spot through ccxt: signing, sockets and markets are ccxt's; what is said about money is read raw.

Invariant: only an answer with a 4xx status and the venue's own error code is a refusal. Everything else that is not a
readable yes (timeouts, resets, 5xx, cut or senseless bodies) leaves the outcome unknown.

ccxt's unified calls turn numbers into floats and merge stream messages of one order into its newest state; so orders go
through its signed endpoint calls and stream messages are taken before its caches.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, cast

from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Mode
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.lean_ccxt import load_ccxt
from algotrendy_common.telemetry import log
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.adapters import binance_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.binance_wire import (
    NO_SUCH_ORDER,
    TOO_MANY,
    Answered,
    Wire,
    explicit,
    refused,
    repointed,
)
from algotrendy_broker_gateway.domain.rate_limit import TokenBucket
from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.errors import KeyTooPowerful, OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import BalancesReported, StreamLost, StreamMessage, StreamOpened, Unreadable

ccxt = load_ccxt("binance")

_SENSELESS = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError)
_PAGE = 1000
_RECONNECT_S = (0.1, 0.5, 1.0, 2.0, 5.0)
_WEIGHTS_PER_MINUTE = 6000.0
_ORDERS_PER_TEN_SECONDS = 100.0
"""Binance's own; replaced by what ``exchangeInfo`` says."""


class BinanceVenue:
    """One account. Use ``connect`` first; ``close`` at the end."""

    name = messages.VENUE

    def __init__(self, access: VenueAccess) -> None:
        self._access = access
        self._log = log("binance")
        self._arrived: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._weights = TokenBucket(_WEIGHTS_PER_MINUTE, _WEIGHTS_PER_MINUTE / 60)
        self._orders = TokenBucket(_ORDERS_PER_TEN_SECONDS, _ORDERS_PER_TEN_SECONDS / 10)
        self._silent_until_s = 0.0
        self._market_ids: dict[str, str] = {}
        self._symbols: dict[str, str] = {}
        self._assets: dict[str, tuple[str, str]] = {}
        config = {
            "apiKey": access.api_key.get_secret_value(),
            "secret": access.api_secret.get_secret_value(),
            "timeout": int(access.answer_timeout.total_seconds() * 1000),
            # Its throttle adds milliseconds to every call after the first; ours waits only at the limit.
            "enableRateLimit": False,
            "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
            "streaming": {"keepAlive": 10_000},
        }
        self._wire = Wire(config, self._arrived.put_nowait)
        self._wire.urls["api"] = repointed(self._wire.urls["api"], access.http_url, access.ws_url)

    # -- life --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self._asked(lambda: self._wire.load_markets(True), weight=20)
        for market in self._wire.markets.values():
            if market.get("spot"):
                symbol = f"{market['base']}-{market['quote']}"
                self._market_ids[symbol] = market["id"]
                self._symbols[market["id"]] = symbol
                self._assets[symbol] = (market["base"], market["quote"])
        first = next(iter(self._market_ids.values()), None)
        if first is not None:
            about = await self._asked(lambda: self._wire.public_get_exchangeinfo({"symbol": first}), weight=20)
            self._read(lambda: self._limit_as_told(about["rateLimits"]))
        await self._refuse_withdrawal_rights()

    def _limit_as_told(self, limits: list[dict[str, Any]]) -> None:
        for row in limits:
            seconds = int(row["intervalNum"]) * {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}[row["interval"]]
            allowed = float(row["limit"])
            if row["rateLimitType"] == "REQUEST_WEIGHT" and seconds == 60:
                self._weights = TokenBucket(allowed, allowed / seconds)
            elif row["rateLimitType"] == "ORDERS" and seconds == 10:
                self._orders = TokenBucket(allowed, allowed / seconds)

    async def close(self) -> None:
        await self._wire.close()

    async def _refuse_withdrawal_rights(self) -> None:
        try:
            rights = await self._asked(lambda: self._wire.sapi_get_account_apirestrictions({}), weight=1)
        except VenueRefused as no:
            if self._access.mode is Mode.LIVE:
                raise KeyTooPowerful("the venue does not say what the API key may do", answer=str(no)) from no
            self._log.info("the venue does not tell an API key's rights", answer=str(no))
            return
        if isinstance(rights, dict) and rights.get("enableWithdrawals") is True:
            raise KeyTooPowerful("the API key may withdraw money: give one that may only trade and read")

    def assets(self, symbol: str) -> tuple[str, str]:
        try:
            return self._assets[symbol]
        except KeyError as error:
            raise VenueRefused("symbol_unknown", f"{self.name} does not list {symbol}") from error

    # -- orders ------------------------------------------------------------------------------------------------

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        request = messages.order_request(client_order_id, terms, self._market_id(terms.symbol))
        await self._wait(self._orders, 1)
        return await self._changed(lambda: self._wire.private_post_order(request))

    async def cancel(self, symbol: str, client_id: str) -> VenueReport | None:
        request = {"symbol": self._market_id(symbol), "origClientOrderId": client_id}
        try:
            return await self._changed(lambda: self._wire.private_delete_order(request))
        except VenueRefused as no:
            if no.context.get("venue_code") in NO_SUCH_ORDER:
                return None
            raise

    async def _changed(self, call: Callable[[], Awaitable[Any]]) -> VenueReport:
        """A call that changes something at the venue: a readable yes, an explicit no, or unknown."""
        if self._silent():
            raise VenueRefused("rate_limited", "the venue has asked for silence; nothing was sent")
        await self._wait(self._weights, 1)
        try:
            return messages.answered_order(await call(), self._symbol)
        except Answered as answer:
            self._keep_silent(answer)
            if not explicit(answer):
                raise OutcomeUnknown(f"the venue answered {answer}") from answer
            raise refused(answer) from answer
        except ccxt.BaseError as error:
            raise OutcomeUnknown(f"no answer: {type(error).__name__} {error}") from error
        except _SENSELESS as error:
            raise OutcomeUnknown(f"an answer that makes no sense: {error!r}") from error

    # -- questions ---------------------------------------------------------------------------------------------

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        return await self._order({"symbol": self._market_id(symbol), "origClientOrderId": client_id})

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None:
        return await self._order({"symbol": self._market_id(symbol), "orderId": venue_order_id})

    async def _order(self, request: dict[str, str]) -> VenueReport | None:
        try:
            answer = await self._asked(lambda: self._wire.private_get_order(request), weight=4)
        except VenueRefused as no:
            if no.context.get("venue_code") in NO_SUCH_ORDER:
                return None
            raise
        return self._read(lambda: messages.answered_order(answer, self._symbol))

    async def open_orders(self) -> tuple[VenueReport, ...]:
        answer = await self._asked(lambda: self._wire.private_get_openorders({}), weight=80)
        return self._read(lambda: tuple(messages.answered_order(row, self._symbol) for row in answer))

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]:
        return await self._trades({"symbol": self._market_id(symbol), "orderId": venue_order_id}, weight=5)

    async def fills_after(self, symbol: str, trade_id: int) -> tuple[Fill, ...]:
        found: list[Fill] = []
        while True:
            request = {"symbol": self._market_id(symbol), "fromId": str(trade_id + 1), "limit": str(_PAGE)}
            page = await self._trades(request, weight=20)
            found += page
            if len(page) < _PAGE:
                return tuple(found)
            trade_id = int(page[-1].trade_id)

    async def last_trade_id(self, symbol: str) -> int:
        newest = await self._trades({"symbol": self._market_id(symbol), "limit": "1"}, weight=20)
        return max((int(fill.trade_id) for fill in newest), default=0)

    async def _trades(self, request: dict[str, str], weight: int) -> tuple[Fill, ...]:
        answer = await self._asked(lambda: self._wire.private_get_mytrades(request), weight=weight)
        fills = self._read(lambda: [messages.own_trade(row, self._symbol) for row in answer])
        return tuple(sorted(fills, key=lambda fill: int(fill.trade_id)))

    async def balances(self) -> tuple[AssetBalance, ...]:
        answer = await self._asked(lambda: self._wire.private_get_account({"omitZeroBalances": "true"}), weight=20)
        return self._read(lambda: messages.account_balances(answer))

    async def ping(self) -> None:
        await self._asked(lambda: self._wire.public_get_ping({}), weight=1)

    async def _asked(self, call: Callable[[], Awaitable[Any]], weight: int) -> Any:
        """A call that changes nothing: its answer, the venue's refusal, or nobody there."""
        if self._silent():
            raise VenueUnreachable("the venue has asked for silence")
        await self._wait(self._weights, weight)
        try:
            return await call()
        except Answered as answer:
            self._keep_silent(answer)
            if answer.status == 404 and answer.code is None:
                raise VenueRefused("not_offered", "the venue has no such call") from answer
            if not explicit(answer) or answer.status in TOO_MANY:
                raise VenueUnreachable(f"the venue answered {answer}") from answer
            raise refused(answer) from answer
        except ccxt.BaseError as error:
            raise VenueUnreachable(f"no answer: {type(error).__name__} {error}") from error

    def _silent(self) -> bool:
        """Whoever goes on calling after a 429 is banned (418) for minutes to days."""
        return monotonic_s() < self._silent_until_s

    def _keep_silent(self, answer: Answered) -> None:
        if answer.retry_after_s:
            self._silent_until_s = monotonic_s() + answer.retry_after_s
            self._log.warning("the venue asks for silence", seconds=answer.retry_after_s, answer=str(answer))

    @staticmethod
    def _read[T](read: Callable[[], T]) -> T:
        try:
            return read()
        except _SENSELESS as error:
            raise VenueUnreachable(f"an answer that makes no sense: {error!r}") from error

    @staticmethod
    async def _wait(bucket: TokenBucket, weight: float) -> None:
        delay_s = bucket.take(weight, monotonic_s())
        if delay_s > 0:
            await asyncio.sleep(delay_s)

    # -- the user stream ---------------------------------------------------------------------------------------

    async def stream(self) -> AsyncGenerator[StreamMessage]:
        failures = 0
        while True:
            try:
                await self._wire.authenticate({"type": "spot"})
                failures = 0
                yield StreamOpened()
                async with contextlib.aclosing(self._until_lost()) as arriving:
                    async for message in arriving:
                        yield message
            except ccxt.BaseError as error:
                yield StreamLost(f"{type(error).__name__} {error}")
            await asyncio.sleep(_RECONNECT_S[min(failures, len(_RECONNECT_S) - 1)])
            failures += 1

    async def _until_lost(self) -> AsyncGenerator[StreamMessage]:
        # ``watch_orders`` never returns, because we take the messages before it; it raises when the socket is lost.
        lost = asyncio.ensure_future(cast(Awaitable[Any], self._wire.watch_orders()))
        try:
            while True:
                arriving = asyncio.ensure_future(self._arrived.get())
                await asyncio.wait((arriving, lost), return_when=asyncio.FIRST_COMPLETED)
                if arriving.done():
                    yield self._understood(arriving.result())
                    continue
                arriving.cancel()
                await lost
        finally:
            lost.cancel()
            with contextlib.suppress(asyncio.CancelledError, ccxt.BaseError):
                await lost

    def _understood(self, message: Mapping[str, Any]) -> StreamMessage:
        try:
            match message["e"]:
                case "executionReport":
                    return messages.execution_report(message, self._symbol, lambda symbol: self._assets[symbol][1])
                case "outboundAccountPosition":
                    return BalancesReported(messages.changed_balances(message))
                case other:
                    # A transfer or a lock from outside: it names a change, not a balance.
                    return Unreadable(f"{other} changes balances")
        except _SENSELESS as error:
            return Unreadable(f"{error!r} in {dict(message)}")

    def _market_id(self, symbol: str) -> str:
        try:
            return self._market_ids[symbol]
        except KeyError as error:
            raise VenueRefused("symbol_unknown", f"{self.name} does not list {symbol}") from error

    def _symbol(self, market_id: str) -> str:
        return self._symbols[market_id]

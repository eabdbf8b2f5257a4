"""What every venue's adapter does alike: calls that change something, calls that ask, the wait for the venue's limits,
and a user stream that comes back.

Invariant: only an answer that is explicitly a no is a refusal. Everything else that is not a readable yes (timeouts,
resets, 5xx, cut or senseless bodies) leaves the outcome of a change unknown.

ccxt signs, opens sockets and knows the markets; what is said about money is read raw, because its unified calls turn
numbers into floats, drop client order ids on some venues and merge stream messages of one order into its newest state.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

from algotrendy_common.clock import monotonic_s
from algotrendy_common.telemetry import log
from algotrendy_core.instruments import Instrument

from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import TOO_MANY, Answered, ccxt, repointed
from algotrendy_broker_gateway.domain.rate_limit import RESERVE, TokenBucket
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import StreamLost, StreamMessage, StreamOpened, Unreadable

SENSELESS = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError)
"""What reading an answer that is not as documented raises."""
_GATE_IS_FRESH_S = 0.05
_LONGEST_WAIT_S = 1.0
"""For a new order: its price is old after that."""
_RECONNECT_S = (0.1, 0.5, 1.0, 2.0, 5.0)


class CcxtVenue(ABC):
    """One account at one venue. Subclasses fill ``_instruments`` and ``_market_ids`` in ``connect``."""

    name: str

    def __init__(self, access: VenueAccess) -> None:
        self._access = access
        self._log = log(self.name)
        self._arrived: asyncio.Queue[Any] = asyncio.Queue()
        self._silent_until_s = 0.0
        self._instruments: dict[str, Instrument] = {}
        self._market_ids: dict[str, str] = {}
        """Our symbol to the venue's."""
        self._symbols: dict[str, str] = {}
        """The venue's symbol to ours."""

    def _config(self, **options: Any) -> dict[str, Any]:
        """ccxt's configuration; ``options`` are the exchange's own."""
        config: dict[str, Any] = {
            "apiKey": self._access.api_key.get_secret_value(),
            "secret": self._access.api_secret.get_secret_value(),
            "timeout": int(self._access.answer_timeout.total_seconds() * 1000),
            # Its throttle adds milliseconds to every call after the first; ours waits only at the limit.
            "enableRateLimit": False,
            "options": options,
            "streaming": {"keepAlive": 10_000},
        }
        if self._access.passphrase is not None:
            config["password"] = self._access.passphrase.get_secret_value()
        return config

    def _aimed[W](self, wire: W) -> W:
        """ccxt's exchange with its addresses replaced by the ones we were given."""
        wire.urls["api"] = repointed(wire.urls["api"], self._access.http_url, self._access.ws_url)  # type: ignore[attr-defined]
        return wire

    # -- the venue's meaning -----------------------------------------------------------------------------------

    @abstractmethod
    def _is_explicit(self, answer: Answered) -> bool:
        """True where the error answer leaves no doubt that nothing happened."""

    @abstractmethod
    def _refused(self, answer: Answered) -> VenueRefused:
        """Our error for an explicit no; ``context["venue_code"]`` keeps the venue's."""

    def _asks_for_silence(self, answer: Answered) -> bool:
        """True for the venue's "too many requests", however it spells it."""
        return answer.status in TOO_MANY

    # -- symbols -----------------------------------------------------------------------------------------------

    def instrument(self, symbol: str) -> Instrument:
        try:
            return self._instruments[symbol]
        except KeyError as error:
            raise VenueRefused("symbol_unknown", f"{self.name} does not list {symbol}") from error

    def assets(self, symbol: str) -> tuple[str, str]:
        found = self.instrument(symbol)
        return found.base, found.quote

    def _list(self, market_id: str, instrument: Instrument) -> None:
        self._instruments[instrument.symbol] = instrument
        self._market_ids[instrument.symbol] = market_id
        self._symbols[market_id] = instrument.symbol

    def _market_id(self, symbol: str) -> str:
        self.instrument(symbol)
        return self._market_ids[symbol]

    def _symbol(self, market_id: str) -> str:
        return self._symbols[market_id]

    # -- calls -------------------------------------------------------------------------------------------------

    async def _changed[R](self, call: Callable[[], Awaitable[Any]], read: Callable[[Any], R]) -> R:
        """A call that changes something at the venue: a readable yes, an explicit no, or OutcomeUnknown."""
        if self._silent():
            raise VenueRefused("rate_limited", "the venue has asked for silence; nothing was sent")
        try:
            return read(await call())
        except Answered as answer:
            self._keep_silent(answer)
            if not self._is_explicit(answer):
                raise OutcomeUnknown(f"the venue answered {answer}") from answer
            raise self._refused(answer) from answer
        except ccxt.BaseError as error:
            raise OutcomeUnknown(f"no answer: {type(error).__name__} {error}") from error
        except SENSELESS as error:
            raise OutcomeUnknown(f"an answer that makes no sense: {error!r}") from error

    async def _asked[R](self, call: Callable[[], Awaitable[Any]], read: Callable[[Any], R]) -> R:
        """A call that changes nothing: what it says, the venue's refusal, or nobody there."""
        if self._silent():
            raise VenueUnreachable("the venue has asked for silence")
        try:
            return read(await call())
        except Answered as answer:
            self._keep_silent(answer)
            if answer.status == 404 and answer.code is None:
                raise VenueRefused("not_offered", "the venue has no such call") from answer
            if not self._is_explicit(answer) or self._asks_for_silence(answer):
                raise VenueUnreachable(f"the venue answered {answer}") from answer
            raise self._refused(answer) from answer
        except ccxt.BaseError as error:
            raise VenueUnreachable(f"no answer: {type(error).__name__} {error}") from error
        except SENSELESS as error:
            raise VenueUnreachable(f"an answer that makes no sense: {error!r}") from error

    def _silent(self) -> bool:
        """Whoever goes on calling after being told to stop is banned, for minutes to days."""
        return monotonic_s() < self._silent_until_s

    def _keep_silent(self, answer: Answered) -> None:
        if answer.retry_after_s and self._asks_for_silence(answer):
            self._silent_until_s = monotonic_s() + answer.retry_after_s
            self._log.warning("the venue asks for silence", seconds=answer.retry_after_s, answer=str(answer))

    # -- the venue's limits ------------------------------------------------------------------------------------

    def _bucket(self, name: str, capacity: float, per_second: float, *, per_key: bool = False) -> TokenBucket:
        """A limit of the venue's, shared by its accounts; ``per_key`` by those of one API key. A share is kept for
        cancellations."""
        limits, key = self._access.limits, self._access.api_key.get_secret_value()
        if per_key:
            return limits.by_key(self.name, name, key, lambda: TokenBucket(capacity, per_second, RESERVE))
        return limits.by_address(self.name, name, lambda: TokenBucket(capacity, per_second, RESERVE))

    @staticmethod
    async def _wait(bucket: TokenBucket, weight: float, *, urgent: bool = False) -> None:
        """``urgent`` for cancellations: they use the share that is kept for them."""
        now_s = monotonic_s()
        delay_s = bucket.take_urgently(weight, now_s) if urgent else bucket.take(weight, now_s)
        if delay_s > 0:
            await asyncio.sleep(delay_s)

    async def _wait_to_order(self, bucket: TokenBucket, weight: float = 1, also: TokenBucket | None = None) -> None:
        """A new order's turn; raises VenueRefused where it would be too long, or a halt came meanwhile. ``also`` is
        another limit that the call counts against."""
        turns = [(bucket, weight), *(() if also is None else ((also, 1.0),))]
        began_s = monotonic_s()
        if max(each.wait(taken, began_s) for each, taken in turns) > _LONGEST_WAIT_S:
            raise VenueRefused("rate_limited", "the venue's limit is reached but for cancellations; nothing was sent")
        for each, taken in turns:
            await self._wait(each, taken)
        # The gate was asked right before this. An exit that had to wait is refused too, and tried again.
        if monotonic_s() - began_s > _GATE_IS_FRESH_S and self._access.halted():
            raise VenueRefused("halted", "a halt came while the order waited for its turn; nothing was sent")

    # -- the user stream ---------------------------------------------------------------------------------------

    @abstractmethod
    async def _subscribe(self) -> None:
        """Open the account's stream(s); whatever is raised counts as lost."""

    @abstractmethod
    async def _until_lost(self) -> None:
        """Wait while the stream is up; raises ccxt's error when it is not. Messages go to ``_arrived`` meanwhile."""

    @abstractmethod
    def _understood(self, message: Any) -> tuple[StreamMessage, ...]:
        """Our messages for one of the venue's; raises one of ``SENSELESS`` on what is not as documented."""

    async def stream(self) -> AsyncGenerator[StreamMessage]:
        failures = 0
        while True:
            try:
                await self._subscribe()
                failures = 0
                yield StreamOpened()
                async with contextlib.aclosing(self._messages()) as arriving:
                    async for message in arriving:
                        yield message
            except ccxt.BaseError as error:
                yield StreamLost(f"{type(error).__name__} {error}")
            await asyncio.sleep(_RECONNECT_S[min(failures, len(_RECONNECT_S) - 1)])
            failures += 1

    async def _messages(self) -> AsyncGenerator[StreamMessage]:
        lost = asyncio.ensure_future(self._until_lost())
        try:
            while True:
                arriving = asyncio.ensure_future(self._arrived.get())
                await asyncio.wait((arriving, lost), return_when=asyncio.FIRST_COMPLETED)
                if arriving.done():
                    for message in self._read_message(arriving.result()):
                        yield message
                    continue
                arriving.cancel()
                await lost
        finally:
            lost.cancel()
            with contextlib.suppress(asyncio.CancelledError, ccxt.BaseError):
                await lost

    def _read_message(self, message: Any) -> tuple[StreamMessage, ...]:
        try:
            return self._understood(message)
        except SENSELESS as error:
            shown = dict(message) if isinstance(message, Mapping) else message
            return (Unreadable(f"{error!r} in {shown}"),)

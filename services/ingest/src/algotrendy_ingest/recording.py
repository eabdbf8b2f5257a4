"""A venue's live sockets written down as they are, through the runner that a feed has.

Invariant: a line is a whole JSON object, written before what it holds is read; what goes wrong is said and the sockets
are taken up again, each beginning with an ``open`` of its own. ``recordings`` reads what is written here.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from algotrendy_common.clock import Clock, wall_ns
from algotrendy_common.errors import Refused

from algotrendy_ingest.adapters.ccxt_rest import CcxtRest, stamp_of
from algotrendy_ingest.adapters.line_socket import LineSocket, Tap
from algotrendy_ingest.adapters.pace import Pace
from algotrendy_ingest.adapters.registry import ADAPTERS, line_class, loaded
from algotrendy_ingest.domain.ticks import BookLost, Message, StreamLost
from algotrendy_ingest.wire.protocol import Line

_CONNECTS_PER_S = 5.0


class Recorder:
    """Every stream that the venue has of these symbols; an ``Owner`` of its sockets."""

    def __init__(
        self,
        venue: str,
        symbols: Sequence[str],
        file: TextIO,
        clock: Clock,
        say: Callable[[str], None],
        *,
        http_url: str | None = None,
        ws_url: str | None = None,
    ) -> None:
        """Addresses that are named take the place of all of the venue's. Raises Refused for what it cannot have."""
        self._line: type[Line] = line_class(venue)
        try:
            markets = [self._line.market_of(symbol) for symbol in symbols]
        except ValueError as error:
            raise Refused("symbol_unknown", f"{self._line.venue} has no such symbol: {error}") from error
        self._plans = self._line.plans(markets, self._line.streams)
        self._file = file
        self._say = say
        self._write("config", json.dumps({"venue": self._line.venue, "symbols": list(symbols)}))
        adapter = ADAPTERS[self._line.venue]
        self._rest: CcxtRest = loaded(adapter.rest)(
            http_url or adapter.http, tuple(symbols), clock, elsewhere=http_url is not None
        )
        self._http_url = http_url or adapter.http
        self._ws_url = ws_url
        self._own_ws_url = adapter.ws
        self._said: dict[frozenset[str], str] = {}
        self.now = stamp_of(clock)
        self.received = 0

    async def run(self) -> None:
        """Until it is cancelled. Raises Refused where the file takes no more."""
        connects = Pace(_CONNECTS_PER_S)
        try:
            async with asyncio.TaskGroup() as group:
                for number, plan in enumerate(self._plans):
                    address = self._ws_url or plan.host or self._own_ws_url
                    tap = self._tap(address + plan.url, number)
                    group.create_task(LineSocket(self, self._line, plan, address, connects, {}, tap=tap).hold())
        except* Refused as refused:
            raise refused.exceptions[0] from None
        finally:
            await self._rest.close()

    def _tap(self, url: str, number: int) -> Tap:
        which = {"socket": number} if len(self._plans) > 1 else {}

        def tap(kind: str, raw: str | bytes) -> None:
            self.received += kind == "recv"
            where = {} if kind == "recv" else {"url": url}
            self._write(kind, raw if isinstance(raw, str) else raw.decode(errors="backslashreplace"), **which, **where)

        return tap

    def _write(self, kind: str, raw: str, **more: Any) -> None:
        ns = wall_ns()
        t = f"{ns // 1_000_000_000}.{ns % 1_000_000_000 // 1000:06d}"
        try:
            self._file.write(json.dumps({"t": t, "kind": kind, **more, "raw": raw}, ensure_ascii=False) + "\n")
        except OSError as error:
            # To the runner an OSError is one of the network's, and a reason to connect anew.
            raise Refused("cannot_write", f"{self._file.name}: {error.strerror}") from error

    # -- what the sockets hand over ------------------------------------------------------------------------------

    def deliver(self, message: Message) -> None:
        match message:
            case StreamLost(reason=reason, symbols=symbols) if self._said.get(symbols) != reason:
                # One socket's streams are lost together, and again and again while the venue is away.
                self._said[symbols] = reason
                self._say(f"connecting anew: {reason}")
            case BookLost(symbol, cause, detail):
                self._say(f"the book of {symbol} was lost ({cause}: {detail}); asking for a new one")
            case _:
                pass

    def moved(self, socket: LineSocket, symbol: str) -> None:
        """The book itself is of no interest here."""

    async def rest(self, path: str) -> bytes:
        body = await self._rest.get(path)
        self._write("http", body.decode(), url=self._http_url + path)
        return body

"""Asking the other services how things stand, so that the board is right after a start and after anything was lost.

Invariant: an answer passes through the same handlers as an event, so an older one changes nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from algotrendy_common.clock import Clock
from algotrendy_common.errors import Refused
from algotrendy_common.rpc import agent, broker_gateway, ingest, risk
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.telemetry import log

from algotrendy_gateway.domain.accounts import Account
from algotrendy_gateway.domain.board import Board
from algotrendy_gateway.domain.market import Instrument
from algotrendy_gateway.errors import ServiceMissing
from algotrendy_gateway.handlers import Handlers
from algotrendy_gateway.ports import Asking

_WELL_S = 15.0
_UNWELL_S = 1.0


class Synchroniser:
    def __init__(self, board: Board, handlers: Handlers, peers: Asking, clock: Clock) -> None:
        self._board = board
        self._handlers = handlers
        self._peers = peers
        self._clock = clock
        self._log = log("synchronise")
        self._soon = asyncio.Event()

    async def run(self) -> None:
        missing: set[str] = set()
        while True:
            before, missing = missing, await self.once()
            if missing != before:
                self._log.info("synchronised", missing=sorted(missing))
            self._soon.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), _UNWELL_S if missing else _WELL_S)

    def soon(self) -> None:
        """Something is known to have changed: do not wait for the next round."""
        self._soon.set()

    async def once(self) -> set[str]:
        """Ask everybody; returns the services that did not answer."""
        questions = [
            self._accounts,
            self._instruments,
            self._quotes,
            self._feeds,
            self._strategies,
            self._halts,
            self._approvals,
        ]
        missing = await self._all(questions)
        for account in tuple(self._board.accounts):
            missing |= await self._all([self._of_account(account, ask) for ask in _ACCOUNT_QUESTIONS])
        return missing

    async def _all(self, questions: Sequence[Callable[[], Awaitable[None]]]) -> set[str]:
        return {name for name in await asyncio.gather(*map(self._one, questions)) if name is not None}

    async def _one(self, question: Callable[[], Awaitable[None]]) -> str | None:
        try:
            await question()
        except ServiceMissing as error:
            return error.service
        except Refused as error:
            self._log.warning("a question was refused", error=str(error), code=error.code)
        return None

    def _of_account(self, account: str, ask: "_AccountQuestion") -> Callable[[], Awaitable[None]]:
        return lambda: ask(self, account)

    # -- of everybody ------------------------------------------------------------------------------------------

    async def _accounts(self) -> None:
        answer = await self._peers.ask(broker_gateway.ACCOUNTS, Nothing())
        self._board.accounts = {info.account: Account.of(info) for info in answer.accounts}

    async def _instruments(self) -> None:
        answer = await self._peers.ask(ingest.INSTRUMENTS, Nothing())
        self._board.instruments = {(info.venue, info.symbol): Instrument.of(info) for info in answer.instruments}

    async def _quotes(self) -> None:
        answer = await self._peers.ask(ingest.QUOTES, Nothing())
        for row in answer.quotes:
            self._board.take_quote(row.quote, row.last)

    async def _feeds(self) -> None:
        for feed in (await self._peers.ask(ingest.FEEDS, Nothing())).feeds:
            await self._handlers.on_feed(feed)

    async def _strategies(self) -> None:
        for strategy in (await self._peers.ask(agent.STRATEGIES, Nothing())).strategies:
            await self._handlers.on_strategy(strategy)

    async def _halts(self) -> None:
        """What is not among the answers is in force no more, whatever event was missed."""
        answer = await self._peers.ask(risk.HALTS, Nothing())
        for halt in answer.halts:
            await self._handlers.on_halt(halt)
        self._board.keep_halts({(halt.level, halt.key) for halt in answer.halts}, self._clock.now())

    async def _approvals(self) -> None:
        answer = await self._peers.ask(risk.PENDING, Nothing())
        for waiting in answer.approvals:
            await self._handlers.on_approval_requested(waiting)

    # -- of one account ----------------------------------------------------------------------------------------

    async def open_orders(self, account: str) -> None:
        asked = broker_gateway.OrdersAsked(account=account, open_only=True)
        for order in (await self._peers.ask(broker_gateway.ORDERS, asked)).orders:
            await self._handlers.on_order(order)

    async def recent_orders(self, account: str) -> None:
        asked = broker_gateway.OrdersAsked(account=account, limit=100)
        for order in (await self._peers.ask(broker_gateway.ORDERS, asked)).orders:
            await self._handlers.on_order(order)

    async def refusals(self, account: str) -> None:
        asked = risk.RefusalsAsked(account=account, limit=50)
        for refusal in (await self._peers.ask(risk.REFUSALS, asked)).refusals:
            await self._handlers.on_order(refusal)

    async def positions(self, account: str) -> None:
        asked = broker_gateway.AccountAsked(account=account)
        for position in (await self._peers.ask(broker_gateway.POSITIONS, asked)).positions:
            await self._handlers.on_position(position)

    async def protections(self, account: str) -> None:
        asked = broker_gateway.AccountAsked(account=account)
        for protection in (await self._peers.ask(broker_gateway.PROTECTIONS, asked)).protections:
            await self._handlers.on_protection(protection)

    async def balances(self, account: str) -> None:
        asked = broker_gateway.AccountAsked(account=account)
        balance = (await self._peers.ask(broker_gateway.BALANCES, asked)).balance
        if balance is not None:
            await self._handlers.on_balance(balance)

    async def risk_state(self, account: str) -> None:
        answer = await self._peers.ask(risk.STATE, risk.StateAsked(account=account))
        await self._handlers.on_risk_state(answer.state)


type _AccountQuestion = Callable[[Synchroniser, str], Awaitable[None]]
_ACCOUNT_QUESTIONS: tuple[_AccountQuestion, ...] = (
    Synchroniser.open_orders,
    Synchroniser.recent_orders,
    Synchroniser.refusals,
    Synchroniser.positions,
    Synchroniser.protections,
    Synchroniser.balances,
    Synchroniser.risk_state,
)

"""What a person may ask: answers put together from the other services, the board and the gateway's own store.

Invariant: who is missing from an answer is said: in its ``missing``, or by ``ServiceMissing`` where nothing is left.
"""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

from algotrendy_common.clock import Clock
from algotrendy_common.enums import OrderStatus
from algotrendy_common.errors import Refused
from algotrendy_common.events.order import OrderRefused, OrderUpdated
from algotrendy_common.rpc import backtest, broker_gateway, risk
from algotrendy_common.telemetry import log

from algotrendy_gateway.domain.accounts import EquityPoint, Overview
from algotrendy_gateway.domain.board import Board
from algotrendy_gateway.domain.orders import Order, OrderDetail
from algotrendy_gateway.domain.overview import overview
from algotrendy_gateway.domain.strategies import Backtest, BacktestArtefact, BacktestSummary, BacktestTrials
from algotrendy_gateway.errors import NotFound, ServiceMissing
from algotrendy_gateway.ports import Asking
from algotrendy_gateway.store.proposals import BacktestRequest, Proposal, Proposals

_PENDING_FOR = timedelta(days=1)
"""An order asked for here that nobody decided about is listed for this long."""
_REFUSALS = 200
_UNDECIDED = 50
_UNSETTLED = (OrderStatus.PROPOSED, OrderStatus.APPROVED)

Learn = Callable[[OrderUpdated | OrderRefused], Awaitable[None]]
"""Told of an order's fate that was found by asking, so that the board and the listeners have it too."""


class Library:
    def __init__(self, board: Board, peers: Asking, proposals: Proposals, learn: Learn, clock: Clock) -> None:
        self._board = board
        self._peers = peers
        self._proposals = proposals
        self._learn = learn
        self._clock = clock
        self._log = log("library")

    async def overview(self, account: str) -> Overview:
        silent: frozenset[str] = frozenset()
        curve: tuple[EquityPoint, ...] = ()
        try:
            answer = await self._peers.ask(risk.STATE, risk.StateAsked(account=account))
            self._board.take_risk(answer.state)
            curve = tuple(EquityPoint(**dict(point)) for point in answer.equity_curve)
        except (ServiceMissing, Refused):
            silent = frozenset({"risk"})
        return overview(self._board, account, self._clock.now(), curve, silent)

    # -- orders ------------------------------------------------------------------------------------------------

    async def orders(
        self, account: str, *, open_only: bool, limit: int, before: datetime | None
    ) -> tuple[list[Order], set[str]]:
        """Newest first, with the services that did not answer. Raises ``ServiceMissing`` without the broker gateway."""
        asked = broker_gateway.OrdersAsked(account=account, open_only=open_only, limit=limit, before=before)
        placed, (refused, missing), pending = await asyncio.gather(
            self._peers.ask(broker_gateway.ORDERS, asked),
            self._refusals(account, open_only=open_only),
            self._undecided(account),
        )
        found: dict[str, Order] = {}
        for order in (*self._board.orders.unplaced(account), *pending, *refused, *map(Order.of, placed.orders)):
            found[order.order_id] = order
        chosen = [
            order
            for order in found.values()
            if (before is None or order.created_at < before) and not (open_only and order.status.terminal)
        ]
        return sorted(chosen, key=lambda order: order.created_at, reverse=True)[:limit], missing

    async def order(self, order_id: str) -> OrderDetail:
        try:
            return OrderDetail.of_history(
                await self._peers.ask(broker_gateway.ORDER, broker_gateway.OrderAsked(order_id=order_id))
            )
        except Refused:
            return await self._unplaced(order_id)

    async def _undecided(self, account: str) -> list[Order]:
        """Orders asked for here, as they stand, that were undecided when last looked at."""
        since = self._clock.now() - _PENDING_FOR
        proposals = await self._proposals.unsettled(account, since, _UNDECIDED)
        orders = await asyncio.gather(*map(self._decided, proposals))
        settled = [order.order_id for order in orders if order.status not in _UNSETTLED]
        if settled:
            await self._proposals.settle(settled)
        return list(orders)

    async def _decided(self, proposal: Proposal) -> Order:
        """What became of a proposal; it is still one where nobody knows of it."""
        order_id = proposal.terms.order_id
        known = self._board.orders.get(order_id)
        if known is not None and known.status is not OrderStatus.PROPOSED:
            return known
        try:
            answer = await self._peers.ask(broker_gateway.ORDER, broker_gateway.OrderAsked(order_id=order_id))
        except (Refused, ServiceMissing):
            return await self._refused(proposal)
        await self._learn(answer.order)
        return Order.of(answer.order)

    async def _refused(self, proposal: Proposal) -> Order:
        asked = risk.RefusalsAsked(account=proposal.terms.account, order_id=proposal.terms.order_id)
        try:
            for refusal in (await self._peers.ask(risk.REFUSALS, asked)).refusals:
                await self._learn(refusal)
                return Order.of_refusal(refusal, proposal.proposed_at)
        except (Refused, ServiceMissing) as error:
            self._log.info("a proposal's fate is not known", order_id=proposal.terms.order_id, error=str(error))
        return Order.proposed(proposal.terms, proposal.origin, proposal.proposed_at)

    async def _unplaced(self, order_id: str) -> OrderDetail:
        """An order that the broker gateway does not know: still proposed, or refused."""
        proposal = await self._proposals.find(order_id)
        order = self._board.orders.get(order_id)
        if order is None and proposal is not None:
            order = Order.proposed(proposal.terms, proposal.origin, proposal.proposed_at)
        account = order.account if order is not None else next(iter(self._board.accounts), None)
        if account is not None and (order is None or order.status is not OrderStatus.REFUSED):
            asked = risk.RefusalsAsked(account=account, order_id=order_id)
            for refusal in (await self._peers.ask(risk.REFUSALS, asked)).refusals:
                order = Order.of_refusal(refusal, None if proposal is None else proposal.proposed_at)
        if order is None:
            raise NotFound("order")
        steps = [(OrderStatus.PROPOSED.value, order.created_at, order.source.value)]
        if order.status is not OrderStatus.PROPOSED:
            steps.append((order.status.value, order.updated_at, order.reason.message if order.reason else ""))
        return OrderDetail.of_steps(order, steps)

    async def _refusals(self, account: str, *, open_only: bool) -> tuple[list[Order], set[str]]:
        if open_only:
            return [], set()
        try:
            answer = await self._peers.ask(risk.REFUSALS, risk.RefusalsAsked(account=account, limit=_REFUSALS))
        except ServiceMissing as error:
            return [], {error.service}
        return [Order.of_refusal(refusal) for refusal in answer.refusals], set()

    # -- backtests ---------------------------------------------------------------------------------------------

    async def backtests(self, limit: int) -> tuple[list[BacktestSummary], set[str]]:
        """Newest first; a run that no worker took yet is queued."""
        found = {request.run_id: _queued(request) for request in await self._proposals.newest_backtests(limit)}
        missing: set[str] = set()
        try:
            for run in (await self._peers.ask(backtest.RUNS, backtest.RunsAsked(limit=limit))).runs:
                found[run.run_id] = BacktestSummary.of(run)
        except ServiceMissing as error:
            missing.add(error.service)
        newest = sorted(found.values(), key=lambda run: run.requested_at, reverse=True)
        return newest[:limit], missing

    async def backtest(self, run_id: str) -> Backtest:
        try:
            return Backtest.of_run(await self._peers.ask(backtest.RUN, backtest.RunAsked(run_id=run_id)))
        except Refused:
            request = await self._proposals.find_backtest(run_id)
            if request is None:
                raise NotFound("backtest") from None
            return Backtest.of_summary(_queued(request))

    async def trials(self, run_id: str, offset: int, limit: int, *, best_first: bool) -> BacktestTrials:
        asked = backtest.TrialsAsked(run_id=run_id, offset=offset, limit=limit, best_first=best_first)
        return BacktestTrials.of(await self._peers.ask(backtest.TRIALS, asked))

    async def artefacts(self, run_id: str) -> list[BacktestArtefact]:
        """The files of a run; none where it has not ended, or their time is over."""
        found = await self._peers.ask(backtest.ARTEFACTS, backtest.ArtefactsAsked(run_id=run_id))
        return [BacktestArtefact(**dict(artefact)) for artefact in found.artefacts]

    async def artefact(self, run_id: str, name: str) -> tuple[BacktestArtefact, AsyncIterator[bytes]]:
        """A file and its content, piece by piece; what is missing is known before the first piece."""
        try:
            first = await self._peers.ask(backtest.ARTEFACT, backtest.ArtefactAsked(run_id=run_id, name=name))
        except Refused:
            raise NotFound("file of a backtest") from None

        async def pieces() -> AsyncIterator[bytes]:
            part = first
            while True:
                piece = b64decode(part.data)
                yield piece
                if not part.more:
                    return
                asked = backtest.ArtefactAsked(run_id=run_id, name=name, offset=part.offset + len(piece))
                part = await self._peers.ask(backtest.ARTEFACT, asked)

        return BacktestArtefact(**dict(first.info)), pieces()


def _queued(request: BacktestRequest) -> BacktestSummary:
    return BacktestSummary.queued(request.run_id, request.spec, request.requested_by, request.requested_at)

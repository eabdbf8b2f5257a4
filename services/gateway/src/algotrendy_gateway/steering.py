"""What a person may command of risk and of whole accounts: halts, releases, approvals, limits. Every one is audited.

Invariant: a halt waits for nothing; whatever lets more happen (a release, an approval, a limit) is in the audit trail
before it is asked for.
"""

from decimal import Decimal
from typing import Any

from algotrendy_common.database import Database
from algotrendy_common.errors import AlgoTrendyError
from algotrendy_common.events.event import EventFactory, Record
from algotrendy_common.events.risk import ApprovalDecided, ApprovalRequested
from algotrendy_common.rpc import broker_gateway, risk
from algotrendy_common.rpc.call import Call, Nothing

from algotrendy_gateway.audit import Auditor
from algotrendy_gateway.domain.accounts import most_restrictive
from algotrendy_gateway.domain.board import Board
from algotrendy_gateway.domain.risk import Halt, HaltResult, Limits
from algotrendy_gateway.errors import Conflict, NotFound
from algotrendy_gateway.ports import Asking


class Steering:
    def __init__(self, database: Database, auditor: Auditor, peers: Asking, board: Board, events: EventFactory) -> None:
        self._database = database
        self._auditor = auditor
        self._peers = peers
        self._board = board
        self._events = events

    # -- halts -------------------------------------------------------------------------------------------------

    async def halt(self, asked: risk.HaltAsked) -> HaltResult:
        """Stop trading of a strategy, on an account, or everywhere."""
        target = asked.strategy or asked.account or "everything"
        try:
            done = await self._peers.ask(risk.HALT, asked)
        except AlgoTrendyError as error:
            await self._auditor.after_the_fact(asked.by, "halt", target, after=asked.reason, outcome=f"failed: {error}")
            raise
        await self._auditor.after_the_fact(asked.by, "halt", target, after=asked.reason, outcome="done")
        return _result(done)

    async def resume(self, asked: risk.ResumeAsked) -> HaltResult:
        """One of the two who release a halt."""
        target = asked.strategy or asked.account or "everything"
        return _result(await self._audited(risk.RESUME, asked, asked.by, "resume", target, asked.reason))

    # -- approvals ---------------------------------------------------------------------------------------------

    async def pending(self) -> tuple[ApprovalRequested, ...]:
        """Oldest first."""
        return (await self._peers.ask(risk.PENDING, Nothing())).approvals

    async def decide(self, order_id: str, approved: bool, user: str, reason: str, seen: Decimal) -> None:
        """A person's word on an order; raises ``NotFound`` where nothing waits, ``Conflict`` at the proposer's own."""
        waiting = next((one for one in await self.pending() if one.terms.order_id == order_id), None)
        if waiting is None:
            raise NotFound("approval")
        if approved and waiting.origin.user == user:
            raise Conflict("own_order", "Nobody approves an order of their own.", order_id=order_id)
        decided = self._events.make(
            ApprovalDecided,
            order_id=order_id,
            terms=waiting.terms,
            approved=approved,
            decided_by=user,
            reason=reason,
            reference_price=seen,
        )
        action = "approve_order" if approved else "reject_order"
        async with self._database.transaction() as transaction:
            await self._auditor.record(transaction, user, action, order_id, after=waiting.terms.model_dump_json())
            await transaction.emit(decided)

    # -- limits ------------------------------------------------------------------------------------------------

    async def limits(self, account: str) -> list[Limits]:
        """Every version, newest first."""
        answer = await self._peers.ask(risk.LIMITS, risk.LimitsAsked(account=account))
        return [Limits.of(row) for row in answer.versions]

    async def set_limits(self, asked: risk.SetLimitsAsked) -> Limits:
        """Raises ``Refused`` where the document is no document, or the version not the newest."""
        done = await self._audited(
            risk.SET_LIMITS, asked, asked.by, "set_limits", asked.account, asked.model_dump_json(exclude={"by"})
        )
        return Limits.of(done)

    async def enable(self, strategy: str, user: str, reason: str) -> None:
        """Let a strategy trade again that the repeated-execution throttle switched off."""
        asked = risk.EnableAsked(strategy=strategy, by=user, reason=reason)
        await self._audited(risk.ENABLE, asked, user, "enable_strategy", strategy, reason)

    # -- whole accounts ----------------------------------------------------------------------------------------

    async def cancel_all(self, account: str, user: str, reason: str) -> int:
        """Cancel everything that works on an account; how many cancellations went out."""
        asked = broker_gateway.CancelAllAsked(account=account, by=user, reason=reason)
        done = await self._audited(broker_gateway.CANCEL_ALL, asked, user, "cancel_all", account, reason)
        return done.orders

    async def earn(self, asked: broker_gateway.EarnChangeAsked) -> broker_gateway.EarnProducts:
        """Allocate to a staking product, or take back."""
        return await self._audited(
            broker_gateway.EARN_CHANGE, asked, asked.by, "earn", asked.product_id, asked.model_dump_json()
        )

    async def _audited[Req: Record, Res: Record](
        self, call: Call[Req, Res], asked: Req, user: str, action: str, target: str, after: Any
    ) -> Res:
        await self._auditor.alone(user, action, target, after=after, outcome="asked")
        try:
            done = await self._peers.ask(call, asked)
        except AlgoTrendyError as error:
            await self._auditor.after_the_fact(user, action, target, after=after, outcome=f"failed: {error}")
            raise
        await self._auditor.after_the_fact(user, action, target, after=after, outcome="done")
        return done


def _result(done: risk.HaltDone) -> HaltResult:
    by_account = {state.account: state.trading_state for state in done.states}
    return HaltResult(
        trading_state=most_restrictive(by_account),
        accounts=by_account,
        halts=tuple(Halt.of(halt) for halt in done.halts),
        released=done.released,
    )

"""What a person may command: orders, cancels, strategies, backtests. Every command is audited.

Invariant: an order id is one order, however often it is sent; anything that starts trading is in the audit trail
before it is asked for.
"""

from algotrendy_common.clock import Clock
from algotrendy_common.database import Database
from algotrendy_common.enums import OrderSource
from algotrendy_common.errors import AlgoTrendyError, Refused
from algotrendy_common.events.backtest import BacktestRequested, BacktestSpec
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderCancelRequested, OrderOrigin, OrderProposed, OrderTerms
from algotrendy_common.ids import new_id
from algotrendy_common.rpc import agent, backtest, broker_gateway
from algotrendy_common.rpc.call import Call, Nothing

from algotrendy_gateway.audit import Auditor
from algotrendy_gateway.domain.accounts import Account
from algotrendy_gateway.domain.board import Board
from algotrendy_gateway.domain.orders import Order
from algotrendy_gateway.domain.strategies import BacktestSummary, Strategy
from algotrendy_gateway.domain.ticket import faults
from algotrendy_gateway.errors import Conflict, Invalid, NotFound, ServiceMissing
from algotrendy_gateway.ports import Asking
from algotrendy_gateway.store.proposals import BacktestRequest, Proposal, Proposals

StrategyCall = Call[agent.StrategyCommanded, agent.StrategyChanged]


class Desk:
    def __init__(
        self,
        database: Database,
        proposals: Proposals,
        auditor: Auditor,
        peers: Asking,
        board: Board,
        events: EventFactory,
        clock: Clock,
    ) -> None:
        self._database = database
        self._proposals = proposals
        self._auditor = auditor
        self._peers = peers
        self._board = board
        self._events = events
        self._clock = clock

    # -- accounts ----------------------------------------------------------------------------------------------

    async def accounts(self) -> list[Account]:
        """As the broker gateway has them; raises ``ServiceMissing`` where it was never heard."""
        if not self._board.accounts:
            answer = await self._peers.ask(broker_gateway.ACCOUNTS, Nothing())
            self._board.accounts = {info.account: Account.of(info) for info in answer.accounts}
        return list(self._board.accounts.values())

    async def account_for(self, order_id: str, name: str, or_stand_in: bool) -> Account:
        """Whose an order is: the account named or, where that is wanted, the one that stands in for it now. An order
        that is known already stays where it went, so that a repeat of it is no other order."""
        if not or_stand_in:
            return await self.account(name)
        known = await self._proposals.find(order_id)
        if known is not None:
            return await self.account(known.terms.account)
        self._board.accounts = {}  # what is known may be from before the venue went away
        account = await self.account(name)
        return account if account.stand_in is None else await self.account(account.stand_in)

    async def account(self, name: str) -> Account:
        for account in await self.accounts():
            if account.account == name:
                return account
        raise NotFound("account")

    # -- orders ------------------------------------------------------------------------------------------------

    async def propose(self, terms: OrderTerms, user: str) -> None:
        """Send an order to risk. The same id with the same terms again changes nothing; raises ``Invalid`` with the
        fields that cannot be, ``Conflict`` where the id is another order's."""
        market = (terms.venue, terms.symbol)
        instrument = self._board.instruments.get(market)
        if instrument is None:
            if not self._board.instruments:
                raise ServiceMissing("ingest", "the instruments are not known")
            raise Invalid({"symbol": f"{terms.symbol} is not traded on {terms.venue}."})
        quote = self._board.quotes.get(market)
        reference = None if quote is None else (quote.bid + quote.ask) / 2
        if found := faults(terms, instrument, reference):
            raise Invalid(found)
        origin = OrderOrigin(source=OrderSource.TRADER, user=user, reason="order ticket", reference_price=reference)
        proposal = Proposal(terms, origin, self._clock.now())
        async with self._database.transaction() as transaction:
            if await self._proposals.add(transaction, proposal):
                await self._auditor.record(
                    transaction, user, "propose_order", terms.order_id, after=terms.model_dump_json()
                )
                await transaction.emit(self._events.make(OrderProposed, terms=terms, origin=origin))
                return
        before = await self._proposals.find(terms.order_id)
        if before is None or before.terms != terms or before.origin.user != user:
            raise Conflict("order_id_taken", "This order id belongs to another order.", order_id=terms.order_id)

    async def cancel(self, order_id: str, user: str) -> None:
        """Ask for a working order to be cancelled. Raises ``NotFound``, or ``Conflict`` where it has ended."""
        order = await self._order(order_id)
        if order.status.terminal:
            raise Conflict("order_ended", f"The order is {order.status.value} already.", order_id=order_id)
        request = self._events.make(
            OrderCancelRequested,
            order_id=order_id,
            account=order.account,
            requested_by=user,
            reason="asked for by hand",
        )
        async with self._database.transaction() as transaction:
            await self._auditor.record(transaction, user, "cancel_order", order_id, before=order.status.value)
            await transaction.emit(request)

    async def _order(self, order_id: str) -> Order:
        known = self._board.orders.get(order_id)
        if known is not None:
            return known
        try:
            history = await self._peers.ask(broker_gateway.ORDER, broker_gateway.OrderAsked(order_id=order_id))
            return Order.of(history.order)
        except ServiceMissing:
            raise
        except Refused:
            proposal = await self._proposals.find(order_id)
            if proposal is None:
                raise NotFound("order") from None
            return Order.proposed(proposal.terms, proposal.origin, proposal.proposed_at)

    # -- strategies and backtests ------------------------------------------------------------------------------

    async def command_strategy(
        self, call: StrategyCall, strategy: str, user: str, override: str | None = None
    ) -> Strategy:
        """``override``: why a start with real money may do without a passed robustness check."""
        asked = agent.StrategyCommanded(strategy=strategy, by=user, override=override)
        action = f"{call.verb}_strategy" if override is None else f"{call.verb}_strategy_unproven"
        done = await self._audited(call, asked, user, action, strategy)
        return Strategy.of(done.strategy)

    async def request_backtest(self, spec: BacktestSpec, user: str) -> str:
        run_id = new_id()
        request = BacktestRequest(run_id, spec, user, self._clock.now())
        async with self._database.transaction() as transaction:
            await self._proposals.add_backtest(transaction, request)
            await self._auditor.record(transaction, user, "request_backtest", run_id, after=spec.model_dump_json())
            await transaction.emit(self._events.make(BacktestRequested, run_id=run_id, requested_by=user, spec=spec))
        return run_id

    async def pause_backtest(self, run_id: str, user: str, *, paused: bool) -> BacktestSummary:
        """A search ends what is under way and waits; ``paused`` false puts it back into the queue."""
        action = "pause_backtest" if paused else "resume_backtest"
        try:
            done = await self._peers.ask(backtest.PAUSE, backtest.PauseAsked(run_id=run_id, paused=paused))
        except AlgoTrendyError as error:
            await self._auditor.after_the_fact(user, action, run_id, outcome=f"failed: {error}")
            if isinstance(error, Refused) and error.code == "run_unknown":
                raise NotFound("backtest") from None
            raise
        await self._auditor.after_the_fact(user, action, run_id, outcome="done")
        return BacktestSummary.of(done)

    async def _audited(
        self, call: StrategyCall, asked: agent.StrategyCommanded, user: str, action: str, target: str
    ) -> agent.StrategyChanged:
        await self._auditor.alone(user, action, target, after=asked.override, outcome="asked")
        try:
            done = await self._peers.ask(call, asked)
        except AlgoTrendyError as error:
            await self._auditor.after_the_fact(user, action, target, outcome=f"failed: {error}")
            raise
        await self._auditor.after_the_fact(user, action, target, outcome="done")
        return done

"""What each event of the bus does here: it changes the board, and what changed goes out to the listeners.

Invariant: nothing here waits for anything but the store of alerts; what a lost event said is asked for again later.
"""

from collections.abc import Callable

from algotrendy_common.clock import Clock
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.backtest import BacktestFinished, BacktestProgressed
from algotrendy_common.events.market import BarUpdated, FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.events.ops import AlertRaised, MessageDeadLettered, ServiceHealthChanged
from algotrendy_common.events.order import OrderFilled, OrderProposed
from algotrendy_common.events.risk import ApprovalRequested, HaltChanged, RiskBreached, RiskStateChanged
from algotrendy_common.events.signal import SignalRaised, StrategyStateChanged

from algotrendy_gateway.domain.alerts import Alert
from algotrendy_gateway.domain.board import Board
from algotrendy_gateway.domain.market import Bar, Trade
from algotrendy_gateway.domain.order_list import Spoken
from algotrendy_gateway.domain.orders import Fill
from algotrendy_gateway.domain.overview import overview_change
from algotrendy_gateway.domain.risk import Approval, ApprovalEnded, Halt
from algotrendy_gateway.domain.strategies import BacktestUpdate, Signal
from algotrendy_gateway.ports import AlertStore
from algotrendy_gateway.stream.hub import Hub
from algotrendy_gateway.stream.messages import Delta, Kind

_MOVES = frozenset({"venue_down", "venue_back", "stand_in_lost"})
"""Alerts of the broker gateway after which the accounts are to be asked for anew."""


class Handlers:
    def __init__(self, board: Board, hub: Hub, alerts: AlertStore, clock: Clock) -> None:
        self._board = board
        self._hub = hub
        self._alerts = alerts
        self._clock = clock
        self.on_moved: Callable[[], None] = lambda: None
        """Told that another account stands in for one, or does so no more."""

    # -- market ------------------------------------------------------------------------------------------------

    async def on_quote(self, event: QuoteChanged) -> None:
        quote = self._board.take_quote(event)
        if quote is None:
            return
        self._board.latency.add(event.received_time, self._clock.now())
        self._hub.publish(Delta(Kind.QUOTE, quote, key=(event.venue, event.symbol)))

    async def on_trade(self, event: TradePrinted) -> None:
        self._board.take_trade(event)
        self._hub.publish(Delta(Kind.TRADE, Trade.of(event), symbol=event.symbol))

    async def on_bar(self, event: BarUpdated) -> None:
        # A closed bar is final, so it is not overtaken by the next one of its market: each opening has its own key.
        key = (event.timeframe, event.venue, event.symbol, event.open_time.isoformat())
        self._hub.publish(Delta(Kind.BAR, Bar.of_event(event), key=key, symbol=event.symbol, timeframe=event.timeframe))

    async def on_feed(self, event: FeedHealthChanged) -> None:
        feed = self._board.take_feed(event, self._clock.now())
        if feed is not None:
            self._hub.publish(Delta(Kind.FEED, feed, key=(event.venue,)))

    # -- orders and accounts -----------------------------------------------------------------------------------

    async def on_order(self, event: Spoken) -> None:
        if not isinstance(event, OrderProposed | ApprovalRequested):
            self._approval_ended(event.terms.order_id)
        order = self._board.orders.take(event)
        if order is not None:
            self._hub.publish(Delta(Kind.ORDER, order, account=order.account))

    async def on_fill(self, event: OrderFilled) -> None:
        self._hub.publish(Delta(Kind.FILL, Fill.of(event), account=event.account))

    async def on_position(self, event: PositionChanged) -> None:
        position = self._board.take_position(event)
        if position is not None:
            # The same key as the pulse's, so that a price that waits never overtakes a fill.
            key = (event.account, event.venue, event.symbol)
            self._hub.publish(Delta(Kind.POSITION, position, account=event.account, key=key))

    async def on_protection(self, event: ProtectionChanged) -> None:
        position = self._board.take_protection(event)
        if position is not None and position.quantity:
            key = (event.account, event.venue, event.symbol)
            self._hub.publish(Delta(Kind.POSITION, position, account=event.account, key=key))

    async def on_balance(self, event: BalanceChanged) -> None:
        for balance in self._board.take_balance(event):
            self._hub.publish(Delta(Kind.BALANCE, balance, account=event.account))

    async def on_risk_state(self, event: RiskStateChanged) -> None:
        before = self._board.risk.get(event.account)
        if not self._board.take_risk(event):
            return
        if before is None or before.trading_state is not event.trading_state:
            # A halt is told at once; figures wait for the pulse.
            change = overview_change(self._board, event.account, self._clock.now())
            self._hub.publish(Delta(Kind.OVERVIEW, change, account=event.account, key=(event.account,)))

    # -- halts and approvals -----------------------------------------------------------------------------------

    async def on_halt(self, event: HaltChanged) -> None:
        if self._board.take_halt(event):
            self._hub.publish(Delta(Kind.HALT, Halt.of(event)))

    async def on_approval_requested(self, event: ApprovalRequested) -> None:
        if event.expires_at > self._clock.now() and self._board.take_approval(event):
            self._hub.publish(Delta(Kind.APPROVAL, Approval.of(event)))
            await self.on_order(event)

    def _approval_ended(self, order_id: str) -> None:
        if self._board.end_approval(order_id):
            self._hub.publish(Delta(Kind.APPROVAL_ENDED, ApprovalEnded(order_id=order_id)))

    # -- strategies and backtests ------------------------------------------------------------------------------

    async def on_signal(self, event: SignalRaised) -> None:
        self._hub.publish(Delta(Kind.SIGNAL, Signal.of(event), account=event.account))

    async def on_strategy(self, event: StrategyStateChanged) -> None:
        strategy = self._board.take_strategy(event)
        if strategy is not None:
            self._hub.publish(Delta(Kind.STRATEGY, strategy, account=event.account))

    async def on_backtest_progress(self, event: BacktestProgressed) -> None:
        update = BacktestUpdate(
            run_id=event.run_id,
            status="queued" if event.stage == "queued" else "running",
            stage=event.stage,
            done=event.done,
            total=event.total,
            error=None,
        )
        self._hub.publish(Delta(Kind.BACKTEST, update))

    async def on_backtest_result(self, event: BacktestFinished) -> None:
        status = "finished" if event.ok else "failed"
        update = BacktestUpdate(run_id=event.run_id, status=status, stage=status, done=1, total=1, error=event.error)
        self._hub.publish(Delta(Kind.BACKTEST, update))

    # -- operations --------------------------------------------------------------------------------------------

    async def on_heartbeat(self, event: ServiceHealthChanged) -> None:
        self._board.take_heartbeat(event)

    async def on_alert(self, event: AlertRaised) -> None:
        # A dead letter comes as an event of its own, which says more.
        if event.code in _MOVES:
            self.on_moved()
        if event.code != "dead_letter":
            await self._raise(Alert.of(event))

    async def on_dead_letter(self, event: MessageDeadLettered) -> None:
        await self._raise(Alert.of_dead_letter(event))

    async def on_breach(self, event: RiskBreached) -> None:
        await self._raise(Alert.of_breach(event))

    async def on_reconciled(self, event: AccountReconciled) -> None:
        if event.differences or not event.ok:
            await self._raise(Alert.of_reconciliation(event))

    async def _raise(self, alert: Alert) -> None:
        """People first, the store second."""
        self._hub.publish(Delta(Kind.ALERT, alert))
        await self._alerts.add(alert)

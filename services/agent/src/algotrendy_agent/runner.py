"""One strategy at work: takes its closed bars one after the other, and proposes.

Invariant: what came of a bar is committed whole before the next bar is looked at. When a commit's outcome is in doubt,
the strategy goes back to what PostgreSQL has and catches up from there; bars it catches up on are never traded on.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import asyncpg
from algotrendy_common.clock import Clock, from_ms, to_ms
from algotrendy_common.database import UNREACHABLE, Database, Transaction
from algotrendy_common.enums import OrderSource, Severity
from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.market import BarUpdated
from algotrendy_common.events.order import OrderOrigin, OrderProposed
from algotrendy_common.events.signal import SignalRaised
from algotrendy_common.money import ZERO, plain
from algotrendy_common.telemetry import log
from algotrendy_common.tracing import span
from algotrendy_core.strategies.registry import parameters_of, strategy_named
from algotrendy_core.strategies.running import Signal, StrategyRun

from algotrendy_agent.domain.instance import Instance, LastSignal
from algotrendy_agent.domain.ladder_moves import Moves, moves
from algotrendy_agent.domain.market import bar_of_event
from algotrendy_agent.domain.plan import Nothing, Proposal, Surroundings, changed_mind, plan
from algotrendy_agent.domain.routing import Routes
from algotrendy_agent.domain.situations import WINDOW
from algotrendy_agent.history import HistoryReader
from algotrendy_agent.ports import Announcer
from algotrendy_agent.states import holding_of, moves_of, state_of
from algotrendy_agent.store import AgentStore
from algotrendy_agent.strategies import Strategies

STORE_AWAY = (*UNREACHABLE, asyncpg.PostgresError, Retryable, TimeoutError)
Work = Callable[[Transaction, Instance], Awaitable[Instance]]

_RETRY_S = 1.0
_BACK_BARS = 30
"""A bar this much older than the newest one is no redelivery: the venue's time went back (a replay began anew)."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every runner shares."""

    database: Database
    store: AgentStore
    routes: Routes
    history: HistoryReader
    events: EventFactory
    clock: Clock
    announcer: Announcer
    reserve: Decimal
    strategies: Strategies
    noted: Callable[[SignalRaised, list[str]], None]
    """Told of each signal once it is committed, with the closes that led to it."""


class Runner:
    def __init__(self, instance: Instance, tools: Tools) -> None:
        self.instance = instance
        self._lock = asyncio.Lock()
        self._doubtful = False
        """A commit's outcome is not known: PostgreSQL has to be asked before anything else is changed."""
        self._tools = tools
        self._bars: asyncio.Queue[BarUpdated | None] = asyncio.Queue()
        self._run: StrategyRun | None = None
        """None: the state has to be restored and caught up before the next bar."""
        self._closes: deque[str] = deque(maxlen=WINDOW + 1)
        self._log = log("agent").bind(strategy=instance.config.strategy)

    @property
    def id(self) -> str:
        return self.instance.config.strategy

    def offer(self, bar: BarUpdated) -> None:
        """A closed bar of this strategy's series."""
        if self.instance.active:
            self._bars.put_nowait(bar)

    def wake(self) -> None:
        """It was started: catch up now, rather than at the next bar."""
        self._bars.put_nowait(None)

    async def run_forever(self) -> None:
        if self.instance.active:
            self.wake()
        while True:
            bar = await self._bars.get()
            try:
                await self._take(bar)
            except STORE_AWAY as error:
                self._log.error("the books are away, going back to what they have", error=repr(error))
                await self._go_back()
            except Exception as error:  # a strategy may raise anything: it alone stops, and says so
                self._log.error("strategy failed", exc_info=True)
                await self._fail(error)

    # -- bars --------------------------------------------------------------------------------------------------

    async def _take(self, bar: BarUpdated | None) -> None:
        if bar is None or not self.instance.active:
            self._run = None
        if not self.instance.active:
            return
        if self._run is not None and bar is not None and self._went_back(self._run, bar):
            self._log.warning("the venue's time went back, warming up anew", open_time=str(bar.open_time))
            self.instance = self.instance.without_state()
            self._run = None
        run = self._run or await self._caught_up()
        self._run = run
        if bar is None or (run.last_time is not None and to_ms(bar.open_time) <= run.last_time):
            return
        step = timedelta(seconds=bar.timeframe.seconds)
        if run.last_time is not None and bar.open_time - from_ms(run.last_time) > step:
            candles = await self._tools.history.fill_gap(self.instance.trading, run, bar.open_time)
            self._closes.extend(plain(candle.close) for candle in candles)
        await self._step(run, bar)

    async def _caught_up(self) -> StrategyRun:
        config = self.instance.trading
        strategy = strategy_named(config.kind, self._tools.strategies.known)
        run = StrategyRun(strategy, parameters_of(strategy, config.parameters))
        if self.instance.state is not None:
            run.restore(self.instance.state)
        self._show(run, self.instance)
        await self._tools.history.catch_up(config, run)
        self._closes.clear()
        self._closes.extend(await self._tools.history.closes(config, run, WINDOW + 1))
        return run

    def _show(self, run: StrategyRun, instance: Instance) -> None:
        """What it holds and what its rungs have traded, as its next step is to see it."""
        if not run.ladder:
            return
        instance.ladder.shown(run.ladder)
        run.holding = holding_of(instance, self._surroundings(instance))

    def _surroundings(self, instance: Instance) -> Surroundings | None:
        """Between bars; None where no price is known."""
        close = Decimal(self._closes[-1]) if self._closes else ZERO
        around = self._tools.routes.around(instance, close, self._tools.reserve)
        return around if around.price > 0 else None

    def _went_back(self, run: StrategyRun, bar: BarUpdated) -> bool:
        if run.last_time is None:
            return False
        return from_ms(run.last_time) - bar.open_time > _BACK_BARS * timedelta(seconds=bar.timeframe.seconds)

    async def _step(self, run: StrategyRun, bar: BarUpdated) -> None:
        with span("strategy step", parent=bar.traceparent, strategy=self.id):
            async with self._alone() as before:
                if not before.active:
                    return
                signal, closes = await self._stepped(run, bar, before)
        if signal is not None:
            self._tools.noted(signal, closes)

    async def _stepped(
        self, run: StrategyRun, bar: BarUpdated, before: Instance
    ) -> tuple[SignalRaised | None, list[str]]:
        """Decide on a bar and commit all that came of it."""
        self._closes.append(plain(bar.close))
        self._show(run, before)
        wanted = run.on_bar(bar_of_event(bar))
        closes = list(self._closes)
        after, signal, proposal = replace(before, state=run.save()), None, None
        if wanted is not None:
            after, signal, proposal = self._decide(after, wanted, bar)
        moved = None
        if run.ladder:
            moved = self._moves(replace(after, ladder=after.ladder.asked(run.ladder)))
            at_rest = sum(not order.cancel_asked for order in moved.ladder.orders)
            after = replace(after, ladder=moved.ladder)
            if wanted is None:
                halted = self._tools.routes.halted(after)
                after = after.told(halted.detail if halted else f"{run.reason}: {at_rest} orders at rest")
        said: list[Event] = [] if signal is None else [signal]
        if proposal is not None and wanted is not None:
            said.append(self._proposed(proposal, wanted, bar))
        if moved is not None:
            said += moves_of(moved, after, run.reason, self._surroundings(after), bar, self._tools.events)
        if signal is not None or after.status_detail != before.status_detail:
            after = replace(after, revision=before.revision + 1)
            said.append(state_of(after, self._tools.events))
        order = proposal.order if proposal else None
        await self._tools.store.save_step(self._tools.database, after, signal, closes, order, moved, said)
        self.instance = after
        return signal, closes

    def _decide(
        self, instance: Instance, wanted: Signal, bar: BarUpdated
    ) -> tuple[Instance, SignalRaised | None, Proposal | None]:
        config, target = instance.config, Decimal(repr(wanted.target))
        signal = None
        if changed_mind(instance, target):
            instance = replace(instance, last_signal=LastSignal(bar.open_time, target, wanted.reason))
            signal = self._tools.events.make(
                SignalRaised,
                event_time=bar.event_time,
                strategy=config.strategy,
                venue=bar.venue,
                symbol=config.symbol,
                timeframe=config.timeframe,
                account=config.account,
                target=target,
                reason=wanted.reason,
                price=bar.close,
            )
        around = self._tools.routes.around(instance, bar.close, self._tools.reserve)
        planned = self._tools.routes.halted(instance) or plan(
            instance, target, bar_time=bar.open_time, around=around, now=self._tools.clock.now()
        )
        match planned:
            case Proposal():
                self._log.info("proposed", order_id=planned.terms.order_id, target=str(target))
                detail = f"proposed to {planned.terms.side.value} {plain(planned.terms.quantity)}"
                return replace(instance, order=planned.order).told(detail), signal, planned
            case Nothing(at_target=True):
                return replace(instance, held_target=target), signal, None
            case Nothing():
                return instance.told(planned.detail), signal, None

    def _moves(self, instance: Instance) -> Moves:
        """Before it has caught up, what the ladder asks for may be old: then nothing new is proposed."""
        halted = self._tools.routes.halted(instance) is not None
        around = self._surroundings(instance) if self._run is not None else None
        return moves(instance, around, halted=halted, now=self._tools.clock.now())

    def _proposed(self, proposal: Proposal, wanted: Signal, bar: BarUpdated) -> OrderProposed:
        config = self.instance.config
        return self._tools.events.make(
            OrderProposed,
            event_time=bar.event_time,
            terms=proposal.terms,
            origin=OrderOrigin(
                source=OrderSource.STRATEGY,
                strategy=config.strategy,
                reason=wanted.reason,
                reference_price=proposal.price,
                tick_received_time=bar.received_time,
                sized_from=proposal.sized_from,
            ),
        )

    # -- changes -----------------------------------------------------------------------------------------------

    async def change(self, work: Work) -> Instance:
        """Run ``work`` in one transaction over the instance, alone; the instance is replaced after the commit."""
        async with self._alone() as before:
            async with self._tools.database.transaction() as tx:
                after = await work(tx, before)
            self.instance = after
            return after

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Instance]:
        """The instance as PostgreSQL has it, for one change; what fails inside leaves the outcome in doubt."""
        async with self._lock:
            if self._doubtful:
                async with self._tools.database.reading() as tx:
                    self.instance = await self._tools.store.load_one(tx, self.id)
                self._doubtful = False
            try:
                yield self.instance
            except BaseException:
                self._doubtful = True
                raise

    async def tended(self, tx: Transaction, instance: Instance) -> Instance:
        """The instance with its ladder's orders as they should be now; what that takes is written and told."""
        if not instance.ladder.rungs:
            return instance
        moved = self._moves(instance)
        if not moved.proposals and not moved.cancels:
            return instance
        await self._tools.store.save_moves(tx, self.id, moved)
        told = moves_of(moved, instance, "", self._surroundings(instance), None, self._tools.events)
        await tx.emit(*told)
        return replace(instance, ladder=moved.ladder)

    async def tend(self) -> None:
        """Something beside its bars and orders has changed: a halt began or ended."""

        async def apply(tx: Transaction, before: Instance) -> Instance:
            after = await self.tended(tx, before)
            return before if after is before else await self._tools.store.save(tx, before, after)

        if self.instance.ladder.rungs:
            await self.change(apply)

    async def alter(self, how: Callable[[Instance], Instance]) -> Instance:
        """Change the instance, and tell everybody."""

        async def save(tx: Transaction, before: Instance) -> Instance:
            saved = await self._tools.store.save(tx, before, await self.tended(tx, how(before)))
            await tx.emit(state_of(saved, self._tools.events))
            return saved

        return await self.change(save)

    # -- when something breaks ---------------------------------------------------------------------------------

    async def _go_back(self) -> None:
        """To what PostgreSQL has, as soon as it answers."""
        self._run = None
        while True:
            try:
                await self.change(_same)
            except STORE_AWAY as error:
                self._log.warning("the books are still away", error=repr(error))
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _fail(self, error: Exception) -> None:
        """Written down as soon as PostgreSQL answers; until then nothing is taken, so it has failed all the same."""
        detail = f"{type(error).__name__}: {error}"[:500]
        self._run = None
        await self._go_back()
        await self.alter(lambda instance: instance.failed(detail))
        await self._tools.announcer.alert(
            Severity.CRITICAL, "strategy_failed", f"strategy {self.id} failed: {detail}", strategy=self.id
        )


async def _same(tx: Transaction, instance: Instance) -> Instance:
    return instance

"""Commands to strategies and questions about them, over the bus."""

from collections.abc import Callable, Mapping

from algotrendy_common.database import Database
from algotrendy_common.enums import StrategyStatus
from algotrendy_common.errors import Refused
from algotrendy_common.events.event import EventFactory
from algotrendy_common.rpc.agent import Signals, SignalsAsked, Strategies, StrategyChanged, StrategyCommanded
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.telemetry import log

from algotrendy_agent.domain.instance import Instance
from algotrendy_agent.errors import StrategyUnknown
from algotrendy_agent.promotion import Promotion
from algotrendy_agent.runner import Runner
from algotrendy_agent.states import state_of
from algotrendy_agent.store import AgentStore

_MOST = 1000


class Commands:
    def __init__(
        self,
        *,
        database: Database,
        store: AgentStore,
        runners: Mapping[str, Runner],
        events: EventFactory,
        promotion: Promotion,
    ) -> None:
        self._database = database
        self._store = store
        self._runners = runners
        self._events = events
        self._promotion = promotion
        self._log = log("agent")

    async def strategies(self, asked: Nothing) -> Strategies:
        return Strategies(
            strategies=tuple(state_of(runner.instance, self._events) for runner in self._runners.values())
        )

    async def start(self, asked: StrategyCommanded) -> StrategyChanged:
        runner = self._runner(asked)
        before = runner.instance.status
        unproven = None
        if before not in (StrategyStatus.RUNNING, StrategyStatus.PAUSED):
            unproven = await self._promotion.check(runner.instance.config, asked.override)
        done = await self._command(asked, lambda instance: instance.started(asked.by, unproven))
        if before not in (StrategyStatus.RUNNING, StrategyStatus.PAUSED):
            runner.wake()
        return done

    async def pause(self, asked: StrategyCommanded) -> StrategyChanged:
        if not self._runner(asked).instance.active:
            raise Refused("strategy_not_running", "only a running strategy can be paused", strategy=asked.strategy)
        return await self._command(asked, lambda instance: instance.paused(asked.by))

    async def stop(self, asked: StrategyCommanded) -> StrategyChanged:
        return await self._command(asked, lambda instance: instance.stopped(asked.by))

    async def signals(self, asked: SignalsAsked) -> Signals:
        async with self._database.reading() as tx:
            limit = max(1, min(asked.limit, _MOST))
            return Signals(signals=await self._store.signals(tx, limit, asked.strategy, asked.before))

    def _runner(self, asked: StrategyCommanded) -> Runner:
        runner = self._runners.get(asked.strategy)
        if runner is None:
            raise StrategyUnknown(asked.strategy)
        return runner

    async def _command(self, asked: StrategyCommanded, how: Callable[[Instance], Instance]) -> StrategyChanged:
        instance = await self._runner(asked).alter(how)
        self._log.info("commanded", strategy=asked.strategy, by=asked.by, status=instance.status.value)
        return StrategyChanged(strategy=state_of(instance, self._events))

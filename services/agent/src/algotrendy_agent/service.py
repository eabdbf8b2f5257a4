"""Wiring of the agent service: what it reads, answers, publishes and runs."""

import asyncio

from algotrendy_common.app import App
from algotrendy_common.enums import Severity
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.market import BarUpdated, QuoteChanged
from algotrendy_common.events.order import (
    OrderCancelRequested,
    OrderFilled,
    OrderProposed,
    OrderRefused,
    OrderUpdated,
)
from algotrendy_common.events.risk import HaltChanged, RiskStateChanged
from algotrendy_common.events.signal import SignalRaised, StrategyStateChanged
from algotrendy_common.rpc import agent, risk
from algotrendy_common.rpc.call import Nothing
from algotrendy_core.strategies.user_file import Limits

from algotrendy_agent.adapters.backtest import Backtest
from algotrendy_agent.adapters.broker_gateway import BrokerGateway
from algotrendy_agent.adapters.ingest import Ingest
from algotrendy_agent.adapters.qdrant import QdrantIndex
from algotrendy_agent.commands import Commands
from algotrendy_agent.domain.instance import StrategyConfig, fresh
from algotrendy_agent.domain.market import MarketView
from algotrendy_agent.domain.routing import Routes
from algotrendy_agent.handlers import Handlers
from algotrendy_agent.history import HistoryReader
from algotrendy_agent.promotion import Promotion
from algotrendy_agent.recall import Recall
from algotrendy_agent.rerouting import Rerouting
from algotrendy_agent.runner import Runner, Tools
from algotrendy_agent.settings import AgentSettings
from algotrendy_agent.states import state_of
from algotrendy_agent.store import AgentStore
from algotrendy_agent.strategies import Strategies

_ASK_AGAIN_S = 1.0


def build_app(settings: AgentSettings) -> App:
    app = App("agent", settings)
    database = app.uses_database()
    store, market, ingest = AgentStore(), MarketView(), Ingest(app.bus)
    runners: dict[str, Runner] = {}
    routes, strategies = Routes(market), Strategies()
    broker = BrokerGateway(app.bus)
    rerouting = Rerouting(routes, runners, strategies, broker, app.bus, settings.route_interval)
    recall = Recall(QdrantIndex(settings.qdrant_path), store, database)
    tools = Tools(
        database=database,
        store=store,
        routes=routes,
        history=HistoryReader(ingest, settings.history_patience),
        events=app.events,
        clock=app.clock,
        announcer=app.bus,
        reserve=settings.reserve,
        strategies=strategies,
        noted=recall.note,
    )
    handlers = Handlers(database=database, store=store, market=market, runners=runners, events=app.events)
    promotion = Promotion(broker, Backtest(app.bus), strategies)
    commands = Commands(database=database, store=store, runners=runners, events=app.events, promotion=promotion)

    async def load_strategies() -> None:
        if settings.user_strategies is not None:
            await asyncio.to_thread(strategies.learn, settings.user_strategies, Limits())
        async with database.transaction() as tx:
            for seed in settings.strategies:
                config = StrategyConfig(**seed.model_dump(exclude={"status"}))
                await store.create(tx, fresh(config, seed.status))
            for instance in await store.load(tx):
                runners[instance.config.strategy] = Runner(instance, tools)

    async def learn_halts() -> None:
        """Those that were engaged before this start; later ones come by themselves."""
        while True:
            try:
                for halt in (await app.bus.ask(risk.HALTS, Nothing())).halts:
                    market.take_halt(halt)
                return
            except (Retryable, Refused) as error:
                app.log.info("risk does not answer yet", error=str(error))
                await asyncio.sleep(_ASK_AGAIN_S)

    async def learn_market() -> None:
        """Instruments, and quotes until they come by themselves."""
        told = ""
        while not market.instruments:
            try:
                market.instruments.update({(row.venue, row.symbol): row for row in await ingest.instruments()})
                for quote in await ingest.quotes():
                    market.take_quote(quote)
            except (Retryable, Refused) as error:
                if str(error) != told:
                    told = str(error)
                    app.log.warning("ingest does not answer yet", error=told)
            await asyncio.sleep(0 if market.instruments else _ASK_AGAIN_S)

    async def tell_refused_files() -> None:
        for file, error in strategies.refused.items():
            app.log.error("a strategy's file is refused", file=file, code=error.code, error=error.args[0])
            await app.bus.alert(
                Severity.WARNING, "user_strategy_refused", f"{file}: {error.args[0]}", file=file, because=error.code
            )

    async def run_strategies() -> None:
        await tell_refused_files()
        for runner in runners.values():
            await app.bus.publish(state_of(runner.instance, app.events))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(learn_market())
            tasks.create_task(learn_halts())
            tasks.create_task(rerouting.follow_forever())
            for runner in runners.values():
                tasks.create_task(runner.run_forever(), name=runner.id)

    app.before_reading(load_strategies)
    app.reads(BarUpdated, handlers.on_bar)
    app.reads(QuoteChanged, handlers.on_quote)
    app.reads(RiskStateChanged, handlers.on_account)
    app.reads(HaltChanged, handlers.on_halt)
    app.reads(OrderRefused, handlers.on_refused)
    app.reads(OrderUpdated, handlers.on_updated)
    app.reads(OrderFilled, handlers.on_filled)
    app.answers(agent.STRATEGIES, commands.strategies)
    app.answers(agent.START, commands.start)
    app.answers(agent.PAUSE, commands.pause)
    app.answers(agent.STOP, commands.stop)
    app.answers(agent.SIGNALS, commands.signals)
    app.answers(agent.RECALL, recall.answer)
    app.publishes(SignalRaised, OrderProposed, OrderCancelRequested, StrategyStateChanged)
    app.runs("strategies", run_strategies)
    app.runs("recall", recall.index_forever)
    return app

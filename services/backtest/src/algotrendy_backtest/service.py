"""Backtest: what it reads, answers, publishes and runs."""

import asyncio

from algotrendy_common.app import App
from algotrendy_common.clock import Clock
from algotrendy_common.events.backtest import BacktestFinished, BacktestProgressed, BacktestRequested
from algotrendy_common.rpc import backtest as calls

from algotrendy_backtest.adapters.artefacts import Artefacts
from algotrendy_backtest.adapters.engine_process import EngineProcess
from algotrendy_backtest.adapters.history import IngestHistory
from algotrendy_backtest.computing.confinement import Limits
from algotrendy_backtest.handlers import Handlers
from algotrendy_backtest.runner import Runner
from algotrendy_backtest.settings import BacktestSettings


def build_app(settings: BacktestSettings, *, clock: Clock | None = None) -> App:
    app = App("backtest", settings, clock=clock)
    database = app.uses_database()
    waiting = asyncio.Event()
    limits = Limits(memory_bytes=settings.run_memory, cpu_s=settings.run_timeout.total_seconds())
    engine = EngineProcess(
        limits, workers=settings.search_workers, place=settings.search_on, address=settings.ray_address
    )
    artefacts = Artefacts(lambda: app.bus.jetstream)
    handlers = Handlers(database, app.events, waiting, artefacts, app.clock)
    runner = Runner(database, app.bus, app.clock, IngestHistory(app.bus), engine, artefacts, settings, waiting)

    app.reads(BacktestRequested, handlers.requested)
    app.answers(calls.RUN, handlers.run)
    app.answers(calls.RUNS, handlers.runs)
    app.answers(calls.TRADES, handlers.trades)
    app.answers(calls.TRIALS, handlers.trials)
    app.answers(calls.ARTEFACTS, handlers.artefacts)
    app.answers(calls.ARTEFACT, handlers.artefact)
    app.answers(calls.PAUSE, handlers.pause)
    app.answers(calls.VERDICT, handlers.verdict)
    app.publishes(BacktestProgressed, BacktestFinished)
    app.runs("runner", runner.work)
    app.on_stop(engine.close)
    return app

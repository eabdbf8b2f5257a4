"""The process that computes runs: kept warm between them, killed when one takes too long, replaced when it dies.

A process and not a thread, so that a run can neither stop the event loop nor take the service down with it.
Invariant: one run at a time; whatever ends a run early leaves no process behind that still works on it.
"""

import asyncio
import contextlib
import multiprocessing
import signal
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument

from algotrendy_backtest.domain import Outcome, compute
from algotrendy_backtest.errors import EngineDied
from algotrendy_backtest.ports import Progress

_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class _Job:
    spec: BacktestSpec
    instrument: Instrument
    bars: BarSeries


@dataclass(frozen=True, slots=True)
class _Progressed:
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Failed:
    code: str
    message: str


class EngineProcess:
    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self, spec: BacktestSpec, instrument: Instrument, bars: BarSeries, progress: Progress) -> Outcome:
        async with self._one_at_a_time:
            connection = self._connected()
            try:
                await asyncio.to_thread(connection.send, _Job(spec, instrument, bars))
                while True:
                    message = await asyncio.to_thread(connection.recv)
                    if not isinstance(message, _Progressed):
                        break
                    await progress(message.done, message.total)
            except (EOFError, OSError) as error:
                code = self._end()
                raise EngineDied("the computing process ended", exit_code=code) from error
            except BaseException:
                # Cancelled or timed out: the process is still busy with this run, and must not be with the next.
                self._end()
                raise
        if isinstance(message, _Failed):
            raise Refused(message.code, message.message)
        assert isinstance(message, Outcome)
        return message

    async def close(self) -> None:
        self._end()

    def _connected(self) -> Connection:
        if self._process is not None and self._process.is_alive() and self._connection is not None:
            return self._connection
        self._end()
        ours, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=serve, args=(theirs,), name="backtest-engine", daemon=True)
        self._process.start()
        theirs.close()
        self._connection = ours
        return ours

    def _end(self) -> int | None:
        process, self._process, self._connection = self._process, None, None
        if process is None:
            return None
        # Killing closes the far end of the pipe, which wakes the thread that waits on ours.
        process.kill()
        process.join()
        return process.exitcode


def serve(connection: Connection) -> None:
    """The process's whole life: jobs in, progress and one answer each out, until the service is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the service's to handle; it ends us
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            job: _Job = connection.recv()
            connection.send(_answer(job, connection))


def _answer(job: _Job, connection: Connection) -> Outcome | _Failed:
    try:
        return compute(
            job.spec, job.instrument, job.bars, lambda done, total: connection.send(_Progressed(done, total))
        )
    except Refused as refused:
        return _Failed(refused.code, str(refused))
    except (BrokenPipeError, EOFError):
        raise
    except Exception as error:  # a strategy may raise anything; the run fails, the process goes on
        where = traceback.extract_tb(error.__traceback__)[-1]
        return _Failed("strategy_failed", f"{error!r} in {where.name}, line {where.lineno}")

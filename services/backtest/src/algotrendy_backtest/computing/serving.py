"""The life of a computing process: a ground, then tasks in, progress and one answer each out.

Invariant: it is confined before it sees a strategy, and ends when whoever started it is gone.
"""

import contextlib
import os
import signal
import sys
from multiprocessing.connection import Connection

from algotrendy_backtest.computing.confinement import Limits


def serve(connection: Connection, limits: Limits, *, quiet: bool) -> None:
    """Until the other end is closed."""
    # Imported here: a process that is forked for this has as yet loaded next to nothing.
    from algotrendy_backtest.computing import confinement

    confinement.leave_the_network()  # while there is but one thread
    from algotrendy_common.errors import Refused

    from algotrendy_backtest.computing.bench import Bench
    from algotrendy_backtest.computing.tasks import Failed, Ground, Progressed, Reply, Standing

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us; it ends us
    _no_output(quiet)
    confinement.confine(limits)
    bench: Bench | None = None

    def tell(done: int, total: int, stage: str = "") -> None:
        connection.send(Progressed(done, total, stage))

    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            message = connection.recv()
            confinement.forget_tries()
            reply: Reply
            try:
                with confinement.cpu_limited(limits.cpu_s):
                    if isinstance(message, Ground):
                        bench = None
                        bench = Bench(message)
                        reply = Standing()
                    elif bench is None:
                        reply = Failed("no_ground", "a task came without a ground to stand on")
                    else:
                        reply = bench.answer(message, tell)
                if (what := confinement.tried()) is not None:
                    reply = Failed("strategy_forbidden", f"the strategy was stopped: {what}")
            except Refused as refused:
                reply = Failed(refused.code, str(refused))
            except (BrokenPipeError, EOFError):
                raise
            except confinement.Forbidden as forbidden:
                reply = Failed("strategy_forbidden", f"the strategy was stopped: {forbidden}")
            except confinement.OutOfTime as out_of_time:
                reply = Failed("strategy_endless", f"the strategy was stopped: {out_of_time}")
            except MemoryError as error:
                where = confinement.where_raised(error)
                reply = Failed("strategy_memory", f"the strategy was stopped: it used up its memory, {where}")
            except BaseException as error:  # a strategy may raise anything; its run fails, the process goes on
                reply = Failed("strategy_failed", f"{error!r}, {confinement.where_raised(error)}")
            connection.send(reply)


def _no_output(quiet: bool) -> None:
    """What a strategy prints must not come between the lines of a JSON result."""
    sys.stdout.flush()
    target = os.open(os.devnull, os.O_WRONLY) if quiet else 2
    os.dup2(target, 1)

"""The process in which a user's strategy file is tried: ``python -m … FILE LIMITS``, the verdict as JSON on stdout.

Invariant: limits are set before the file runs: CPU time, memory, no sockets, no files, no programs. The verdict is
``null``, or a code, a message and a line.
"""

import json
import os
import random
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite, isnan
from pathlib import Path
from types import FrameType
from typing import Any

from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused

from algotrendy_core.bars import Bar
from algotrendy_core.strategies.interface import AnyStrategy, Decision, Holding
from algotrendy_core.strategies.registry import parameters_of
from algotrendy_core.strategies.running import StrategyRun
from algotrendy_core.strategies.user_file import Limits, line_in, load_user_strategy
from algotrendy_core.strategies.user_file_check import refused

_FORBIDDEN = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "os.rename", "os.mkdir",
    "os.rmdir", "os.listdir", "os.scandir", "os.kill", "shutil.", "ctypes.", "urllib.",
)  # fmt: skip


class OutOfTime(BaseException):
    """Not an Exception, so that no handler of the strategy's swallows it."""


class Forbidden(BaseException):
    pass


def main() -> None:
    path, limits = Path(sys.argv[1]), Limits(**json.loads(sys.argv[2]))
    try:
        tried(path, limits)
        verdict = None
    except Refused as error:
        verdict = _verdict(error.code, error.args[0], error.context.get("line"))
    except OutOfTime as error:
        verdict = _verdict("strategy_too_slow", f"it computed for more than {limits.cpu_s:g} s", line_in(path, error))
    except Forbidden as error:
        verdict = _verdict("strategy_forbidden", str(error), line_in(path, error))
    except MemoryError as error:
        mebibytes = limits.memory_bytes // 2**20
        verdict = _verdict("strategy_too_large", f"it took more than {mebibytes} MiB of memory", line_in(path, error))
    except BaseException as error:  # of the strategy: SystemExit and all
        verdict = _verdict("strategy_raises", f"{type(error).__name__}: {error}", line_in(path, error))
    sys.stdout.write("\n" + json.dumps(verdict) + "\n")
    sys.stdout.flush()
    os._exit(0)  # whatever the file registered for the end is not run


def tried(path: Path, limits: Limits) -> None:
    _confine(path, limits)
    strategy = _watched(load_user_strategy(path), path)
    parameters = parameters_of(strategy, {})
    count = strategy.warm_up(parameters) + limits.bars
    whole = StrategyRun(strategy, parameters)
    cut = StrategyRun(strategy, parameters)
    middle = count // 2
    for number, bar in enumerate(_bars(count)):
        if number == middle:
            cut = _resumed(strategy, parameters, cut, path)
        one, other = _decided(whole, bar, path), _decided(cut, bar, path)
        if one != other:
            raise refused("state_incomplete", "saved and restored in the middle it decides otherwise", str(path), None)


def _watched(strategy: AnyStrategy, path: Path) -> AnyStrategy:
    """The strategy with every decision looked at."""

    def step(*arguments: Any) -> Decision:
        decision = strategy.step(*arguments)
        problem = _malformed(decision, len(strategy.reasons))
        if problem:
            raise refused("decision_malformed", problem, str(path), None)
        return decision

    return replace(strategy, step=step)


def _malformed(decision: Any, reasons: int) -> str | None:
    if not isinstance(decision, Decision) or not isinstance(decision.target, float | int):
        return f"a step returns a Decision, not {decision!r}"
    if not isnan(decision.target) and not -1 <= decision.target <= 1:
        return f"a target of {decision.target!r} is not from -1 to 1"
    if not isinstance(decision.reason, int) or not 0 <= decision.reason < reasons:
        return f"there is no reason {decision.reason!r}"
    return None


def _resumed(strategy: AnyStrategy, parameters: Any, run: StrategyRun, path: Path) -> StrategyRun:
    fresh = StrategyRun(strategy, parameters)
    try:
        fresh.restore(json.loads(json.dumps(run.save())))
    except (TypeError, ValueError, AttributeError, Refused) as error:
        raise refused("state_not_savable", f"its state cannot be saved: {error}", str(path), None) from error
    return fresh


def _decided(run: StrategyRun, bar: Bar, path: Path) -> Any:
    run.holding = Holding(0.0, 0.0, 10_000.0)
    wanted = run.on_bar(bar)
    for rung in run.ladder:
        if not (isfinite(rung.price) and isfinite(rung.quantity)):
            raise refused("ladder_malformed", f"a rung has the price {rung.price!r}", str(path), None)
    ladder = [(rung.kind, rung.side, rung.price, rung.quantity, rung.generation) for rung in run.ladder]
    return wanted, run.reason, ladder


def _bars(count: int) -> Iterator[Bar]:
    """The same for every file: a walk with quiet and wild stretches, and bars without volume."""
    chance, price = random.Random(7), 100.0  # noqa: S311 - made up prices
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(count):
        wild = 0.01 if number // 100 % 3 == 2 else 0.001
        close = max(price * (1 + chance.gauss(0, wild)), 0.01)
        high, low = max(price, close) * (1 + chance.random() * wild), min(price, close) * (1 - chance.random() * wild)
        first, top, bottom, last = (Decimal(f"{value:.6f}") for value in (price, high, low, close))
        volume = Decimal(0) if number % 97 == 0 else Decimal(f"{chance.random() * 10:.4f}")
        time = start + timedelta(minutes=number)
        yield Bar(Timeframe.M1, time, first, top, bottom, last, volume, Decimal(0), 1, complete=True)
        price = close


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _confine(path: Path, limits: Limits) -> None:
    with suppress(OSError, ValueError):  # where a system has no such figure or no such limit, time is limited still
        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + limits.memory_bytes, now + limits.memory_bytes))
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = int(used.ru_utime + used.ru_stime + 2 * limits.cpu_s) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))  # for code that never comes back to Python
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, _out_of_time)
    signal.setitimer(signal.ITIMER_PROF, limits.cpu_s)
    own = str(path)

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if (event.startswith(_FORBIDDEN) or event == "open") and _asked_for_by(own, sys._getframe(1)):
            what = f" {arguments[0]!r}" if event == "open" else ""
            raise Forbidden(f"it may not do this: {event}{what}")

    sys.addaudithook(refuse)


def _asked_for_by(own: str, frame: FrameType | None) -> bool:
    """True where the user's file is on the stack, and no import is between: imports read files."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return False
        if frame.f_code.co_filename == own:
            return True
        frame = frame.f_back
    return False


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTime


def _verdict(code: str, message: str, line: int | None) -> dict[str, Any]:
    where = f"line {line}: " if line is not None and not message.startswith("line ") else ""
    return {"code": code, "message": f"{where}{message}", "line": line}


if __name__ == "__main__":
    main()

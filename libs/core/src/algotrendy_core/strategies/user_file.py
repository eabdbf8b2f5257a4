"""A user's own strategy: one Python file with one ``Strategy`` in it, as ``examples/02_write_a_strategy.py`` shows.

    checked_user_strategy(path, Limits())    tries it in a process of its own, on bars made up; raises Refused
    load_user_strategy(path)                 the strategy, in this process: for a file that has been tried

Invariant: nothing of a file runs before its text was checked, and a file that was not tried elsewhere first can at most
hang or exhaust the process that loads it: processes that load such files have limits.
"""

import builtins
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from algotrendy_common.errors import Refused

from algotrendy_core.strategies.interface import AnyStrategy, Parameters, Strategy
from algotrendy_core.strategies.registry import STRATEGIES, parameters_of
from algotrendy_core.strategies.user_file_check import checked_tree, module_allowed, refused

_LARGEST = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WITHHELD = frozenset(
    {"open", "eval", "exec", "compile", "input", "breakpoint", "globals", "locals", "vars", "help", "exit", "quit"}
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the trial of a file may use."""

    cpu_s: float = 5.0
    memory_bytes: int = 512 * 1024 * 1024
    """Beyond what Python and numpy take."""
    bars: int = 2000
    """Made up ones that the strategy is tried on, beside its warm-up."""


def load_user_strategy(path: Path) -> AnyStrategy:
    """The one strategy that a file defines. Raises Refused with the line, where there is one, and the reason."""
    source = _read(path)
    tree = checked_tree(source, str(path))
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    module = ModuleType(f"algotrendy_user_{re.sub(r'[^A-Za-z0-9]', '_', path.stem)}_{digest}")
    module.__file__ = str(path)
    module.__dict__["__builtins__"] = _builtins()
    # Dataclasses look their module up, and so does whoever hashes or compiles the strategy later.
    sys.modules[module.__name__] = module
    try:
        exec(compile(tree, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - that is its purpose
        return _the_strategy(module, path)
    except Exception as error:
        del sys.modules[module.__name__]
        if isinstance(error, Refused):
            raise
        raise refused("strategy_raises", f"{type(error).__name__}: {error}", str(path), line_in(path, error)) from error


def checked_user_strategy(path: Path, limits: Limits) -> None:
    """Load the file and run its strategy over made up bars, in a process that has limits and no network.

    Raises Refused: for what is wrong with the text, for what it raises, for what it takes too much of, with the line.
    """
    checked_tree(_read(path), str(path))
    words = [sys.executable, "-m", "algotrendy_core.strategies.user_file_trial", str(path), json.dumps(asdict(limits))]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10 * limits.cpu_s + 30)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise refused("strategy_too_slow", "it did not come to an end", str(path), None) from error
    try:
        verdict = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise refused("strategy_died", f"its process ended: {last[0]}", str(path), None) from error
    if verdict is not None:
        raise Refused(verdict["code"], verdict["message"], file=str(path), line=verdict["line"])


def user_strategies(folder: Path, limits: Limits) -> tuple[dict[str, AnyStrategy], dict[str, Refused]]:
    """Every file of a folder, tried and loaded: strategies by name, and refusals by file."""
    found: dict[str, AnyStrategy] = {}
    refusals: dict[str, Refused] = {}
    for path in sorted(folder.glob("*.py")):
        try:
            checked_user_strategy(path, limits)
            strategy = load_user_strategy(path)
            if strategy.name in found:
                raise refused("strategy_name_taken", f"another file has a strategy {strategy.name!r}", str(path), None)
        except Refused as error:
            refusals[path.name] = error
        else:
            found[strategy.name] = strategy
    return found, refusals


def line_in(path: Path, error: BaseException) -> int | None:
    """The line of the file that an error came through last."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise refused("strategy_unreadable", f"more than {_LARGEST} bytes are no strategy", str(path), None)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise refused("strategy_unreadable", str(error), str(path), None) from error


def _builtins() -> dict[str, Any]:
    given = {name: value for name, value in vars(builtins).items() if name not in _WITHHELD}
    given["__import__"] = _guarded_import
    return given


def _guarded_import(
    name: str,
    globals_: Mapping[str, Any] | None = None,
    locals_: Mapping[str, Any] | None = None,
    fromlist: tuple[str, ...] = (),
    level: int = 0,
) -> ModuleType:
    if level or not module_allowed(name):
        raise ImportError(f"a strategy may not import {name}")
    importer: Callable[..., ModuleType] = builtins.__import__
    return importer(name, globals_, locals_, fromlist, level)


def _the_strategy(module: ModuleType, path: Path) -> AnyStrategy:
    builtin = {id(strategy) for strategy in STRATEGIES.values()}
    found = {id(value): value for value in vars(module).values() if isinstance(value, Strategy)}
    own = [value for key, value in found.items() if key not in builtin]
    if len(own) != 1:
        named = ", ".join(sorted(str(one.name) for one in own)) or "none"
        raise refused(
            "strategy_not_one", f"a file defines one Strategy, this one {len(own)} ({named})", str(path), None
        )
    _sound(own[0], path)
    return own[0]


def _sound(strategy: AnyStrategy, path: Path) -> None:
    def no(reason: str) -> Refused:
        return refused("strategy_malformed", reason, str(path), None)

    if not isinstance(strategy.name, str) or not _NAME.fullmatch(strategy.name):
        raise no(f"its name {strategy.name!r} is not made of up to 64 letters, digits, _ and -")
    if strategy.name in STRATEGIES:
        raise refused("strategy_name_taken", f"{strategy.name!r} is a strategy of the platform", str(path), None)
    if not (isinstance(strategy.parameters, type) and issubclass(strategy.parameters, Parameters)):
        raise no("its parameters are not a model made from Parameters")
    if not isinstance(strategy.step, FunctionType):
        raise no("its step is not a function")
    if not strategy.reasons or not all(isinstance(reason, str) for reason in strategy.reasons):
        raise no("its reasons are not a list of texts")
    try:
        parameters = parameters_of(strategy, {})
    except Refused as error:
        raise no(f"its parameters have no usable defaults: {error}") from error
    warm_up = strategy.warm_up(parameters)
    if not isinstance(warm_up, int) or warm_up < 1:
        raise no(f"its warm_up is {warm_up!r}, not a number of bars from 1")
    rungs = 1 if strategy.rungs is None else strategy.rungs(parameters)
    if not isinstance(rungs, int) or not 1 <= rungs <= 200:
        raise no(f"its ladder has {rungs!r} rungs, not 1 to 200")

"""One module for each strategy and loop: the loop's own source, copied, with the strategy's step bound into it.

numba keeps machine code between processes by source file, and only for a function whose callees are fixed; so each
pair of strategy and loop gets a file of its own, named by everything that decides its machine code. Invariant: the
copy is the loop's text and nothing else but one line that unpacks parameters, so what runs compiled, from disk, in
memory or as plain Python is the same code. Where no folder can be written to, it is compiled in memory.
"""

import hashlib
import inspect
import os
import sys
import tempfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from algotrendy_core import kernels
from algotrendy_core.backtest import manifest as manifests
from algotrendy_core.kernels import Step
from algotrendy_core.numba_loading import load_numba
from algotrendy_core.strategies.interface import AnyStrategy, Parameters

_STAMP = 1_000_000_000
"""Time of change of every generated file: numba compares it, and two writers of one text must not differ in it."""


class NotCompilable(Exception):
    """numba cannot compile the strategy's step; the run goes on uncompiled. The text is numba's reason."""


@cache
def tuple_type(model: type[Parameters]) -> Any:
    """The parameters as a step reads them; one type a model. A model without fields gets one, numba needs it."""
    return namedtuple(model.__name__, tuple(model.model_fields) or ("nothing",))


def given(parameters: Parameters) -> tuple[Any, ...]:
    """The parameters' values in the order of their fields, to be handed to a bound loop."""
    return tuple(getattr(parameters, name) for name in type(parameters).model_fields) or (0,)


@cache
def bound_loop(loop: Callable[..., Any], strategy: AnyStrategy, *, compiled: bool) -> Step:
    """``loop``, a function of a module that names ``step`` and ``parameters_from``, with the strategy's put in.

    Compiling happens at the first call. Raises nothing: what numba cannot compile raises there.
    """
    model: Any = strategy.parameters
    more = f"def parameters_from(given):\n    return ParametersTuple({_unpacked(strategy, 'given')})\n"
    names = {"step": strategy.step, "ParametersTuple": tuple_type(model)}
    return _bound(loop, more, names, (strategy,), compiled)


@cache
def bound_to_lanes(loop: Callable[..., Any], strategies: tuple[AnyStrategy, ...], *, compiled: bool) -> Step:
    """The same for a loop that names ``step_of`` and runs a strategy in each of several lanes."""
    names: dict[str, Any] = {}
    lines = ["def step_of(lane, givens, states, candle, holding, ladder):"]
    for lane, strategy in enumerate(strategies):
        model: Any = strategy.parameters
        names |= {f"step_{lane}": strategy.step, f"ParametersTuple_{lane}": tuple_type(model)}
        parameters = f"ParametersTuple_{lane}({_unpacked(strategy, f'givens[{lane}]')})"
        more = ", holding, ladder" if strategy.rungs else ""
        lines += [
            f"    if lane == {lane}:",
            f"        decision = step_{lane}({parameters}, states[{lane}], candle{more})",
            "        return decision.target, decision.reason",
        ]
    lines += ["    return nan, 0", "", "from math import nan", ""]
    return _bound(loop, "\n".join(lines), names, strategies, compiled)


def _unpacked(strategy: AnyStrategy, given: str) -> str:
    fields = tuple(strategy.parameters.model_fields) or ("nothing",)
    return ", ".join(f"{given}[{index}]" for index in range(len(fields)))


def _bound(
    loop: Callable[..., Any], more: str, names: dict[str, Any], strategies: tuple[AnyStrategy, ...], compiled: bool
) -> Step:
    text = f"{inspect.getsource(inspect.getmodule(loop) or loop)}\n\n{more}"
    if not compiled:
        return _load(text, f"<{loop.__name__}>", "algotrendy_plain_loop", names, loop)
    parts = [_digest(text, strategy) for strategy in strategies]
    digest = hashlib.sha256("".join(map(str, parts)).encode()).hexdigest()[:32] if all(parts) else None
    path = _kept_file(digest, text) if digest else None
    name = f"algotrendy_kernel_{digest or id(names)}"
    function = _load(text, str(path or f"<{name}>"), name, names, loop)
    return kernels.compiled(function, on_disk=path is not None)


def _load(text: str, path: str, name: str, names: dict[str, Any], loop: Callable[..., Any]) -> Step:
    module = ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module  # numba asks for the module by its name when it loads what it kept
    exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 - a module of this package, not anybody's text
    module.__dict__.update(names)
    bound: Step = module.__dict__[loop.__name__]
    return bound


# ── what names a file ───────────────────────────────────────────────────────────────────────────────────────────


def _digest(text: str, strategy: AnyStrategy) -> str | None:
    """Of everything that the machine code depends on; None where that cannot be told, as of functions in functions."""
    digest = hashlib.sha256(text.encode())
    digest.update(repr((strategy.step.__module__, strategy.step.__qualname__, sys.version)).encode())
    called = sorted(kernels.named_functions(strategy.step), key=lambda each: (each.__module__, each.__qualname__))
    for function in [strategy.step, *called]:
        if function.__closure__ or "<" in function.__qualname__:
            return None
        if function.__module__ not in sys.modules or not os.path.isfile(inspect.getfile(function)):
            return None
        digest.update(repr(list(_constants(function))).encode())
    try:
        digest.update(manifests.code_hash(strategy).encode())
    except OSError:
        return None
    return digest.hexdigest()[:32]


def _constants(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Numbers of the module that a function names: numba builds them in."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, (bool, int, float, str, tuple)):
            yield name, value


# ── where it is kept ────────────────────────────────────────────────────────────────────────────────────────────


def kernel_folder() -> Path:
    """Numba's own cache folder where one is set (``NUMBA_CACHE_DIR``), else the user's."""
    load_numba()
    from numba import config
    from numba.misc import appdirs

    chosen: Any = vars(config)["CACHE_DIR"] or appdirs.user_cache_dir("algotrendy")  # type: ignore[no-untyped-call]
    return Path(chosen) / "algotrendy_kernels"


def _kept_file(digest: str, text: str) -> Path | None:
    """The generated file, written whole by a rename, so that several processes may write it at once."""
    path = kernel_folder() / f"algotrendy_kernel_{digest}.py"
    try:
        if path.is_file() and path.read_text() == text:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent, suffix=".new")
    except OSError:
        return None
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.utime(scratch, (_STAMP, _STAMP))
        os.replace(scratch, path)
    except OSError:
        with suppress(OSError):
            os.unlink(scratch)
        return None
    return path

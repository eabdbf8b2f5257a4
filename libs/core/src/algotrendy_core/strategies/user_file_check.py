"""What a user's strategy file may contain, told from its text alone, with the line of what it may not.

Invariant: nothing of the file is executed here. The check keeps honest mistakes and plain attempts out; what gets past
it still meets the limits of the process that runs it.
"""

import ast
import importlib
import keyword
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from algotrendy_common.errors import Refused

ALLOWED_MODULES = ("math", "dataclasses", "typing", "enum", "numpy", "pydantic", "algotrendy_core")
"""With what is below them, private names excepted."""

_CLOSED_MODULES = ("algotrendy_core.strategies.user_file", "algotrendy_core.strategies.registry", "numpy.ctypeslib")
_FORBIDDEN_CALLS = frozenset(
    {
        "open", "eval", "exec", "compile", "input", "breakpoint", "globals", "locals", "vars", "getattr", "setattr",
        "delattr", "help", "exit", "quit", "dir",
    }
)  # fmt: skip
_FORBIDDEN_ATTRIBUTES = frozenset(
    {
        # numpy's ways to files and to the machine, on arrays and in the module.
        "fromfile", "tofile", "memmap", "loadtxt", "savetxt", "genfromtxt", "fromregex", "savez", "savez_compressed",
        "ctypeslib", "ctypes", "DataSource", "f2py", "npyio", "dump", "dumps",
        # Modules that others have imported.
        "sys", "os", "builtins", "subprocess", "socket", "importlib", "inspect", "io", "shutil", "pathlib", "modules",
    }
)  # fmt: skip
_LOADERS = frozenset({"load", "save", "open", "exec_module"})
"""Forbidden on a module; objects of the user's own may have such methods."""


def checked_tree(source: str, file: str) -> ast.Module:
    """The file's tree without what runs only as a script (``if __name__ == "__main__"``).

    Raises Refused with ``line`` for the first thing that may not be there.
    """
    try:
        tree = ast.parse(source, filename=file)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        reason = getattr(error, "msg", None) or str(error)
        raise refused("strategy_does_not_compile", reason, file, line) from error
    except (RecursionError, MemoryError) as error:
        raise refused("strategy_does_not_compile", "it is nested too deeply", file, 1) from error
    tree.body = [statement for statement in tree.body if not _is_script(statement)]
    modules = _Modules()
    for node in ast.walk(tree):
        for line, reason in _faults(node, modules):
            raise refused("strategy_forbidden", reason, file, line)
    return tree


def module_allowed(name: str) -> bool:
    parts = name.split(".")
    closed = any(name.startswith(one) for one in _CLOSED_MODULES)
    return parts[0] in ALLOWED_MODULES and not closed and not any(part.startswith("_") for part in parts)


def refused(code: str, reason: str, file: str, line: int | None) -> Refused:
    where = f"line {line}: " if line is not None else ""
    return Refused(code, f"{where}{reason}", file=file, line=line)


def _is_script(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), comparators=[ast.Constant(value="__main__")])):
            return not statement.orelse
    return False


class _Modules:
    """Names that the file binds to modules."""

    def __init__(self) -> None:
        self.bound: dict[str, ModuleType] = {}

    def bind(self, name: str, module: str) -> None:
        found = _imported(module)
        if found is not None:
            self.bound[name] = found

    def reached(self, node: ast.expr) -> ModuleType | None:
        """The module that an expression like ``np.random`` is."""
        match node:
            case ast.Name(id=name):
                return self.bound.get(name)
            case ast.Attribute(value=inner, attr=attribute):
                outer = self.reached(inner)
                found = None if outer is None else getattr(outer, attribute, None)
                return found if isinstance(found, ModuleType) else None
        return None


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except Exception:  # the import will say so itself, when the file runs
        return None


def _faults(node: ast.AST, modules: _Modules) -> Iterator[tuple[int, str]]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                if not module_allowed(alias.name):
                    yield node.lineno, _may_not_import(alias.name)
                else:
                    top = alias.name.split(".")[0]
                    modules.bind(alias.asname or top, alias.name if alias.asname else top)
        case ast.ImportFrom():
            yield from _from_faults(node, modules)
        case ast.Attribute(attr=attribute):
            yield from _attribute_faults(node, attribute, modules)
        case ast.Name(id=name) if name in _FORBIDDEN_CALLS or (_dunder(name) and name != "__name__"):
            yield node.lineno, f"{name} is not available to a strategy"
        case ast.Global() | ast.Nonlocal():
            yield node.lineno, "a step keeps what it remembers in its state, not in variables of the file"
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            yield getattr(node, "lineno", 1), "a strategy does not wait for anything"


def _from_faults(node: ast.ImportFrom, modules: _Modules) -> Iterator[tuple[int, str]]:
    module = node.module or ""
    if node.level or not module_allowed(module):
        yield node.lineno, _may_not_import("." * node.level + module)
        return
    for alias in node.names:
        if alias.name == "*":
            yield node.lineno, "name what is imported: * is not allowed"
            continue
        below = f"{module}.{alias.name}"
        if alias.name in _FORBIDDEN_ATTRIBUTES or (module == "numpy" and alias.name in _LOADERS):
            yield node.lineno, _may_not_import(below)
            continue
        found = getattr(_imported(module), alias.name, None)
        if isinstance(found, ModuleType):
            if not module_allowed(found.__name__):
                yield node.lineno, _may_not_import(found.__name__)
            else:
                modules.bound[alias.asname or alias.name] = found
        elif not module_allowed(below):
            yield node.lineno, _may_not_import(below)


def _attribute_faults(node: ast.Attribute, attribute: str, modules: _Modules) -> Iterator[tuple[int, str]]:
    if _dunder(attribute):
        yield node.lineno, f"{attribute} is not available to a strategy"
        return
    outer = modules.reached(node.value)
    found: Any = None if outer is None else getattr(outer, attribute, None)
    on_a_module = outer is not None and attribute in _LOADERS
    leaves = isinstance(found, ModuleType) and not module_allowed(found.__name__)
    if attribute in _FORBIDDEN_ATTRIBUTES or on_a_module or leaves:
        yield node.lineno, f"{ast.unparse(node)} is not available to a strategy"


def _dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and not keyword.iskeyword(name)


def _may_not_import(name: str) -> str:
    return f"it may not import {name}; allowed are {', '.join(ALLOWED_MODULES)}"

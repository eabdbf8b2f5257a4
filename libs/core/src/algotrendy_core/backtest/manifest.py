"""What a run was made of, and the hash of what came out: enough to repeat it anywhere and see that it is the same.

Invariant: equal manifests give equal result hashes. The hash covers fills, trades and equity, the kernels' output, and
not the statistics, whose sums may differ in the last digit from one processor to another.
"""

import hashlib
import inspect
import json
from functools import cache
from importlib import resources
from typing import Any

from algotrendy_core import kernels
from algotrendy_core.strategies.interface import AnyStrategy

_PIECE = 1 << 20
_KERNEL_PARTS = ("kernels.py", "bars.py", "indicators", "strategies", "backtest")


@cache
def code_hash(strategy: AnyStrategy) -> str:
    """SHA-256 of the sources that decide a run's outcome: this package's kernels and the strategy's own file."""
    digest = hashlib.sha256()
    package = resources.files("algotrendy_core")
    for part in _KERNEL_PARTS:
        found = package / part
        sources = [found] if found.is_file() else sorted(found.iterdir(), key=lambda entry: entry.name)
        for source in sources:
            if source.name.endswith(".py"):
                digest.update(source.name.encode() + b"\0" + source.read_bytes())
    for text in _own_sources(strategy):
        digest.update(text.encode())
    return digest.hexdigest()


def _own_sources(strategy: AnyStrategy) -> list[str]:
    """The files that the step and the functions it calls are written in, each once, in the order of their text."""
    functions = {strategy.step, *kernels.named_functions(strategy.step)}
    modules = {inspect.getmodule(function) or function for function in functions}
    return sorted(inspect.getsource(module) for module in modules)


class ContentHash:
    """SHA-256 of an array's content, little-endian, that may come in pieces."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, array: Any) -> None:
        # By pieces: what is read from a file need not be in memory at once.
        for start in range(0, len(array), _PIECE):
            piece = array[start : start + _PIECE]
            self._digest.update(piece.astype(piece.dtype.newbyteorder("<"), copy=False).tobytes())

    def digest(self) -> bytes:
        return self._digest.digest()


def content_hash(*contents: Any) -> str:
    """SHA-256 of several contents, each an array or a ContentHash that has taken one in."""
    whole = hashlib.sha256()
    for content in contents:
        if not isinstance(content, ContentHash):
            array, content = content, ContentHash()
            content.add(array)
        whole.update(content.digest())
    return whole.hexdigest()


def canonical(manifest: dict[str, Any]) -> str:
    """One spelling of a manifest, for comparing and hashing."""
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"))

"""What other packages would load only for looks or for features that no service uses, left out of a service's start.

Invariant: each of them asks "is it installed?" and works without; what was loaded before is left alone. A killed
service is back only after its imports, and these were a fifth of them.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*names: str) -> Iterator[None]:
    """To whoever asks for them inside the block, these packages are not installed."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say so
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with without("rich", "psutil", "aiohttp"):
    importlib.import_module("nats.aio.transport")  # aiohttp: for NATS over WebSocket
    importlib.import_module("opentelemetry.sdk.resources")  # psutil: to name the process in spans
    importlib.import_module("structlog")  # rich: for coloured tracebacks, where the log is lines of JSON

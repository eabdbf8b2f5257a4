"""ccxt with one venue: imported whole, it loads a hundred venues three times over at every start of a service.

Invariant: what runs is ccxt's own code, unmodified; only the ``__init__`` files of its packages are not executed.
Measured: 4.4 s of CPU and about 50 MB a process against 0.8 s.
"""

import importlib
import sys
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

_PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")


def load_ccxt(venue: str) -> Any:
    """The module ``ccxt`` holding ``venue`` (its id in ccxt), the errors and ``pro``; repeated, it adds a venue.

    Call it before anything imports ccxt; after that, the whole package is what there is and what comes back.
    Raises ImportError for a venue that ccxt does not have.
    """
    if "ccxt" not in sys.modules:
        _prepare()
    root, asynchronous, pro = (sys.modules[name] for name in _PACKAGES if name in sys.modules or _import(name))
    for package in (asynchronous, pro):
        if not hasattr(package, venue):
            setattr(package, venue, getattr(importlib.import_module(f"{package.__name__}.{venue}"), venue))
    return root


def _prepare() -> None:
    root, asynchronous, pro = (_unrun(name) for name in _PACKAGES)
    for package in (root, asynchronous, pro):
        package.__dict__["__version__"] = version("ccxt")
    errors = importlib.import_module("ccxt.base.errors")
    root.__dict__.update({name: value for name, value in vars(errors).items() if not name.startswith("_")})
    root.__dict__.update(
        Exchange=importlib.import_module("ccxt.base.exchange").Exchange, async_support=asynchronous, pro=pro
    )


def _unrun(name: str) -> ModuleType:
    spec = find_spec(name)
    if spec is None:
        raise ImportError(f"{name} is not installed")
    package = module_from_spec(spec)
    sys.modules[name] = package
    return package


def _import(name: str) -> ModuleType:
    return importlib.import_module(name)

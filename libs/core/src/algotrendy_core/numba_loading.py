"""numba, without what it loads only to see whether it is there.

numba imports scipy's linear algebra to learn that it could compile a matrix product, and coverage to learn that it is
not being measured: together longer than a year of minutes takes to run on. Invariant: both are as they were afterwards,
so a step that does multiply matrices is compiled as ever (numba asks for scipy once more when it gets there).
"""

import sys
from functools import cache
from importlib import import_module
from types import ModuleType

_SEEN_TO_BE_THERE = ("scipy.linalg", "scipy.linalg.cython_blas")
_SEEN_TO_BE_ABSENT = ("coverage",)


@cache
def load_numba() -> None:
    """Import numba, once. What is already loaded is left alone."""
    if "numba" in sys.modules:
        return
    absent = [name for name in (*_SEEN_TO_BE_THERE, *_SEEN_TO_BE_ABSENT) if name not in sys.modules]
    for name in absent:
        sys.modules[name] = ModuleType(name) if name in _SEEN_TO_BE_THERE else None  # type: ignore[assignment]
    try:
        import_module("numba")
        import_module("numba.np.arraymath")  # which asks; numba itself would load it at the first compilation
    finally:
        for name in absent:
            sys.modules.pop(name, None)

"""numba is loaded without what it only looks for, and can do all that it could."""

import subprocess
import sys

_LOOKED_FOR = """
import sys
from algotrendy_core import kernels
import numpy as np
def double(x):
    return 2.0 * x
assert kernels.compiled(double)(2.0) == 4.0
loaded = [name for name in ("scipy.linalg", "coverage") if name in sys.modules]
assert not loaded, loaded
def product(a):
    return np.dot(a, a)
assert kernels.compiled(product)(np.eye(2) * 3.0).tolist() == [[9.0, 0.0], [0.0, 9.0]]
assert sys.modules["scipy.linalg.cython_blas"].__file__
print("ok")
"""


def test_neither_linear_algebra_nor_coverage_is_loaded_before_it_is_wanted() -> None:
    done = subprocess.run([sys.executable, "-c", _LOOKED_FOR], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("ok\n", 0), done.stderr

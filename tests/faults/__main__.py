"""``python -m tests.faults NAME --seeds N``: a proof by faults, whose last line is JSON.

Invariant: a run depends on its seeds alone; so the order in which Python walks through a set is fixed, too.
"""

import importlib
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    return sorted(path.parent.name for path in HERE.glob("*/run.py"))


def main() -> int:
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.faults", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"}
        )
    name, *arguments = sys.argv[1:] or [""]
    if name not in names():
        raise SystemExit(f"there is no proof {name!r}; there are: {', '.join(names())}")
    status: int = importlib.import_module(f"tests.faults.{name}.run").main(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())

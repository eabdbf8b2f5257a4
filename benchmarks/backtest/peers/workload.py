"""What every engine's script shares, run inside that engine's environment: the workload and its line of JSON.

Two simple moving averages of closes (10 and 50), long only, one position, all of the cash; decided at a bar's close,
filled at the next open, 0.1 % commission a side, no slippage, a million to begin with. The clock runs over the
engine's own run: imports, reading the file and compiling are outside.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

FAST, SLOW = 10, 50
CASH, COMMISSION = 1_000_000.0, 0.001


def frame() -> Any:
    """The bars named on the command line, indexed by their open time in UTC."""
    import pandas as pd

    table = pd.read_csv(sys.argv[1])
    table.index = pd.to_datetime(table.pop("timestamp_ms"), unit="ms")
    return table


CPU_SECONDS = 0.0
"""Of the processor, in the last timed call's best run: what other programs do does not stretch it."""


def timed[T](work: Callable[[], T]) -> tuple[T, float]:
    """The best of three, as the engine that is compared with them is measured; slow ones once."""
    global CPU_SECONDS
    best, result = float("inf"), None
    for _ in range(3):
        began, used = time.perf_counter(), time.process_time()
        result = work()
        taken, used = time.perf_counter() - began, time.process_time() - used
        if taken < best:
            best, CPU_SECONDS = taken, used
        if best > 2.0:
            break
    assert result is not None
    return result, best


def tell(bars: int, seconds: float, trades: int, equity: float) -> None:
    found = {"bars": bars, "seconds": seconds, "cpu_seconds": CPU_SECONDS, "trades": trades, "final_equity": equity}
    print(json.dumps(found))

"""vectorbt on the workload, or over the first COUNT pairs of averages. Its kernels are compiled outside the clock."""

import sys

import numpy as np
import vectorbt as vbt
from workload import CASH, COMMISSION, FAST, SLOW, frame, tell, timed

bars = frame()
count = int(sys.argv[2]) if len(sys.argv) > 2 else 1
grid = [(quick, slow) for slow in range(20, 2020, 2) for quick in range(4, 20)][:count]
quicks, slows = ([FAST], [SLOW]) if count == 1 else ([pair[0] for pair in grid], [pair[1] for pair in grid])


def run(table):
    quick = vbt.MA.run(table.close, window=quicks, short_name="quick")
    slow = vbt.MA.run(table.close, window=slows, short_name="slow")
    bought = quick.ma_crossed_above(slow).vbt.signals.fshift(1)
    sold = quick.ma_crossed_below(slow).vbt.signals.fshift(1)
    held = vbt.Portfolio.from_signals(table.open, bought, sold, init_cash=CASH, fees=COMMISSION, freq="1min")
    return int(np.sum(held.trades.count())), float(np.max(held.final_value()))


run(bars.iloc[:3000])
(trades, equity), seconds = timed(lambda: run(bars))
tell(len(bars) * count, seconds, trades, equity)

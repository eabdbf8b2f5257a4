"""backtesting.py on the workload."""

import warnings

from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from workload import CASH, COMMISSION, FAST, SLOW, frame, tell, timed

warnings.filterwarnings("ignore")


def mean_of(values, length):
    return values.s.rolling(length).mean()


class Crossing(Strategy):
    def init(self):
        self.quick = self.I(mean_of, self.data.Close, FAST)
        self.slow = self.I(mean_of, self.data.Close, SLOW)

    def next(self):
        if self.position:
            if crossover(self.slow, self.quick):
                self.position.close()
        elif crossover(self.quick, self.slow):
            self.buy(size=0.99)


bars = frame().rename(columns=str.capitalize)
engine = Backtest(bars, Crossing, cash=CASH, commission=COMMISSION, finalize_trades=True)
found, seconds = timed(engine.run)
tell(len(bars), seconds, int(found["# Trades"]), float(found["Equity Final [$]"]))

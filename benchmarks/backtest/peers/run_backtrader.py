"""backtrader on the workload."""

import backtrader as bt
from workload import CASH, COMMISSION, FAST, SLOW, frame, tell, timed


class Crossing(bt.Strategy):
    def __init__(self):
        self.sign = bt.ind.CrossOver(bt.ind.SMA(period=FAST), bt.ind.SMA(period=SLOW))
        self.ended = 0

    def next(self):
        if self.position:
            if self.sign < 0:
                self.close()
        elif self.sign > 0:
            self.order_target_percent(target=0.99)

    def notify_trade(self, trade):
        self.ended += trade.isclosed


bars = frame()
cerebro = bt.Cerebro(stdstats=False)
cerebro.adddata(bt.feeds.PandasData(dataname=bars))
cerebro.addstrategy(Crossing)
cerebro.broker.setcash(CASH)
cerebro.broker.setcommission(COMMISSION)
ran, seconds = timed(cerebro.run)
tell(len(bars), seconds, ran[0].ended, cerebro.broker.getvalue())

"""NautilusTrader on the workload."""

import time
from decimal import Decimal

from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy
from workload import CASH, FAST, SLOW, frame, tell


class CrossingConfig(StrategyConfig, frozen=True):
    bar_type: BarType


class Crossing(Strategy):
    def __init__(self, config):
        super().__init__(config)
        self.quick, self.slow = SimpleMovingAverage(FAST), SimpleMovingAverage(SLOW)
        self.was_above = None

    def on_start(self):
        self.traded = self.cache.instrument(self.config.bar_type.instrument_id)
        for indicator in (self.quick, self.slow):
            self.register_indicator_for_bars(self.config.bar_type, indicator)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar):
        if not self.slow.initialized:
            return
        was, self.was_above = self.was_above, self.quick.value > self.slow.value
        if was is None or was == self.was_above:
            return
        flat = self.portfolio.is_flat(self.traded.id)
        if self.was_above and flat:
            cash = self.portfolio.account(self.traded.venue).balance_free(USDT).as_double()
            wanted = self.traded.make_qty(Decimal(str(round(0.99 * cash / bar.close.as_double(), 5))))
            self.submit_order(self.order_factory.market(self.traded.id, OrderSide.BUY, wanted))
        elif not self.was_above and not flat:
            self.close_all_positions(self.traded.id)


table = frame().tz_localize("UTC")
instrument = TestInstrumentProvider.btcusdt_binance()
bar_type = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
venue = Venue("BINANCE")
engine.add_venue(
    venue, oms_type=OmsType.NETTING, account_type=AccountType.CASH, base_currency=None,
    starting_balances=[Money(CASH, USDT)],
)  # fmt: skip
engine.add_instrument(instrument)
engine.add_data(BarDataWrangler(bar_type, instrument).process(table))
engine.add_strategy(Crossing(CrossingConfig(bar_type=bar_type)))
began = time.perf_counter()
engine.run()
seconds = time.perf_counter() - began
fills = len(engine.trader.generate_order_fills_report())
tell(len(table), seconds, fills // 2, engine.portfolio.account(venue).balance_total(USDT).as_double())

"""Jesse, in its fast mode, on the workload."""

import jesse.helpers as helpers
from jesse import research
from jesse.strategies import Strategy
from workload import CASH, COMMISSION, FAST, SLOW, frame, tell, timed


class Crossing(Strategy):
    def before(self):
        closes, was = self.candles[:, 2], self.vars.get("above")
        now = bool(closes[-FAST:].mean() > closes[-SLOW:].mean()) if len(closes) >= SLOW else None
        self.vars.update(above=now, up=now is True and was is False, down=now is False and was is True)

    def should_long(self):
        return self.vars["up"]

    def go_long(self):
        self.buy = 0.99 * self.available_margin / self.price, self.price

    def update_position(self):
        if self.vars["down"]:
            self.liquidate()


table = frame()
table.insert(0, "time", table.index.astype("int64") // (1_000_000 if table.index.unit == "ns" else 1))
candles = table[["time", "open", "close", "high", "low", "volume"]].to_numpy(dtype=float)
exchange, symbol = "Binance Spot", "BTC-USDT"
account = {
    "starting_balance": CASH, "fee": COMMISSION, "type": "spot", "futures_leverage": 1,
    "futures_leverage_mode": "cross", "exchange": exchange, "warm_up_candles": 0,
}  # fmt: skip
routes = [{"exchange": exchange, "strategy": Crossing, "symbol": symbol, "timeframe": "1m"}]
data = {helpers.key(exchange, symbol): {"exchange": exchange, "symbol": symbol, "candles": candles}}
found, seconds = timed(lambda: research.backtest(account, routes, [], data, fast_mode=True))
metrics = found["metrics"]
tell(len(table), seconds, int(metrics.get("total", 0)), float(metrics.get("finishing_balance", CASH)))

"""Backtest a strategy over the recorded day that the demo plays, and print what came of it.

    python examples/04_backtest.py
    python examples/04_backtest.py rsi_reversion --set period=10 --set entry=25 --slippage-bps 2

Everything runs in this process: no server, no network.
"""

import argparse
import csv
from decimal import Decimal
from pathlib import Path

from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.backtest.engine import BacktestConfig, BacktestResult, run_backtest
from algotrendy_core.backtest.series import BarSeries, series_of
from algotrendy_core.bars import Candle
from algotrendy_core.strategies.registry import STRATEGIES, parameters_of, strategy_named
from algotrendy_simulator.listings import PACKAGED, Listing, read_listings


def recorded(symbol: str) -> tuple[Listing, BarSeries]:
    """The instrument that the simulated venue lists, and its recorded one-minute candles."""
    [listing] = [listing for listing in read_listings(PACKAGED) if listing.instrument.symbol == symbol]
    return listing, read_csv(PACKAGED / listing.file)


def read_csv(path: Path) -> BarSeries:
    """Columns: timestamp_ms, open, high, low, close, volume."""
    with path.open(newline="") as file:
        rows = [
            Candle(int(row["timestamp_ms"]), *(float(row[name]) for name in ("open", "high", "low", "close", "volume")))
            for row in csv.DictReader(file)
        ]
    return series_of(Timeframe.M1, rows)


def print_result(result: BacktestResult) -> None:
    figures = result.statistics
    print(f"{figures.bars} bars, {len(result.fills)} fills, {figures.trades} trades, fees {figures.fees:,.2f}")
    print(f"equity   {figures.initial_equity:,.2f} -> {figures.final_equity:,.2f} ({figures.total_return:+.2%})")
    print(f"drawdown {figures.max_drawdown:.2%}", end="")
    if figures.max_drawdown_peak is not None and figures.max_drawdown_trough is not None:
        print(f", {from_ms(figures.max_drawdown_peak):%H:%M} to {from_ms(figures.max_drawdown_trough):%H:%M}", end="")
    print()
    for name in ("sharpe", "sortino", "win_rate", "profit_factor", "average_trade", "exposure", "turnover"):
        value = getattr(figures, name)
        print(f"{name:<14} {'undefined' if value is None else f'{value:.3f}'}")
    print("last trades:")
    for trade in result.trades[-5:]:
        entered, left = from_ms(int(trade["entry_time"])), from_ms(int(trade["exit_time"]))
        print(
            f"  {entered:%H:%M}-{left:%H:%M} {trade['quantity']:.5f} at {trade['entry_price']:,.2f}"
            f" -> {trade['exit_price']:,.2f}  profit {trade['profit']:+,.2f}"
        )
    print(f"result hash {result.result_hash[:16]} ({'compiled' if result.compiled else 'not compiled'})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strategy", nargs="?", default="sma_cross", choices=sorted(STRATEGIES))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    parser.add_argument("--symbol", default="BTC-USDT")
    parser.add_argument("--cash", type=Decimal, default=Decimal(100_000))
    parser.add_argument("--slippage-bps", type=Decimal, default=Decimal(1))
    options = parser.parse_args()

    strategy = strategy_named(options.strategy)
    listing, bars = recorded(options.symbol)
    try:
        parameters = parameters_of(strategy, dict(pair.split("=", 1) for pair in options.set))
        config = BacktestConfig(options.cash, slippage_bps=options.slippage_bps)
        result = run_backtest(strategy, parameters, bars, listing.instrument, config)
    except Refused as refused:
        parser.error(str(refused))
    print(f"{strategy.name} {parameters.model_dump()} on {options.symbol}")
    print_result(result)


if __name__ == "__main__":
    main()

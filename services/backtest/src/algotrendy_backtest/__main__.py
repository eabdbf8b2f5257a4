"""``python -m algotrendy_backtest``"""

from algotrendy_common.settings import load_or_exit

from algotrendy_backtest.service import build_app
from algotrendy_backtest.settings import BacktestSettings

if __name__ == "__main__":
    build_app(load_or_exit(BacktestSettings, "backtest")).run()

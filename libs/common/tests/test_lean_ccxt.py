"""One venue of ccxt, in a process of its own so that no other test's import is in the way."""

import subprocess
import sys

PROGRAM = """
from algotrendy_common.lean_ccxt import load_ccxt
ccxt = load_ccxt("binance")
exchange = ccxt.pro.binance()
assert exchange.id == "binance" and exchange.pro is True
assert issubclass(ccxt.pro.binance, ccxt.async_support.binance)
assert issubclass(ccxt.RequestTimeout, ccxt.NetworkError)
import ccxt as again
assert again is ccxt
load_ccxt("kraken").pro.kraken()
import sys
assert "ccxt.pro.bybit" not in sys.modules
try:
    load_ccxt("nosuchvenue")
except ImportError:
    print("well", ccxt.__version__)
"""


def test_one_venue_is_loaded_and_no_other():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("well 4.")

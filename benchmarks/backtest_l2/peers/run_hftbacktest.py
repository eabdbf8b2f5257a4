"""hftbacktest on the events and the strategy of the benchmark, run inside its own environment."""

import json
import sys
import time

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
    event_dtype,
)  # fmt: skip
from numba import njit

LEVEL = 1
PATIENCE = 20
MS = 1_000_000
given = np.load(sys.argv[1])
feed, order = int(given["feed_ms"]) * MS, int(given["order_ms"]) * MS
rows = np.zeros(len(given["time"]), event_dtype)
kind = np.where(given["kind"] == LEVEL, DEPTH_EVENT, TRADE_EVENT).astype(np.uint64)
side = np.where(given["side"] == 1, BUY_EVENT, SELL_EVENT).astype(np.uint64)
rows["ev"] = kind | side | np.uint64(EXCH_EVENT) | np.uint64(LOCAL_EVENT)
rows["exch_ts"] = given["time"] * MS
rows["local_ts"] = rows["exch_ts"] + feed
rows["px"], rows["qty"] = given["price"], given["quantity"]


@njit
def play(engine, held, first, interval):
    """Positions at each look go into ``held``; the number of looks that there was time for."""
    side, order_id, step, waited = 0, 0, 0, 0
    engine.elapse(1)  # there is no present time before the first call
    if engine.elapse(first - engine.current_timestamp) != 0:
        return 0
    while step < len(held):
        position = engine.position(0)
        held[step] = position
        step += 1
        depth = engine.depth(0)
        wanted = side
        if side == 0 or (side == -1 and position < 0.05):
            wanted = 1
        elif side == 1 and position > 0.05:
            wanted = -1
        waited += 1
        if wanted != side or waited == PATIENCE:
            side, waited = wanted, 0
            engine.clear_inactive_orders(0)
            if order_id in engine.orders(0):
                engine.cancel(0, order_id, False)
            order_id += 1
            if side == 1:
                engine.submit_buy_order(0, order_id, depth.best_bid, 0.1, GTC, LIMIT, False)
            else:
                engine.submit_sell_order(0, order_id, depth.best_ask, 0.1, GTC, LIMIT, False)
        if engine.elapse(interval) != 0:
            break
    return step


def run():
    asset = (
        BacktestAsset()
        .data([rows])
        .linear_asset(1.0)
        .constant_order_latency(order, feed)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0005)
        .tick_size(0.5)
        .lot_size(0.1)
        .roi_lb(float(given["price"].min()) - 10)
        .roi_ub(float(given["price"].max()) + 10)
    )
    engine = ROIVectorMarketDepthBacktest([asset])
    # A look at venue time t is at t plus the feed's latency by the strategy's clock.
    first, held = int(given["first"]) * MS + feed, np.zeros(int(given["looks"]))
    begin = int(rows["exch_ts"][0])
    began, used = time.perf_counter(), time.process_time()
    looked = play(engine, held, max(first, begin), 100 * MS)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    engine.close()
    return used, seconds, held[:looked]


run()
used, seconds, held = min((run() for _ in range(4)), key=lambda each: each[0])
print(json.dumps({"seconds": seconds, "cpu_seconds": used, "positions": np.round(held, 1).tolist()}))

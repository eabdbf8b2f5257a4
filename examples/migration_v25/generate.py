"""Writes an export of AlgoTrendy 2.5 as its users have one: four hypertables, about 4,100 rows, some of them bad.

    python examples/migration_v25/generate.py [FOLDER]

The same rows every time. Columns and meanings are in docs/migration-from-2.5.md. The bad rows are of kinds that an old
database really holds: impossible prices, text in numbers, lost ids, timeframes and venues that are no more, rows twice.
"""

import csv
import random
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

END = datetime(2022, 12, 12, tzinfo=UTC)
"""The day before the recorded day that the demo replays, so both fit into one store."""
MARKETS = {
    # exchange, symbol as 2.5 named them: first price, decimals of price, decimals of quantity
    ("binance", "BTC/USDT"): (17000, 2, 5),
    ("binance", "ETH/USDT"): (1250, 2, 4),
    ("binance", "SOL/USDT"): (13, 3, 2),
    ("okex", "BTC/USDT:USDT"): (17000, 1, 3),
    ("coinbasepro", "BTC/USD"): (17010, 2, 8),
}
CANDLES = [
    (("binance", "BTC/USDT"), "1h", 336), (("binance", "ETH/USDT"), "1h", 336), (("binance", "SOL/USDT"), "1h", 336),
    (("okex", "BTC/USDT:USDT"), "5m", 864), (("coinbasepro", "BTC/USD"), "1m", 600),
    (("okex", "BTC/USDT:USDT"), "1d", 90),
]  # fmt: skip
SECONDS = {"1m": 60, "5m": 300, "1h": 3600, "1d": 86400}
COLUMNS = {
    "candles": ("time", "exchange", "symbol", "timeframe", "open", "high", "low", "close", "volume", "trade_count"),
    "trades": ("time", "exchange", "symbol", "trade_id", "side", "price", "amount"),
    "orders": (
        "time", "order_id", "account", "exchange", "symbol", "strategy", "side", "type", "quantity", "price",
        "stop_price", "filled", "average_price", "fee", "fee_currency", "status",
    ),
    "positions": (
        "time", "account", "exchange", "symbol", "side", "quantity", "entry_price", "exit_price", "realized_pnl",
        "closed_at",
    ),
}  # fmt: skip

type Row = list[str]


def main(folder: Path) -> None:
    chance = random.Random(2025)  # noqa: S311 - made-up prices
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "candles": [*candles(chance), *bad_candles()],
        "trades": [*trades(chance), *bad_trades()],
        "orders": [*orders(chance), *bad_orders()],
        "positions": [*positions(chance), *bad_positions()],
    }
    for name, rows in tables.items():
        rows.append(rows[3])  # one is there twice, word for word: a retried insert without a key
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS[name])
            writer.writerows(rows)
        print(f"{name}: {len(rows)} rows")


def stamp(time: datetime) -> str:
    """As PostgreSQL writes a timestamptz in UTC."""
    fraction = f".{time.microsecond:06}".rstrip("0") if time.microsecond else ""
    return f"{time:%Y-%m-%d %H:%M:%S}{fraction}+00"


def number(value: float, decimals: int) -> str:
    return str(Decimal(f"{value:.{decimals}f}"))


def candles(chance: random.Random) -> Iterator[Row]:
    for market, timeframe, count in CANDLES:
        first, decimals, quantity_decimals = MARKETS[market]
        step = timedelta(seconds=SECONDS[timeframe])
        price = float(first)
        for index in range(count):
            close = price * (1 + chance.gauss(0, 0.0008 * step.total_seconds() ** 0.25))
            top, bottom = (
                max(price, close) * (1 + chance.random() / 900),
                min(price, close) * (1 - chance.random() / 900),
            )
            trades = chance.randint(3, 900)
            time = END - (count - index) * step
            prices = [number(value, decimals) for value in (price, top, bottom, close)]
            # Rounding may bring open or close out of their range by a step.
            numbers = [Decimal(value) for value in prices]
            prices[1], prices[2] = str(max(numbers)), str(min(numbers))
            yield [
                stamp(time), *market, timeframe, *prices, number(chance.random() * 50, quantity_decimals),
                str(trades) if chance.random() > 0.05 else "",
            ]  # fmt: skip
            price = close


def trades(chance: random.Random) -> Iterator[Row]:
    for place, market in enumerate(MARKETS):
        first, decimals, quantity_decimals = MARKETS[market]
        time, price = END - timedelta(hours=2), float(first)
        for index in range(228):
            time += timedelta(milliseconds=chance.randint(1, 60_000))
            price *= 1 + chance.gauss(0, 0.0002)
            yield [
                stamp(time), *market, str(900_000_000 * (place + 1) + index), chance.choice(("buy", "sell")),
                number(price, decimals), number(0.001 + chance.random() * 3, quantity_decimals),
            ]  # fmt: skip


def orders(chance: random.Random) -> Iterator[Row]:
    names = list(MARKETS)
    for _ in range(297):
        market = chance.choice(names)
        first, decimals, quantity_decimals = MARKETS[market]
        price = first * (1 + chance.gauss(0, 0.02))
        quantity = Decimal(number(0.01 + chance.random() * 2, quantity_decimals))
        kind = chance.choice(("market", "limit", "limit", "stop", "stop_limit"))
        status = chance.choices(
            ("filled", "cancelled", "rejected", "partially_filled", "expired", "open"), (70, 15, 5, 4, 4, 2)
        )[0]
        filled = {"filled": quantity, "partially_filled": (quantity / 2).quantize(quantity)}.get(status, Decimal(0))
        average = number(price, decimals) if filled else ""
        fee = number(float(filled) * price * 0.001, 8) if filled else "0"
        yield [
            stamp(END - timedelta(seconds=chance.randint(60, 60 * 86_400), microseconds=chance.randint(0, 999_999))),
            str(uuid.UUID(int=chance.getrandbits(128), version=4)), chance.choice(("main", "test-2")), *market,
            chance.choice(("momentum", "rsi", "")), chance.choice(("buy", "sell")), kind, str(quantity),
            number(price, decimals) if "limit" in kind else "",
            number(price * 0.99, decimals) if "stop" in kind else "",
            str(filled), average, fee, market[1].split("/")[1].split(":")[0], status,
        ]  # fmt: skip


def positions(chance: random.Random) -> Iterator[Row]:
    names = list(MARKETS)
    for index in range(84):
        market = names[index % len(names)]
        first, decimals, quantity_decimals = MARKETS[market]
        opened = END - timedelta(hours=14 * (84 - index), seconds=chance.randint(0, 3000))
        side = chance.choice(("long", "long", "short")) if ":" in market[1] else "long"
        quantity = Decimal(number(0.01 + chance.random(), quantity_decimals))
        entry = Decimal(number(first * (1 + chance.gauss(0, 0.03)), decimals))
        leave = Decimal(number(float(entry) * (1 + chance.gauss(0, 0.02)), decimals))
        still_open = index > 79
        profit = Decimal(0) if still_open else quantity * (leave - entry) * (1 if side == "long" else -1)
        yield [
            stamp(opened), chance.choice(("main", "test-2")), *market, side, str(quantity), str(entry),
            "" if still_open else str(leave), str(profit.quantize(Decimal("1e-8"))),
            "" if still_open else stamp(opened + timedelta(minutes=chance.randint(5, 800))),
        ]  # fmt: skip


def bad_candles() -> list[Row]:
    btc = ["binance", "BTC/USDT"]
    day = stamp(END - timedelta(days=40))
    return [
        [day, *btc, "1h", "17000", "17010", "-1", "17005", "3", "9"],
        [day, *btc, "1h", "17000", "16900", "16990", "17005", "3", "9"],
        [day, *btc, "30m", "17000", "17010", "16990", "17005", "3", "9"],
        [stamp(END - timedelta(days=40, minutes=7)), *btc, "1h", "17000", "17010", "16990", "17005", "3", "9"],
        [day, "bittrex", "BTC/USDT", "1h", "17000", "17010", "16990", "17005", "3", "9"],
        [day, "binance", "BTCUSDT", "1h", "17000", "17010", "16990", "17005", "3", "9"],
        ["2022-11-31 00:00:00+00", *btc, "1h", "17000", "17010", "16990", "17005", "3", "9"],
        [day, *btc, "1h", "17000", "17010", "16990", "NaN", "3", "9"],
        [day, *btc, "1h", "17000", "17010", "16990", "17005", "3"],
        [stamp(END - timedelta(days=800)), *btc, "1h", "17000", "17010", "16990", "17005", "3", "9"],
    ]


def bad_trades() -> list[Row]:
    time = stamp(END - timedelta(minutes=3))
    return [
        [time, "binance", "BTC/USDT", "", "buy", "17000", "1"],
        [time, "binance", "BTC/USDT", "1", "BUYER", "17000", "1"],
        [time, "binance", "BTC/USDT", "2", "buy", "0", "1"],
        [time, "binance", "BTC/USDT", "3", "buy", "17000", "1e-30"],
        [time, "binance", "BTC/USDT", "4", "buy", "17000", "1"],
        [time, "binance", "BTC/USDT", "4", "buy", "17001", "1"],
    ]


def bad_orders() -> list[Row]:
    time, pair = stamp(END - timedelta(days=3)), ["binance", "BTC/USDT"]
    return [
        [time, "o-1", "main", *pair, "rsi", "buy", "limit", "1", "17000", "", "2", "17000", "17", "USDT", "filled"],
        [time, "o-2", "main", *pair, "rsi", "buy", "limit", "1", "", "", "0", "", "0", "USDT", "cancelled"],
        [time, "o-3", "main account", *pair, "rsi", "buy", "market", "1", "", "", "0", "", "0", "USDT", "rejected"],
    ]


def bad_positions() -> list[Row]:
    return [
        [
            stamp(END),
            "main",
            "binance",
            "BTC/USDT",
            "long",
            "1",
            "17000",
            "17100",
            "100",
            stamp(END - timedelta(days=1)),
        ],
        [stamp(END), "main", "binance", "BTC/USDT", "flat", "1", "17000", "17100", "100", ""],
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "export")

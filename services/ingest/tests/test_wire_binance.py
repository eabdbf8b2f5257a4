"""Binance's sockets without sockets: the recordings, and what a row of depth messages may not be."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from algotrendy_ingest.domain.ticks import BookLost, Cause, FundingTick, MarkTick, Stamp, Stream, TradeTick
from algotrendy_ingest.wire.binance import BinanceLine
from algotrendy_ingest.wire.protocol import BookMoved, Plan, SnapshotWanted

RECORDINGS = Path(__file__).parent / "recordings"
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 0)
BTC = BinanceLine.market_of("BTC-USDT")
SNAPSHOT = json.dumps({"lastUpdateId": 100, "bids": [["10.0", "1"], ["9.5", "2"]], "asks": [["10.5", "3"]]})


def depth(first, last, bids=(), asks=(), **more):
    rows = {"b": [list(row) for row in bids], "a": [list(row) for row in asks]}
    return json.dumps({"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last} | rows | more)


def spot():
    return BinanceLine(BinanceLine.plans([BTC], frozenset({Stream.BOOKS}))[0])


def ready():
    line = spot()
    assert line.read(depth(99, 101, bids=[("9.5", "0")]), NOW) == [SnapshotWanted("BTC-USDT")]
    assert line.snapshot("BTC-USDT", SNAPSHOT, NOW) == [BookMoved("BTC-USDT", NOW)]
    return line


@pytest.mark.parametrize(
    ("name", "symbols"),
    [("binance", {"NKN-USDT", "BLZ-ETH"}), ("binance_futures", {"SUSHI-USDT-PERP", "KEEP-USDT-PERP"})],
)
def test_a_recording_has_no_hole_and_no_crossed_book(name, symbols):
    entries = [json.loads(line) for part in ("ws.1", "http") for line in (RECORDINGS / f"{name}_{part}.jsonl").open()]
    line, heard = BinanceLine(), []
    for entry in sorted(entries, key=lambda entry: float(entry["t"])):
        if entry["kind"] == "open":
            line.opened(entry["url"])
        elif entry["kind"] == "http":
            id = entry["url"].split("symbol=")[1].split("&")[0]
            heard += line.snapshot(line.market(id).names.symbol, entry["raw"], NOW)
        elif entry["kind"] == "recv":
            heard += line.read(entry["raw"], NOW)
    assert {market.names.symbol for market in line.markets.values()} == symbols
    for market in line.markets.values():
        assert market.book.ready
        assert (market.checks.sequence_wrong, market.checks.crossed) == (0, 0)
        assert market.checks.sequence_right > 0
    assert not any(isinstance(one, BookLost) for one in heard)
    trades = [one for one in heard if isinstance(one, TradeTick)]
    for symbol in {trade.symbol for trade in trades}:
        numbers = [trade.sequence for trade in trades if trade.symbol == symbol]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_what_came_before_the_snapshot_is_laid_on_it():
    book = ready().market("BTCUSDT").book
    assert (book.bids.best(), book.asks.best(), book.sequence) == ([("10.0", "1")], [("10.5", "3")], 101)


def test_a_message_left_out_loses_the_book_until_a_new_snapshot_lies_under_what_followed():
    line = ready()
    lost, wanted = line.read(depth(103, 104), NOW)
    assert (lost.symbol, lost.cause) == ("BTC-USDT", Cause.SEQUENCE)
    assert wanted == SnapshotWanted("BTC-USDT")
    assert line.read(depth(105, 106, bids=[("9", "4")]), NOW) == []
    too_old = json.loads(SNAPSHOT) | {"lastUpdateId": 101}
    assert line.snapshot("BTC-USDT", json.dumps(too_old), NOW) == [SnapshotWanted("BTC-USDT")]
    assert line.snapshot("BTC-USDT", json.dumps(too_old | {"lastUpdateId": 103}), NOW)[-1] == BookMoved("BTC-USDT", NOW)
    market = line.market("BTCUSDT")
    assert (market.book.sequence, market.checks.sequence_wrong) == (106, 1)
    assert market.book.bids.best()[-1] == ("9", "4")


def test_a_message_that_comes_again_is_left_out():
    line = ready()
    assert line.read(depth(102, 103, bids=[("9", "1")]), NOW) == [BookMoved("BTC-USDT", NOW)]
    assert line.read(depth(102, 103, bids=[("9", "0")]), NOW) == []
    assert line.market("BTCUSDT").checks.repeated == 1
    assert line.market("BTCUSDT").book.bids.best()[-1] == ("9", "1")


def test_a_book_that_crosses_is_lost():
    lost, wanted = ready().read(depth(102, 102, bids=[("10.5", "1")]), NOW)
    assert (lost.cause, wanted) == (Cause.CROSSED, SnapshotWanted("BTC-USDT"))


@pytest.mark.parametrize("row", [("x", "1"), ("10", "-1"), ("nan", "1"), ("10",), ("0", "1"), ("10", "inf")])
def test_a_level_that_is_none_loses_the_book_rather_than_half_of_a_message(row):
    line = ready()
    assert isinstance(line.read(depth(102, 102, bids=[("9", "1"), row]), NOW)[0], BookLost)
    assert len(line.market("BTCUSDT").book.bids) == 0


def test_futures_follow_by_the_end_of_the_message_before():
    market = BinanceLine.market_of("BTC-USDT-PERP")
    [plan] = BinanceLine.plans([market], frozenset({Stream.BOOKS}))
    line = BinanceLine(plan)
    line.read(depth(90, 100, pu=89), NOW)
    line.snapshot("BTC-USDT-PERP", SNAPSHOT, NOW)
    assert line.read(depth(150, 160, pu=100), NOW) == [BookMoved("BTC-USDT-PERP", NOW)]
    assert isinstance(line.read(depth(170, 180, pu=165), NOW)[0], BookLost)


def test_mark_price_and_funding_come_of_one_message():
    line = BinanceLine(BinanceLine.plans([BinanceLine.market_of("BTC-USDT-PERP")], frozenset({Stream.MARKS}))[0])
    message = {"e": "markPriceUpdate", "E": 1562305380000, "s": "BTCUSDT", "p": "11794.15", "i": "11784.62",
               "P": "11784.25", "r": "-0.00038167", "T": 1562306400000}  # fmt: skip
    mark, funding = line.read(json.dumps(message), NOW)
    assert isinstance(mark, MarkTick)
    assert isinstance(funding, FundingTick)
    assert (mark.symbol, mark.mark, mark.index) == ("BTC-USDT-PERP", Decimal("11794.15"), Decimal("11784.62"))
    assert (funding.rate, funding.pays_at) == (Decimal("-0.00038167"), datetime(2019, 7, 5, 6, 0, tzinfo=UTC))


def test_many_symbols_are_dealt_out_over_sockets_and_kinds_of_stream():
    markets = [replace(BTC, symbol=f"A{n}-USDT", id=f"A{n}USDT") for n in range(400)]
    markets += [replace(BTC, symbol=f"A{n}-USDT-PERP", id=f"A{n}USDT") for n in range(10)]
    plans = BinanceLine.plans(markets, frozenset({Stream.TRADES, Stream.BOOKS, Stream.MARKS}))
    assert sorted(len(plan.markets) for plan in plans) == [10, 10, 10, 100, 100, 150, 150, 150, 150]
    assert {plan.host for plan in plans if plan.markets[0].symbol.endswith("PERP")} == {"wss://fstream.binance.com"}
    asked = [name for text in BinanceLine(plans[0]).subscribe(plans[0]) for name in json.loads(text)["params"]]
    assert len(asked) == len(set(asked)) == 150


@pytest.mark.parametrize("symbol", ["BTC", "-USDT", "BTC-USDT-SWAP", ""])
def test_what_is_no_symbol_is_refused(symbol):
    with pytest.raises(ValueError, match="no symbol"):
        BinanceLine.market_of(symbol)


def test_a_socket_says_what_it_would_not_do():
    [refusal] = BinanceLine(Plan("/ws", frozenset(), ())).read('{"error":{"code":2,"msg":"no"},"id":1}', NOW)
    assert "'no'" in refusal.text

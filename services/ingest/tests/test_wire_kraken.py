"""Kraken's socket from its documentation's examples: checksums, what is read digit by digit, and what is asked for."""

import json
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from algotrendy_common.enums import Side, Timeframe
from algotrendy_ingest.domain.ticks import BarTick, BookLost, Cause, Stamp, Stream
from algotrendy_ingest.wire.kraken import DEPTH, KrakenLine
from algotrendy_ingest.wire.protocol import BookMoved, Plan, Refusal, Reply

RECORDINGS = Path(__file__).parent / "recordings"
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 0)
DECIMALS = (
    '{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":['
    '{"symbol":"MATIC/USD","price_precision":4,"qty_precision":8},'
    '{"symbol":"BTC/USD","price_precision":1,"qty_precision":8}]}}'
)


def received(name: str) -> list[str]:
    lines = (RECORDINGS / name).read_text().splitlines()
    return [entry["raw"] for entry in map(json.loads, lines) if entry["kind"] == "recv"]


def example(name: str) -> str:
    """The message that follows a subscription, from the examples."""
    found = next(
        case
        for case in map(json.loads, (RECORDINGS / "kraken_examples.jsonl").read_text().splitlines())
        if case["name"].endswith(name)
    )
    return next(step["raw"] for step in found["steps"] if step["dir"] == "update")


def message(name: str) -> str:
    """One of the published messages, its digits as they are in the file."""
    lines = (RECORDINGS / "kraken_messages.jsonl").read_text().splitlines()
    line = next(line for line in lines if f'"name": "{name}"' in line)
    return line[line.index('"json": ') + len('"json": ') : -1]


def heard_of(messages: list[str], line: KrakenLine | None = None) -> list:
    line = line or KrakenLine()
    return [heard for raw in messages for heard in line.read(raw, NOW)]


def book_message(kind: str, pair: str, bids: list[tuple[str, str]], asks: list[tuple[str, str]], checksum: int) -> str:
    rows = [",".join(f'{{"price":{price},"qty":{size}}}' for price, size in side) for side in (bids, asks)]
    content = f'"symbol":"{pair}","bids":[{rows[0]}],"asks":[{rows[1]}],"checksum":{checksum}'
    return f'{{"channel":"book","type":"{kind}","data":[{{{content}}}]}}'


def live(*symbols: str) -> tuple[KrakenLine, Plan]:
    markets = [KrakenLine.market_of(symbol) for symbol in symbols]
    [plan] = KrakenLine.plans(markets, KrakenLine.streams)
    return KrakenLine(plan), plan


def test_the_documentations_checksums_come_out():
    line = KrakenLine()
    heard = heard_of([DECIMALS, *received("kraken_v2_books.jsonl")], line)
    assert [type(one) for one in heard] == [BookMoved] * 3
    assert line.markets["MATIC/USD"].checks.checksum_right == 2
    assert line.markets["MATIC/USD"].book.bids.best()[-1] == ("0.5657", "1098.3947558")
    assert line.markets["MATIC/USD"].book.event_time_ms == 1696613755440


def test_digits_that_were_not_sent_count():
    heard = heard_of(received("kraken_v2_books.jsonl"))
    assert [one.symbol for one in heard if isinstance(one, BookLost)] == ["MATIC-USD"]


def test_a_lost_book_is_empty_until_its_next_snapshot():
    line, _ = live("MATIC-USD", "BTC-USD")
    btc, matic, update = received("kraken_v2_books.jsonl")
    wrong = update.replace("2114181697", "2114181698")
    [*_, lost] = heard_of([DECIMALS, btc, matic, wrong], line)
    market = line.markets["MATIC/USD"]
    assert lost == BookLost("MATIC-USD", Cause.CHECKSUM, "2114181698 was sent, 2114181697 is held")
    assert (len(market.book.bids), market.book.ready, market.checks.checksum_wrong) == (0, False, 1)
    assert line.markets["BTC/USD"].book.ready
    assert heard_of([update], line) == []
    assert [json.loads(text) for text in line.heal(market)] == [
        {"method": method, "params": {"channel": "book", "depth": DEPTH, "symbol": ["MATIC/USD"]}}
        for method in ("unsubscribe", "subscribe")
    ]
    assert heard_of([matic, update], line) == [BookMoved("MATIC-USD", NOW)] * 2


@pytest.mark.parametrize(
    "row", ['"price":"x","qty":1.0', '"price":1.0', '"price":-1.0,"qty":1.0', '"price":NaN,"qty":1']
)
def test_a_change_that_cannot_be_read_costs_the_book(row):
    line = KrakenLine()
    heard_of([DECIMALS, *received("kraken_v2_books.jsonl")], line)
    broken = (
        '{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{' + row + '}],"asks":[],"checksum":1}]}'
    )
    [lost] = line.read(broken, NOW)
    assert (lost.symbol, lost.cause, line.markets["BTC/USD"].book.ready) == ("BTC-USD", Cause.SEQUENCE, False)


def test_a_crossed_book_is_given_up_though_its_checksum_is_right():
    level = [("2.0", "1.0")]
    [lost] = KrakenLine().read(book_message("snapshot", "A/B", level, level, zlib.crc32(b"20102010")), NOW)
    assert (lost.cause, lost.detail) == (Cause.CROSSED, "bid 2.0, ask 2.0")


def test_levels_beyond_the_depth_are_dropped_and_do_not_come_back():
    line = KrakenLine()
    line.read('{"method":"subscribe","success":true,"result":{"channel":"book","symbol":"A/B","depth":10}}', NOW)
    bids = [(f"{20 - place}.0", "1.0") for place in range(10)]
    before, after = (
        zlib.crc32(("90010" + "".join(f"{price}010" for price in range(best, best - 10, -1))).encode())
        for best in (20, 21)
    )
    refilled = zlib.crc32(("90010" + "".join(f"{price}010" for price in range(20, 11, -1)) + "10510").encode())
    heard = heard_of(
        [
            book_message("snapshot", "A/B", bids, [("90.0", "1.0")], before),
            book_message("update", "A/B", [("21.0", "1.0")], [], after),
            book_message("update", "A/B", [("21.0", "0.0"), ("10.5", "1.0")], [], refilled),
        ],
        line,
    )
    assert heard == [BookMoved("A-B", NOW)] * 3
    held = line.markets["A/B"].book.bids.best()
    assert (len(held), held[0][0], held[-1][0]) == (10, "20.0", "10.5")


def test_trades_are_read_digit_by_digit():
    first, second = heard_of([message("ws_trade_update.json")])
    assert (first.symbol, first.trade_id, first.sequence) == ("BTC-USD", "10218208", 10218208)
    assert (str(first.price), str(first.quantity), first.side) == ("105944.2", "0.00027625", Side.BUY)
    assert second.event_time == datetime(2023, 10, 6, 17, 35, 56, 123456, tzinfo=UTC)
    [sold] = heard_of([example("Spot/Trades")])
    assert (sold.symbol, sold.side, str(sold.price), str(sold.quantity)) == ("ETH-USDT", Side.SELL, "0.5117", "40.0")


def test_tickers_are_best_prices_at_their_time_or_the_newest_that_was_heard():
    line = KrakenLine()
    [quote] = heard_of([message("ws_ticker_snapshot.json")], line)
    assert (str(quote.bid), str(quote.bid_quantity), str(quote.ask), str(quote.ask_quantity)) == (
        "105944.2", "2.5", "105944.3", "3.2",
    )  # fmt: skip
    [without_time] = heard_of([example("Spot/Ticker")], line)
    assert without_time.event_time == quote.event_time == datetime(2022, 12, 25, 9, 30, 59, 123456, tzinfo=UTC)
    [first_of_all] = heard_of([example("Spot/Ticker")])
    assert first_of_all.event_time == NOW.time
    empty = '{"channel":"ticker","type":"update","data":[{"symbol":"A/B","bid":0,"bid_qty":0,"ask":1.5,"ask_qty":2.0}]}'
    assert line.read(empty, NOW) == []


def test_a_candle_is_closed_by_the_next_one():
    line, raw = KrakenLine(), example("Spot/Kline")
    [growing] = line.read(raw, NOW)
    bar = growing.bar
    assert (growing.symbol, bar.timeframe, bar.complete, bar.trade_count) == ("ETH-USDT", Timeframe.M5, False, 12)
    assert bar.open_time == datetime(2023, 10, 4, 16, 25, tzinfo=UTC)
    assert (str(bar.open), str(bar.high), str(bar.low), str(bar.close)) == ("0.5624", "0.5628", "0.5622", "0.5627")
    assert (bar.volume, bar.quote_volume) == (Decimal("30927.68066226"), Decimal("30927.68066226") * Decimal("0.5626"))
    closed, opened = line.read(raw.replace("16:25:00", "16:30:00"), NOW)
    assert isinstance(closed, BarTick)
    assert (closed.bar.open_time, closed.bar.complete) == (bar.open_time, True)
    assert (opened.bar.open_time.minute, opened.bar.complete) == (30, False)
    assert line.read(raw, NOW) == []


# -- what is asked for ---------------------------------------------------------------------------------------------


def test_books_are_asked_for_when_decimals_are_known():
    line, plan = live("BTC-USDT", "DOGE-USD")
    asked = [json.loads(text)["params"] for text in line.subscribe(plan)]
    assert [wanted["channel"] for wanted in asked] == ["instrument", "trade", "ticker", "ohlc"]
    assert asked[1]["symbol"] == ["BTC/USDT", "DOGE/USD"]
    [reply] = line.read(DECIMALS, NOW)
    assert isinstance(reply, Reply)
    assert json.loads(reply.text)["params"] == {"channel": "book", "depth": DEPTH, "symbol": ["BTC/USDT", "DOGE/USD"]}
    assert line.read(DECIMALS, NOW) == []
    added = Plan("/v2", plan.streams, (KrakenLine.market_of("ETH-USDT"),))
    assert [json.loads(text)["params"]["channel"] for text in line.subscribe(added)] == [
        "trade",
        "ticker",
        "book",
        "ohlc",
    ]


def test_books_begin_without_decimals_where_they_are_refused():
    line, plan = live("BTC-USDT")
    line.subscribe(plan)
    refusal, reply = line.read('{"method":"subscribe","req_id":1,"success":false,"error":"no such channel"}', NOW)
    assert (refusal, json.loads(reply.text)["params"]["channel"]) == (Refusal("subscribe: no such channel"), "book")


def test_sockets_are_shared_fifty_markets_at_a_time():
    markets = [KrakenLine.market_of(f"A{number}-USD") for number in range(120)]
    plans = KrakenLine.plans(markets, frozenset(Stream))
    assert [len(plan.markets) for plan in plans] == [50, 50, 20]
    assert {plan.streams for plan in plans} == {KrakenLine.streams}
    assert KrakenLine.plans(markets, frozenset({Stream.MARKS})) == []


def test_a_refusal_is_told_in_the_venues_words():
    refused = '{"error":"Currency pair not supported X/Y","method":"subscribe","success":false,"symbol":"X/Y"}'
    assert KrakenLine().read(refused, NOW) == [Refusal("subscribe X/Y: Currency pair not supported X/Y")]
    old = '{"event":"subscriptionStatus","status":"error","pair":"X/Y","errorMessage":"Currency pair not supported"}'
    assert KrakenLine().read(old, NOW) == [Refusal("X/Y: Currency pair not supported")]


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "{}",
        "[]",
        '[1,{},"depth","XBT/USD"]',
        '[1,[["1","2","3","x","l",""]],"trade","XBT/USD"]',
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","price":0.0,"qty":1.0,"side":"buy",'
        '"trade_id":1,"timestamp":"2023-10-06T17:35:55Z"}]}',
        '{"channel":"trade","type":"update","data":[{"symbol":"BTCUSD"}]}',
        '{"arg":{"channel":"books"},"data":[]}',
    ],
)
def test_what_is_no_message_of_krakens_is_refused(raw):
    with pytest.raises((ValueError, KeyError, TypeError)):
        KrakenLine().read(raw, NOW)


def test_a_pair_that_was_not_asked_for_is_refused():
    line, _ = live("BTC-USD")
    with pytest.raises(KeyError):
        line.read(message("ws_trade_update.json").replace("BTC/USD", "ETH/USD"), NOW)
    with pytest.raises(ValueError, match="BTC-USD-PERP"):
        KrakenLine.market_of("BTC-USD-PERP")

"""Crypto.com's socket, read from its documentation's examples and from messages of that form."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from algotrendy_common.enums import Side, Timeframe
from algotrendy_ingest.domain.ticks import BarTick, Cause, FundingTick, MarkTick, QuoteTick, Stamp, Stream, TradeTick
from algotrendy_ingest.wire.cryptocom import CryptocomLine
from algotrendy_ingest.wire.protocol import BookMoved, Refusal, Reply

EXAMPLES = Path(__file__).parent / "recordings" / "cryptocom_examples.jsonl"
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 0)
PAIR = "BTC_USDT"
MOVED = BookMoved("BTC-USDT", NOW)
TRADE = {
    "d": "15281981878", "t": 1613547060925, "tn": "1613547060925523623", "q": "0.181900", "p": "50772.000000",
    "s": "SELL", "i": PAIR,
}  # fmt: skip


def example(name):
    rows = map(json.loads, EXAMPLES.read_text().splitlines())
    (found,) = (row for row in rows if row["name"].endswith(name))
    return next(step["raw"] for step in found["steps"] if step["dir"] == "update").removeprefix("1 ")


def said(channel, rows, id=PAIR, **more):
    result = {"instrument_name": id, "subscription": f"{channel}.{id}", "channel": channel, "data": rows} | more
    return json.dumps({"id": -1, "method": "subscribe", "code": 0, "result": result})


def read(line, raw):
    return line.read(raw, NOW)


def snapshot(u, bids=(("100", "1", "1"), ("99", "2", "4")), asks=(("101", "3", "1"),)):
    return said("book", [{"bids": bids, "asks": asks, "t": u, "tt": u, "u": u, "cs": -5}], depth=50)


def update(pu, u, bids=(), asks=()):
    return said("book.update", [{"update": {"bids": bids, "asks": asks}, "t": u, "tt": u, "u": u, "pu": pu}], depth=50)


def test_a_documented_book_message():
    """One price is there twice in the example: the later row holds."""
    raw = example("BookSnapshot")
    row = json.loads(raw)["result"]["data"][0]
    line = CryptocomLine()
    assert read(line, raw) == [BookMoved("ETH-USDT", NOW)]
    book = line.markets["ETH_USDT"].book
    for told, held, order in ((row["bids"], book.bids, -1), (row["asks"], book.asks, 1)):
        apart = {Decimal(price): (price, quantity) for price, quantity, _ in told}
        assert held.best() == [apart[price] for price in sorted(apart, key=lambda price: price * order)]
    assert (book.sequence, book.event_time_ms) == (545391566464, 1654784843465)


def test_a_book_follows_its_updates():
    line = CryptocomLine()
    assert read(line, snapshot(10)) == [MOVED]
    assert read(line, update(10, 25, [("100", "0", "0"), ("99.5", "7.0", "2")], [("101", "3.5", "1")])) == [MOVED]
    assert read(line, update(25, 25)) == [MOVED], "nothing happened, and it says so"
    assert read(line, update(25, 31, asks=[("100.5", "0.10", "1")])) == [MOVED]
    book, checks = line.markets[PAIR].book, line.markets[PAIR].checks
    assert book.bids.best() == [("99.5", "7.0"), ("99", "2")]
    assert book.asks.best() == [("100.5", "0.10"), ("101", "3.5")]
    assert (book.sequence, book.event_time_ms, checks.sequence_right) == (31, 31, 3)


def test_a_hole_loses_the_book_until_a_snapshot():
    line = CryptocomLine()
    read(line, snapshot(10))
    (lost,) = read(line, update(12, 14, [("98", "1", "1")]))
    assert (lost.cause, line.markets[PAIR].checks.sequence_wrong) == (Cause.SEQUENCE, 1)
    assert "12" in lost.detail and "10" in lost.detail  # noqa: PT018
    assert read(line, update(14, 15, [("98", "1", "1")])) == []
    assert read(line, snapshot(16)) == [MOVED]
    unsubscribed, subscribed = map(json.loads, line.heal(line.markets[PAIR]))
    assert (unsubscribed["method"], subscribed["method"]) == ("unsubscribe", "subscribe")
    assert subscribed["params"] == {
        "channels": ["book.BTC_USDT.50"], "book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10,
    }  # fmt: skip


def test_what_comes_again_is_left_out():
    line = CryptocomLine()
    read(line, snapshot(10))
    step = update(10, 11, [("100", "0", "0")])
    assert read(line, step) == [MOVED]
    assert read(line, step) == []
    assert line.markets[PAIR].checks.repeated == 1
    assert read(line, update(11, 12)) == [MOVED]


def test_a_crossed_book_is_lost():
    line = CryptocomLine()
    read(line, snapshot(10))
    (lost,) = read(line, update(10, 11, [("101", "1", "1")]))
    assert (lost.cause, line.markets[PAIR].checks.crossed) == (Cause.CROSSED, 1)


def test_a_change_that_broke_off_is_noticed_at_the_next():
    line = CryptocomLine()
    read(line, snapshot(10))
    with pytest.raises(ValueError):
        read(line, update(10, 11, [("99.9", "1", "1"), ("x", "1", "1")]))
    (lost,) = read(line, update(11, 12))
    assert lost.cause is Cause.SEQUENCE


def test_no_more_levels_are_kept_than_were_subscribed_to():
    line = CryptocomLine()
    read(line, snapshot(1, [(str(100 - i), "1", "1") for i in range(50)], ()))
    read(line, update(1, 2, [("100.5", "1", "1")]))
    bids = line.markets[PAIR].book.bids.best()
    assert (len(bids), bids[0][0], bids[-1][0]) == (50, "100.5", "52")


def test_trades_field_by_field_and_oldest_first():
    later = TRADE | {"d": "15281981990", "tn": "1613547060925600000", "s": "BUY"}
    first, second = read(CryptocomLine(), said("trade", [later, TRADE]))
    assert first == TradeTick(
        "BTC-USDT", "15281981878", None, Decimal("50772.000000"), Decimal("0.181900"), Side.SELL,
        datetime(2021, 2, 17, 7, 31, 0, 925_000, UTC), NOW,
    )  # fmt: skip
    assert (second.trade_id, second.side) == ("15281981990", Side.BUY)


@pytest.mark.parametrize("row", [{"p": 50772.5}, {"q": "0"}, {"s": "UP"}, {"d": None}])
def test_what_is_not_exactly_a_trade_is_refused(row):
    with pytest.raises((ValueError, TypeError)):
        read(CryptocomLine(), said("trade", [TRADE | row]))


def test_best_prices_and_half_a_book():
    row = {"b": "64668.1", "bs": "0.2901", "k": "64668.2", "ks": "0.1472", "i": PAIR, "a": "1", "t": 1786371789379}
    (quote,) = read(CryptocomLine(), said("ticker", [row]))
    assert quote == QuoteTick(
        "BTC-USDT", Decimal("64668.1"), Decimal("0.2901"), Decimal("64668.2"), Decimal("0.1472"),
        datetime(2026, 8, 10, 14, 23, 9, 379_000, UTC), NOW,
    )  # fmt: skip
    assert read(CryptocomLine(), said("ticker", [row | {"k": None, "ks": None}])) == []
    del row["b"]
    assert read(CryptocomLine(), said("ticker", [row])) == []


def test_a_candle_is_final_when_the_next_begins():
    line = CryptocomLine()

    def candle(minute, close):
        return {"o": "5", "h": "9", "l": "1", "c": close, "v": "0.5", "t": minute * 60_000}

    def heard(*rows):
        ticks = read(line, said("candlestick", rows, interval="1m"))
        assert all(isinstance(tick, BarTick) and tick.bar.timeframe is Timeframe.M1 for tick in ticks)
        return [(tick.bar.open_time.minute, str(tick.bar.close), tick.bar.complete) for tick in ticks]

    assert heard(candle(1, "3"), candle(0, "2")) == [(0, "2", False), (0, "2", True), (1, "3", False)]
    assert heard(candle(1, "4")) == [(1, "4", False)]
    assert heard(candle(2, "5")) == [(1, "4", True), (2, "5", False)]
    assert heard(candle(1, "9")) == [], "what was told as final stays so"


def test_the_documented_candle_of_a_day():
    (tick,) = read(CryptocomLine(), example("Klines"))
    bar = tick.bar
    assert (tick.symbol, bar.timeframe, bar.open_time) == ("ETH-USDT", Timeframe.D1, datetime(2021, 2, 2, tzinfo=UTC))
    assert [str(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume)] == [
        "51140.500000", "51699.000000", "49212.000000", "51313.500000", "867.9432",
    ]  # fmt: skip
    with pytest.raises(KeyError):
        read(CryptocomLine(), example("Concurrent"))


def test_mark_index_and_funding_of_a_perpetual():
    line = CryptocomLine()
    perpetual, mark = "BTCUSD-PERP", [{"v": "63652.3", "t": 1786480897000}]
    (first,) = read(line, said("mark", mark, perpetual))
    assert read(line, said("index", [{"v": "63654.45", "t": 1786480897000}], "BTCUSD-INDEX")) == []
    (second,) = read(line, said("mark", mark, perpetual))
    assert isinstance(first, MarkTick)
    assert (first.symbol, first.mark, first.index) == ("BTC-USD-PERP", Decimal("63652.3"), None)
    assert second.index == Decimal("63654.45")
    (funding,) = read(line, said("funding", [{"v": "-0.000000091", "t": 1786371785000}], perpetual))
    assert isinstance(funding, FundingTick)
    assert (funding.rate, funding.pays_at) == (Decimal("-0.000000091"), datetime(2026, 8, 10, 15, tzinfo=UTC))


def test_a_heartbeat_is_answered_with_its_number():
    (reply,) = read(CryptocomLine(), '{"id":1587523073344,"method":"public/heartbeat","code":0}')
    assert isinstance(reply, Reply)
    assert json.loads(reply.text) == {"id": 1587523073344, "method": "public/respond-heartbeat"}


def test_answers_are_silence_or_a_refusal():
    line = CryptocomLine()
    assert read(line, '{"id":1,"code":0,"method":"subscribe"}') == []
    (refusal,) = read(line, '{"id":1,"code":40003,"method":"subscribe","message":"Invalid request","original":"{}"}')
    assert isinstance(refusal, Refusal)
    assert "40003" in refusal.text


@pytest.mark.parametrize("raw", ["", "[]", "{}", "nonsense", '{"topic":"publicTrade.X"}'])
def test_what_the_venue_does_not_say_is_refused(raw):
    with pytest.raises((ValueError, KeyError, TypeError)):
        read(CryptocomLine(), raw)


@pytest.mark.parametrize(
    ("symbol", "id"), [("BTC-USDT", "BTC_USDT"), ("BTC-USD-PERP", "BTCUSD-PERP"), ("1INCH-USD", "1INCH_USD")]
)
def test_names_there_and_back(symbol, id):
    assert CryptocomLine.market_of(symbol).id == id
    assert CryptocomLine.market_named(id).symbol == symbol


@pytest.mark.parametrize("id", ["BTCUSD", "BTCUSD-240628", "USD-PERP", "", "BTC_"])
def test_a_name_that_tells_no_pair_is_refused(id):
    with pytest.raises(ValueError):
        CryptocomLine.market_named(id)


def channels(texts):
    return [channel for text in texts for channel in json.loads(text)["params"]["channels"]]


def test_channels_of_a_pair_and_of_a_perpetual():
    markets = [CryptocomLine.market_of(symbol) for symbol in ("BTC-USDT", "BTC-USD-PERP")]
    (plan,) = CryptocomLine.plans(markets, frozenset(Stream))
    asked = channels(CryptocomLine(plan).subscribe(plan))
    assert asked == [
        "trade.BTC_USDT", "ticker.BTC_USDT", "candlestick.1m.BTC_USDT", "trade.BTCUSD-PERP", "ticker.BTCUSD-PERP",
        "candlestick.1m.BTCUSD-PERP", "index.BTCUSD-INDEX", "mark.BTCUSD-PERP", "funding.BTCUSD-PERP",
        "book.BTC_USDT.50", "book.BTCUSD-PERP.50",
    ]  # fmt: skip
    assert channels(CryptocomLine(plan).unsubscribe(plan)) == asked
    assert CryptocomLine.plans(markets[:1], frozenset({Stream.MARKS})) == []


def test_many_markets_keep_to_the_limit_of_channels():
    markets = [CryptocomLine.market_of(f"COIN{number}-USD-PERP") for number in range(130)]
    plans = CryptocomLine.plans(markets, frozenset(Stream))
    assert [market for plan in plans for market in plan.markets] == markets
    for plan in plans:
        texts = CryptocomLine(plan).subscribe(plan)
        assert len(channels(texts)) <= 400
        ids = [json.loads(text)["id"] for text in texts]
        assert ids == sorted(set(ids))

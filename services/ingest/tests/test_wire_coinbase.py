"""Coinbase's socket: what is read digit by digit from published examples, and what a number left out does."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from algotrendy_common.enums import Side, Timeframe
from algotrendy_ingest.domain.ticks import BookLost, Cause, QuoteTick, Stamp, Stream, TradeTick
from algotrendy_ingest.wire.coinbase import CoinbaseLine
from algotrendy_ingest.wire.protocol import BookMoved, Plan, Refusal

RECORDINGS = Path(__file__).parent / "recordings"
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 0)
TIME = "2026-04-07T14:30:00.123456Z"
BTC, ETH = "BTC-USD", "ETH-USD"


def example(name: str) -> str:
    """The message that follows a subscription, from the examples."""
    cases = map(json.loads, (RECORDINGS / "coinbase_examples.jsonl").read_text().splitlines())
    found = next(case for case in cases if case["name"].endswith(name))
    return next(step["raw"] for step in found["steps"] if step["dir"] == "update")


def message(name: str) -> str:
    lines = (RECORDINGS / "coinbase_messages.jsonl").read_text().splitlines()
    return next(json.dumps(entry["json"]) for entry in map(json.loads, lines) if entry["name"] == name)


def sent(number: int, channel: str, *events: dict[str, Any]) -> str:
    return json.dumps({"channel": channel, "timestamp": TIME, "sequence_num": number, "events": events})


def book(number: int, kind: str, product: str, **levels: str) -> str:
    """Levels as ``bid_99="1.5"``."""
    updates = [
        {
            "side": name.partition("_")[0],
            "event_time": TIME,
            "price_level": name.partition("_")[2],
            "new_quantity": size,
        }
        for name, size in levels.items()
    ]
    return sent(number, "l2_data", {"type": kind, "product_id": product, "updates": updates})


def trades(number: int, *ids: int, product: str = BTC) -> str:
    rows = [
        {"trade_id": str(id), "product_id": product, "price": "1.5", "size": "2", "side": "BUY", "time": TIME}
        for id in ids
    ]
    return sent(number, "market_trades", {"type": "update", "trades": rows})


def heard_of(messages: list[str], line: CoinbaseLine | None = None) -> list:
    line = line or CoinbaseLine()
    return [heard for raw in messages for heard in line.read(raw, NOW)]


def live(*symbols: str) -> tuple[CoinbaseLine, Plan]:
    [plan] = CoinbaseLine.plans([CoinbaseLine.market_of(symbol) for symbol in symbols], CoinbaseLine.streams)
    return CoinbaseLine(plan), plan


def with_books() -> CoinbaseLine:
    line, _ = live(BTC, ETH)
    begun = [book(0, "snapshot", BTC, bid_99="1", offer_101="2"), book(1, "snapshot", ETH, bid_9="1", offer_11="2")]
    assert [type(heard) for heard in heard_of(begun, line)] == [BookMoved, QuoteTick] * 2
    return line


def asked_anew(line: CoinbaseLine, product: str) -> list[tuple[str, list[str]]]:
    texts = [json.loads(text) for text in line.heal(line.markets[product])]
    assert {text["channel"] for text in texts} <= {"level2"}
    return [(text["type"], text["product_ids"]) for text in texts]


# -- what is read --------------------------------------------------------------------------------------------------


def test_a_book_is_read_level_by_level_and_its_best_are_a_quote():
    line = CoinbaseLine()
    moved, quote = line.read(message("ws_l2_data_snapshot.json"), NOW)
    held = line.markets[BTC].book
    assert moved == BookMoved(BTC, NOW)
    assert held.bids.best() == [("68900.00", "1.50000000"), ("68899.50", "0.75000000"), ("68899.00", "2.30000000")]
    assert held.asks.best() == [("68901.00", "0.50000000"), ("68901.50", "1.20000000"), ("68902.00", "0.80000000")]
    assert (str(quote.bid), str(quote.bid_quantity)) == ("68900.00", "1.50000000")
    assert (str(quote.ask), str(quote.ask_quantity)) == ("68901.00", "0.50000000")
    assert quote.event_time == datetime(2026, 4, 7, 14, 30, 0, 123456, tzinfo=UTC)
    assert held.event_time_ms == 1775572200123


def test_a_quote_comes_when_the_best_changes_and_not_else():
    line = with_books()
    assert heard_of([book(2, "update", BTC, bid_98="5", offer_103="1")], line) == [BookMoved(BTC, NOW)]
    _, quote = line.read(book(3, "update", BTC, bid_99="0", bid_100="0.25"), NOW)
    assert (quote.bid, quote.bid_quantity, quote.ask) == (Decimal(100), Decimal("0.25"), Decimal(101))
    assert line.markets[BTC].book.bids.best() == [("100", "0.25"), ("98", "5")]


def test_trades_are_the_takers_and_in_the_order_of_their_numbers():
    older, newer = heard_of([example("Trades")])
    assert (older.trade_id, newer.trade_id) == ("22381690", "22381691")
    assert (older.symbol, older.sequence, older.side) == ("ETH-USDT", 22381690, Side.SELL)
    assert (str(older.price), str(older.quantity)) == ("2375.56", "0.5")
    assert older.event_time == datetime(2024, 10, 4, 7, 13, 31, 84859, tzinfo=UTC)
    assert [trade.side for trade in heard_of([message("ws_market_trades.json")])] == [Side.SELL, Side.BUY]


def test_trades_from_before_its_time_are_not_a_live_lines():
    line, _ = live(BTC)
    before = trades(0, 7, 6).replace('"update"', '"snapshot"')
    assert [type(heard) for heard in heard_of([before])] == [TradeTick] * 2
    assert [trade.trade_id for trade in heard_of([before, trades(1, 8)], line)] == ["8"]


def test_a_snapshot_without_a_time_is_of_the_newest_that_was_heard():
    line, timeless = CoinbaseLine(), book(0, "snapshot", BTC, bid_99="1", offer_101="2").replace(TIME, "{}")
    raw = timeless.replace("{}", TIME, 1).replace("{}", "1970-01-01T00:00:00Z")
    line.newest.time = datetime(2022, 12, 13, tzinfo=UTC)
    _, quote = line.read(raw, NOW)
    assert quote.event_time == line.newest.time
    _, at_first = CoinbaseLine().read(raw, NOW)
    assert at_first.event_time == datetime(2026, 4, 7, 14, 30, 0, 123456, tzinfo=UTC)


def test_a_ticker_is_a_quote_where_no_book_is_kept():
    [quote] = heard_of([example("Ticker")])
    assert (str(quote.bid), str(quote.bid_quantity)) == ("21931.98", "8000.21")
    assert (str(quote.ask), str(quote.ask_quantity)) == ("21933.98", "8038.07770938")
    assert quote.event_time == datetime(2023, 2, 9, 20, 30, 37, 167359, tzinfo=UTC)
    with_book = [message("ws_l2_data_snapshot.json"), message("ws_ticker.json").replace(": 12,", ": 1,")]
    assert [type(heard) for heard in heard_of(with_book)] == [BookMoved, QuoteTick]


def test_a_candle_is_closed_by_the_next_one():
    line, raw = CoinbaseLine(), message("ws_candles.json")
    [growing] = line.read(raw, NOW)
    bar = growing.bar
    assert (growing.symbol, bar.timeframe, bar.complete) == (BTC, Timeframe.M5, False)
    assert bar.open_time == datetime(2026, 4, 7, 0, 30, tzinfo=UTC)
    assert [str(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume)] == [
        "68900.00", "68950.00", "68850.00", "68920.50", "42.15000000",
    ]  # fmt: skip
    closed, opened = line.read(raw.replace("1775521800", "1775522100").replace(": 3,", ": 4,"), NOW)
    assert (closed.bar.open_time, closed.bar.complete) == (bar.open_time, True)
    assert (opened.bar.open_time.minute, opened.bar.complete) == (35, False)
    assert [type(heard.bar.close) for heard in heard_of([example("Klines")])] == [Decimal]


@pytest.mark.parametrize("raw", [example("Heartbeat"), example("Symbol"), message("ws_subscriptions.json")])
def test_what_says_nothing_of_a_market_is_passed_over(raw):
    assert heard_of([raw]) == []


# -- what is proved wrong ------------------------------------------------------------------------------------------


def test_a_number_left_out_loses_every_book_of_the_socket():
    line = with_books()
    lost = heard_of([trades(3, 7)], line)
    assert lost[:2] == [
        BookLost(symbol, Cause.SEQUENCE, "message 2 of the socket was due, 3 came") for symbol in (BTC, ETH)
    ]
    assert isinstance(lost[2], TradeTick)
    assert [market.book.ready for market in line.markets.values()] == [False, False]
    assert heard_of([book(4, "update", BTC, bid_98="1")], line) == []
    assert asked_anew(line, BTC) == [("unsubscribe", [BTC, ETH]), ("subscribe", [BTC, ETH])]
    assert asked_anew(line, ETH) == []
    assert asked_anew(line, ETH) == [("unsubscribe", [BTC, ETH]), ("subscribe", [BTC, ETH])]
    moved, *_ = heard_of([book(5, "snapshot", BTC, bid_97="1", offer_98="1")], line)
    assert (moved, line.markets[BTC].book.bids.best()) == (BookMoved(BTC, NOW), [("97", "1")])
    assert line.markets[BTC].checks.sequence_wrong == 1
    heard_of([book(6, "update", BTC, bid_98="1"), book(7, "snapshot", ETH, bid_9="1", offer_11="1")], line)
    assert asked_anew(line, BTC) == [("unsubscribe", [BTC]), ("subscribe", [BTC])]


def test_a_first_snapshot_that_is_lost_is_asked_for_again():
    line, _ = live(BTC)
    [lost] = heard_of([sent(0, "subscriptions", {"subscriptions": {}}), trades(2)], line)
    assert (lost.symbol, lost.cause) == (BTC, Cause.SEQUENCE)


def test_messages_that_change_places_lose_the_books_and_no_trade():
    line = with_books()
    heard = heard_of([trades(3, 8), book(4, "snapshot", BTC, bid_97="1", offer_98="1"), trades(2, 7)], line)
    assert [one.trade_id for one in heard if isinstance(one, TradeTick)] == ["8", "7"]
    assert {one.symbol for one in heard if isinstance(one, BookLost)} == {BTC, ETH}


def test_a_change_that_comes_late_or_again_is_left_out():
    line = with_books()
    change = book(2, "update", BTC, bid_98="5")
    assert heard_of([change, book(3, "update", BTC, bid_98="0")], line) == [BookMoved(BTC, NOW)] * 2
    assert heard_of([change], line) == []
    checks = line.markets[BTC].checks
    assert (checks.repeated, checks.sequence_right, checks.sequence_wrong) == (1, 2, 0)
    assert line.markets[BTC].book.bids.best() == [("99", "1")]


def test_a_crossed_book_is_given_up():
    line = with_books()
    [lost] = heard_of([book(2, "update", BTC, bid_101="1")], line)
    assert lost == BookLost(BTC, Cause.CROSSED, "bid 101, ask 101")
    assert line.markets[ETH].book.ready


@pytest.mark.parametrize(
    "broken",
    [{"price_level": "x"}, {"new_quantity": None}, {"side": "up"}, {"event_time": "noon"}, {"new_quantity": "-1"}],
)
def test_a_change_that_cannot_be_read_costs_its_book_alone(broken):
    line = with_books()
    row = {"side": "bid", "event_time": TIME, "price_level": "98", "new_quantity": "1"} | broken
    event = {"type": "update", "product_id": BTC, "updates": [row]}
    [lost] = heard_of([sent(2, "l2_data", event)], line)
    assert (lost.symbol, lost.cause) == (BTC, Cause.SEQUENCE)
    assert heard_of([book(3, "update", ETH, bid_8="1")], line) == [BookMoved(ETH, NOW)]


def test_a_trade_that_cannot_be_read_costs_no_book():
    line = with_books()
    with pytest.raises(ValueError):
        line.read(trades(2, 7).replace('"1.5"', "1.5"), NOW)
    assert heard_of([book(3, "update", BTC, bid_98="1")], line) == [BookMoved(BTC, NOW)]


def test_a_book_that_the_venue_sends_no_longer_is_lost():
    line = with_books()
    [lost] = heard_of([sent(2, "subscriptions", {"subscriptions": {"level2": [ETH]}})], line)
    assert (lost.symbol, lost.cause) == (BTC, Cause.REFUSED)


def test_what_still_comes_of_a_product_taken_off_harms_no_other():
    line = with_books()
    line.remove(CoinbaseLine.market_of(BTC))
    assert heard_of([book(2, "update", BTC, bid_98="1"), book(3, "update", ETH, bid_8="1")], line) == [
        BookMoved(ETH, NOW)
    ]


@pytest.mark.parametrize("raw", ["", "[]", "{}", '{"channel":"ticker"}', '{"type":"match"}', '{"e":"trade"}', "7"])
def test_what_is_no_message_of_coinbases_is_refused(raw):
    with pytest.raises((ValueError, KeyError, TypeError)):
        CoinbaseLine().read(raw, NOW)


# -- what is asked for ---------------------------------------------------------------------------------------------


def test_heartbeats_are_asked_for_once_and_tickers_never():
    line, plan = live(BTC, ETH)
    asked = [json.loads(text) for text in line.subscribe(plan)]
    assert asked[0] == {"type": "subscribe", "channel": "heartbeats"}
    assert [(one["channel"], one["product_ids"]) for one in asked[1:]] == [
        (channel, [BTC, ETH]) for channel in ("market_trades", "level2", "candles")
    ]
    added = Plan("/", frozenset({Stream.QUOTES}), (CoinbaseLine.market_of("LTC-USD"),))
    assert [json.loads(text)["channel"] for text in line.subscribe(added)] == ["level2"]
    assert [json.loads(text)["type"] for text in line.unsubscribe(added)] == ["unsubscribe"]


def test_sockets_are_shared_twenty_products_at_a_time():
    markets = [CoinbaseLine.market_of(f"A{number}-USD") for number in range(45)]
    assert [len(plan.markets) for plan in CoinbaseLine.plans(markets, frozenset(Stream))] == [20, 20, 5]
    with pytest.raises(ValueError, match="BTC-PERP-INTX"):
        CoinbaseLine.market_of("BTC-PERP-INTX")


def test_a_refusal_is_told_in_the_venues_words():
    refused = '{"type":"error","message":"failure to subscribe","reason":"X-Y is not a valid product"}'
    assert heard_of([refused]) == [Refusal("failure to subscribe X-Y is not a valid product")]

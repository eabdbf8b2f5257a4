"""Bybit's socket, read from recordings and examples: against books kept apart from it, message by message."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from algotrendy_common.enums import Side, Timeframe
from algotrendy_ingest.domain.ticks import (
    BarTick,
    BookLost,
    Cause,
    FundingTick,
    MarkTick,
    QuoteTick,
    Stamp,
    Stream,
    TradeTick,
)
from algotrendy_ingest.wire.bybit import BybitLine
from algotrendy_ingest.wire.bybit_names import category_at, id_of, symbol_of
from algotrendy_ingest.wire.protocol import BookMoved, Plan, Refusal, WireMarket

RECORDINGS = Path(__file__).parent / "recordings"
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 0)
MOVED = "BTC-USDT"


def v5_book():
    return [json.loads(text) for text in (RECORDINGS / "bybit_v5_XRPUSDT_ob500.jsonl").read_text().splitlines()]


def messages():
    lines = (RECORDINGS / "bybit_messages.jsonl").read_text().splitlines()
    return {row["name"]: row["json"] for row in map(json.loads, lines)}


def examples():
    rows = map(json.loads, (RECORDINGS / "bybit_examples.jsonl").read_text().splitlines())
    return {row["name"]: [step["raw"] for step in row["steps"] if step["dir"] == "update"] for row in rows}


def read(line, message):
    return line.read(message if isinstance(message, str | bytes) else json.dumps(message), NOW)


def live(symbol=MOVED, *streams):
    names = BybitLine.market_of(symbol)
    (plan,) = BybitLine.plans([names], frozenset(streams or Stream))
    return BybitLine(plan), plan


def change(kind, update, bids=(), asks=(), depth=50):
    data = {"s": "BTCUSDT", "b": list(bids), "a": list(asks), "u": update, "seq": 9}
    return {"topic": f"orderbook.{depth}.BTCUSDT", "type": kind, "ts": 1000 + update, "data": data}


FIRST = change("snapshot", 7, [["100.0", "1"], ["99.5", "2"]], [["101.0", "3"]])


def apart(kept, message):
    """The same book by other means: a dict a side, keyed by the number."""
    for side in "ba":
        if message["type"] == "snapshot":
            kept[side] = {}
        for price, quantity in message["data"][side]:
            if Decimal(quantity):
                kept[side][Decimal(price)] = (price, quantity)
            else:
                del kept[side][Decimal(price)]
    bids, asks = sorted(kept["b"], reverse=True), sorted(kept["a"])
    return [kept["b"][price] for price in bids], [kept["a"][price] for price in asks]


def test_a_v5_book_is_that_of_a_dict_after_every_message():
    line, kept = BybitLine(), {}
    for message in v5_book():
        heard = read(line, message)
        assert [type(each) for each in heard] == [BookMoved]
        book = line.markets["XRPUSDT"].book
        assert (book.bids.best(), book.asks.best()) == apart(kept, message)
        assert (book.sequence, book.event_time_ms) == (message["data"]["u"], message["ts"])
        assert len(book.bids) == len(book.asks) == 500
    checks = line.markets["XRPUSDT"].checks
    assert (checks.sequence_right, checks.sequence_wrong, checks.crossed) == (29, 0, 0)


@pytest.mark.parametrize("left_out", [1, 14, 28])
def test_a_message_left_out_is_noticed_at_the_next_and_a_snapshot_heals(left_out):
    line, told = BybitLine(), v5_book()
    heard = [read(line, message) for i, message in enumerate(told) if i != left_out]
    lost = [each for one in heard for each in one if isinstance(each, BookLost)]
    assert [each.cause for each in lost] == [Cause.SEQUENCE]
    assert heard[left_out] == lost
    assert all(one == [] for one in heard[left_out + 1 :]), "a book that is lost says nothing until it is whole"
    book = line.markets["XRPUSDT"].book
    assert not book.ready
    assert len(book.bids) == len(book.asks) == 0
    assert [type(each) for each in read(line, told[0])] == [BookMoved]
    assert book.ready


def test_what_comes_again_is_left_out():
    line, _ = live()
    read(line, FIRST)
    step = change("delta", 8, [["100.0", "0"]])
    assert [type(each) for each in read(line, step)] == [BookMoved]
    assert read(line, step) == []
    market = line.markets["BTCUSDT"]
    assert (market.checks.repeated, market.book.bids.best()) == (1, [("99.5", "2")])
    assert [type(each) for each in read(line, change("delta", 9, [["98", "1"]]))] == [BookMoved]


@pytest.mark.parametrize("kind", ["snapshot", "delta"])
def test_update_one_is_a_book_begun_anew(kind):
    line, _ = live()
    read(line, FIRST)
    assert read(line, change(kind, 1, [["50", "1"]], [["51", "1"]])) == [BookMoved(MOVED, NOW)]
    book = line.markets["BTCUSDT"].book
    assert (book.bids.best(), book.asks.best(), book.sequence) == ([("50", "1")], [("51", "1")], 1)


@pytest.mark.parametrize("bid", ["101.0", "101.5"])
def test_a_crossed_book_is_lost(bid):
    line, _ = live()
    read(line, FIRST)
    (lost,) = read(line, change("delta", 8, [[bid, "1"]]))
    assert (lost.cause, lost.symbol) == (Cause.CROSSED, MOVED)
    assert bid in lost.detail
    assert line.markets["BTCUSDT"].checks.crossed == 1


@pytest.mark.parametrize("level", [["x", "1"], ["101.5"], ["-1", "2"], ["102", None]])
def test_a_change_that_broke_off_is_noticed_at_the_next(level):
    line, _ = live()
    read(line, FIRST)
    with pytest.raises((ValueError, TypeError, IndexError)):
        read(line, change("delta", 8, [["99.9", "4"]], [["101.2", "1"], level]))
    (lost,) = read(line, change("delta", 9))
    assert lost.cause is Cause.SEQUENCE


def test_changes_before_the_first_snapshot_say_nothing():
    line, _ = live()
    assert read(line, change("delta", 6, [["100", "1"]])) == []
    assert read(line, FIRST) == [BookMoved(MOVED, NOW)]


# -- what else is sent ---------------------------------------------------------------------------------------


def test_a_trade_field_by_field():
    (trade,) = read(BybitLine(), examples()["Subscriptions/V5/Spot/Trades"][0])
    assert trade == TradeTick(
        "BTC-USDT", "20f43950-d8dd-5b31-9112-a178eb6023af", None, Decimal("16578.50"), Decimal("0.001"), Side.BUY,
        datetime(2022, 12, 29, 9, 1, 26, 865_000, UTC), NOW,
    )  # fmt: skip
    (again,) = read(BybitLine(), messages()["ws_public_trade.json"])
    assert (again.trade_id, str(again.price), str(again.quantity)) == (
        "9dc75fca-4bdd-4773-9f78-6f5d7ab2a110", "27451.00", "0.010",
    )  # fmt: skip


def test_the_documented_book():
    line = BybitLine()
    assert read(line, examples()["Subscriptions/V5/Option/Book"][0]) == [BookMoved("BTC-USDT", NOW)]
    book = line.markets["BTCUSDT"].book
    assert book.bids.best() == [("16493.50", "0.006"), ("16493.00", "0.100")]
    assert book.asks.best() == [("16611.00", "0.029"), ("16612.00", "0.213")]
    assert (book.sequence, book.event_time_ms) == (18521288, 1672304484978)


def test_best_prices_are_those_of_the_book_of_one_level():
    line, _ = live()
    whole = change("snapshot", 3, [["100.0", "1.50"]], [["100.5", "0"], ["100.6", "2"]], depth=1)
    (quote,) = read(line, whole)
    assert quote == QuoteTick(
        MOVED, Decimal("100.0"), Decimal("1.50"), Decimal("100.6"), Decimal(2),
        datetime(1970, 1, 1, 0, 0, 1, 3000, UTC), NOW,
    )  # fmt: skip
    assert read(line, change("delta", 4, [["100.0", "0"]], depth=1)) == []
    assert not line.markets["BTCUSDT"].book.ready, "the best price is no book"


def ticker(kind, **fields):
    return {"topic": "tickers.BTCUSDT", "type": kind, "ts": 1_700_000_000_000, "data": {"symbol": "BTCUSDT", **fields}}


def test_a_perpetuals_ticker_remembers_what_a_delta_leaves_out():
    line, _ = live("BTC-USDT-PERP")
    whole = ticker(
        "snapshot", markPrice="100.1", indexPrice="100.0", fundingRate="-0.0001", nextFundingTime="1700006400000",
        bid1Price="99", bid1Size="1", ask1Price="101", ask1Size="2",
    )  # fmt: skip
    quote, mark, funding = read(line, whole)
    assert isinstance(quote, QuoteTick)
    assert (quote.bid, quote.ask_quantity) == (Decimal(99), Decimal(2))
    assert isinstance(mark, MarkTick)
    assert (mark.symbol, mark.mark) == ("BTC-USDT-PERP", Decimal("100.1"))
    assert isinstance(funding, FundingTick)
    assert funding.rate == Decimal("-0.0001")
    assert funding.pays_at == datetime(2023, 11, 15, tzinfo=UTC)
    (mark,) = read(line, ticker("delta", markPrice="100.2"))
    assert (mark.mark, mark.index) == (Decimal("100.2"), Decimal("100.0"))
    (funding,) = read(line, ticker("delta", nextFundingTime="1700035200000"))
    assert (funding.rate, funding.pays_at - datetime(2023, 11, 15, tzinfo=UTC)) == (
        Decimal("-0.0001"), timedelta(hours=8),
    )  # fmt: skip
    assert read(line, ticker("delta", volume24h="1")) == []


def test_tickers_give_no_best_prices_beside_the_book_of_one_level():
    line, _ = live("BTC-USDT-PERP")
    read(line, change("snapshot", 3, [["100", "1"]], [["101", "2"]], depth=1))
    sides = {"bid1Price": "99", "bid1Size": "1", "ask1Price": "101", "ask1Size": "2"}
    assert read(line, ticker("snapshot", **sides)) == []


def test_a_candle_field_by_field():
    row = {
        "start": 1672324800000, "end": 1672325099999, "interval": "5", "open": "16649.5", "close": "16677",
        "high": "16677", "low": "16608", "volume": "2.081", "turnover": "34666.4005", "confirm": False,
        "timestamp": 1672324988882,
    }  # fmt: skip
    (tick,) = read(BybitLine(), {"topic": "kline.5.BTCUSDT", "data": [row], "ts": 1672324988882, "type": "snapshot"})
    assert isinstance(tick, BarTick)
    bar = tick.bar
    assert (bar.timeframe, bar.open_time.isoformat(), bar.complete) == (
        Timeframe.M5, "2022-12-29T14:40:00+00:00", False,
    )  # fmt: skip
    assert [str(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.quote_volume)] == [
        "16649.5", "16677", "16608", "16677", "2.081", "34666.4005",
    ]  # fmt: skip
    (final,) = read(BybitLine(), {"topic": "kline.5.BTCUSDT", "data": [row | {"confirm": True}], "ts": 1})
    assert final.bar.complete


def test_a_month_is_no_candle_of_ours_and_half_a_row_no_candle():
    line = BybitLine()
    assert read(line, examples()["Subscriptions/V5/Option/Klines"][0]) == []
    half = examples()["Subscriptions/V5/Spot/Concurrent"][0].removeprefix("1 ")
    with pytest.raises(KeyError):
        read(line, half)


def test_answers_are_silence_or_a_refusal():
    line, found = BybitLine(), messages()
    assert read(line, found["ws_subscription_ack.json"]) == []
    assert read(line, '{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"","op":"ping"}') == []
    assert read(line, {"req_id": "1", "op": "pong", "args": ["1672916271846"], "conn_id": "c"}) == []
    assert read(line, found["ws_subscription_failure.json"]) == [Refusal("Invalid topic: invalid.topic.BTCUSDT")]
    failed = {"success": True, "data": {"failTopics": ["tickers.X"], "successTopics": []}, "type": "COMMAND_RESP"}
    assert read(line, failed) == [Refusal("no such topics: tickers.X")]


@pytest.mark.parametrize("raw", ["", "[]", "{}", '{"topic":"publicTrade.X"}', '{"event":"subscribe"}', "nonsense"])
def test_what_bybit_does_not_say_is_refused(raw):
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        read(BybitLine(), raw)


@pytest.mark.parametrize("row", [{"p": 16578.5}, {"v": "0"}, {"S": "Up"}, {"p": "nan"}])
def test_what_is_not_exactly_a_trade_is_refused(row):
    whole = {"T": 1672304486865, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "16578.50", "i": "1"}
    with pytest.raises(ValueError):
        read(BybitLine(), {"topic": "publicTrade.BTCUSDT", "data": [whole | row]})


# -- the layout before v5 ------------------------------------------------------------------------------------


def recorded(name):
    return [json.loads(text) for text in (RECORDINGS / name).read_text().splitlines()]


def exactly(raw):
    return json.loads(raw, parse_float=Decimal)


@pytest.mark.parametrize(("name", "symbols"), [("bybit_ws.25.jsonl", 5), ("bybit_ws.26.jsonl", 2)])
def test_the_older_layout_is_that_of_a_dict_after_every_message(name, symbols):
    line, kept, trades = BybitLine(), {}, []
    line.opened(recorded(name)[0]["url"])
    for entry in recorded(name):
        if entry["kind"] != "recv":
            continue
        heard, message = line.read(entry["raw"], NOW), exactly(entry["raw"])
        kind, _, id = message.get("topic", "").partition(".")
        if kind == "trade":
            trades += message["data"]
            assert [(trade.trade_id, trade.price, trade.quantity) for trade in heard] == [
                (row["trade_id"], Decimal(row["price"]), Decimal(row["size"])) for row in message["data"]
            ]
            assert [trade.side.value.title() for trade in heard] == [row["side"] for row in message["data"]]
        elif kind == "orderBookL2_25":
            data = message["data"]
            if message["type"] == "snapshot":
                rows = data if isinstance(data, list) else data["order_book"]
                kept[id] = {(row["side"], row["price"]): Decimal(row["size"]) for row in rows}
            else:
                for row in data["delete"]:
                    del kept[id][row["side"], row["price"]]
                kept[id] |= {(row["side"], row["price"]): Decimal(row["size"]) for row in data["update"]}
                kept[id] |= {(row["side"], row["price"]): Decimal(row["size"]) for row in data["insert"]}
            book = line.markets[id].book
            assert [type(each) for each in heard] == [BookMoved]
            for side, held in (("Buy", book.bids), ("Sell", book.asks)):
                found = {(side, price): Decimal(quantity) for price, quantity in held.best()}
                assert found == {key: size for key, size in kept[id].items() if key[0] == side}
                assert len(held) == 25
    assert len(kept) == symbols
    assert len(trades) >= 10
    assert all(market.names.symbol.endswith("-PERP") for market in line.markets.values())
    assert all(market.checks.sequence_wrong == market.checks.crossed == 0 for market in line.markets.values())


@pytest.mark.parametrize("name", ["bybit_ws.25.jsonl", "bybit_ws.26.jsonl"])
def test_in_the_older_layout_a_hole_shows_by_a_change_that_does_not_fit(name):
    line, left_out, lost = BybitLine(), set(), []
    for entry in recorded(name):
        raw = entry["raw"]
        if entry["kind"] != "recv":
            continue
        if '"type":"delta"' in raw and ('"delete":[{' in raw or '"insert":[{' in raw):
            topic = json.loads(raw)["topic"]
            if topic not in left_out:
                left_out.add(topic)
                continue
        lost += [each for each in line.read(raw, NOW) if isinstance(each, BookLost)]
    assert lost
    assert {each.cause for each in lost} == {Cause.SEQUENCE}
    assert all("is not of the book" in each.detail for each in lost)


# -- what is asked of it -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "id", "category"),
    [
        ("BTC-USDT", "BTCUSDT", "spot"), ("BTC-USDT-PERP", "BTCUSDT", "linear"), ("ETH-BTC", "ETHBTC", "spot"),
        ("ETH-USDC-PERP", "ETHPERP", "linear"), ("1000PEPE-USDT-PERP", "1000PEPEUSDT", "linear"),
        ("USDC-USDT", "USDCUSDT", "spot"), ("BTC-USD-PERP", "BTCUSD", "inverse"),
    ],
)  # fmt: skip
def test_names_there_and_back(symbol, id, category):
    assert id_of(symbol) == id
    assert symbol_of(id, category) == symbol


@pytest.mark.parametrize("id", ["BTC", "USDT", "BTC-06JAN23", ""])
def test_a_name_that_tells_no_pair_is_refused(id):
    with pytest.raises(ValueError):
        symbol_of(id, "spot")


@pytest.mark.parametrize("symbol", ["BTC", "BTC-USDT-240628", "-USDT", "BTC-"])
def test_a_symbol_that_is_no_pair_is_refused(symbol):
    with pytest.raises(ValueError):
        id_of(symbol)


def test_addresses_tell_the_category():
    assert category_at("wss://stream.bybit.com/v5/public/linear") == "linear"
    assert category_at("wss://stream.bybit.com/realtime") == "inverse"
    assert category_at("/v5/public/spot") == "spot"


def test_a_plan_for_each_category_and_a_topic_for_each_stream():
    markets = [BybitLine.market_of(symbol) for symbol in ("BTC-USDT", "BTC-USDT-PERP")]
    spot, linear = BybitLine.plans(markets, frozenset(Stream))
    assert (spot.url, linear.url) == ("/v5/public/spot", "/v5/public/linear")
    topics = [topic for text in BybitLine(linear).subscribe(linear) for topic in json.loads(text)["args"]]
    assert topics == [
        "publicTrade.BTCUSDT", "orderbook.1.BTCUSDT", "orderbook.50.BTCUSDT", "kline.1.BTCUSDT", "tickers.BTCUSDT",
    ]  # fmt: skip
    assert "tickers" not in "".join(BybitLine(spot).subscribe(spot)), "spot has no mark price"
    assert BybitLine.plans(markets[:1], frozenset({Stream.MARKS})) == []


def test_many_markets_keep_to_the_limits():
    markets = [BybitLine.market_of(f"COIN{number}-USDT") for number in range(400)]
    plans = BybitLine.plans(markets, frozenset(Stream))
    assert [market for plan in plans for market in plan.markets] == markets
    for plan in plans:
        requests = [json.loads(text)["args"] for text in BybitLine(plan).subscribe(plan)]
        assert max(map(len, requests)) <= 10
        assert sum(len(topic) + 3 for request in requests for topic in request) <= 21_000


def test_a_lost_book_is_asked_for_again():
    line, plan = live()
    first, second = map(json.loads, line.heal(line.markets["BTCUSDT"]))
    assert (first["op"], second["op"], first["args"]) == ("unsubscribe", "subscribe", ["orderbook.50.BTCUSDT"])
    assert json.loads(line.ping() or "")["op"] == "ping"
    assert [json.loads(text)["op"] for text in line.unsubscribe(plan)] == ["unsubscribe"]


def test_a_market_that_was_not_asked_for_is_refused_on_a_live_line():
    line = BybitLine(Plan("/v5/public/spot", frozenset(Stream), (WireMarket("ETH-USDT", "ETHUSDT"),)))
    with pytest.raises(KeyError):
        read(line, FIRST)

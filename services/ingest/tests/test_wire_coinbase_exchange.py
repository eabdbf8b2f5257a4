"""Coinbase's older feed as it was recorded: books and trades against plain sums, and what can be seen to be missing."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from algotrendy_common.enums import Side
from algotrendy_ingest.domain.ticks import BookLost, Cause, QuoteTick, Stamp, TradeTick
from algotrendy_ingest.wire.coinbase import CoinbaseLine
from algotrendy_ingest.wire.protocol import BookMoved

RECORDING = Path(__file__).parent / "recordings" / "coinbase_ws.28.jsonl"
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 0)
BUSIEST = "SKL-USD"


@cache
def received() -> list[str]:
    return [entry["raw"] for entry in map(json.loads, RECORDING.read_text().splitlines()) if entry["kind"] == "recv"]


def heard_of(messages: list[str], line: CoinbaseLine | None = None) -> list:
    line = line or CoinbaseLine()
    return [heard for raw in messages for heard in line.read(raw, NOW)]


def test_the_recorded_books_are_what_plain_dictionaries_make_of_them():
    books: dict[str, dict[str, dict[str, str]]] = {}
    for message in map(json.loads, received()):
        if message["type"] == "snapshot":
            books[message["product_id"]] = {"buy": dict(message["bids"]), "sell": dict(message["asks"])}
        elif message["type"] == "l2update":
            for side, price, size in message["changes"]:
                books[message["product_id"]][side][price] = size
    line = CoinbaseLine()
    heard = heard_of(received(), line)
    assert not [one for one in heard if isinstance(one, BookLost)]
    assert len(books) == 7
    for product, sides in books.items():
        held = line.markets[product].book
        for levels, of_side, best_first in ((held.bids, sides["buy"], -1), (held.asks, sides["sell"], 1)):
            expected = [level for level in of_side.items() if Decimal(level[1])]
            assert levels.best() == sorted(expected, key=lambda level: Decimal(level[0]) * best_first)


def test_each_recorded_trade_is_told_once_and_in_turn():
    trades = [heard for heard in heard_of(received()) if isinstance(heard, TradeTick)]
    raw = [message for message in map(json.loads, received()) if message["type"] in ("match", "last_match")]
    assert [(trade.symbol, trade.sequence) for trade in trades] == [(row["product_id"], row["trade_id"]) for row in raw]
    assert sum(trade.price * trade.quantity for trade in trades) == sum(
        Decimal(row["price"]) * Decimal(row["size"]) for row in raw
    )
    assert (trades[0].symbol, trades[0].side) == (
        raw[0]["product_id"],
        Side.BUY if raw[0]["side"] == "sell" else Side.SELL,
    )


def test_quotes_are_the_books_best_whenever_those_change():
    line, told = CoinbaseLine(), {}
    for raw in received():
        for heard in line.read(raw, NOW):
            if isinstance(heard, QuoteTick):
                told[heard.symbol] = (heard.bid, heard.bid_quantity, heard.ask, heard.ask_quantity)
            elif isinstance(heard, BookMoved):
                moved = heard.symbol
        if '"l2update"' in raw:
            book = line.markets[moved].book
            assert told[moved] == tuple(Decimal(text) for side in (book.bids, book.asks) for text in side.best(1)[0])


def changes() -> list[str]:
    return [raw for raw in received() if f'"{BUSIEST}"' in raw and ("l2update" in raw or '"snapshot"' in raw)]


@pytest.mark.parametrize("place", [1, 40, 150, 300])
def test_changes_that_swapped_places_are_found(place):
    messages = changes()
    earlier, later = (json.loads(messages[at])["time"] for at in (place, place + 1))
    assert earlier < later
    swapped = [*messages[:place], messages[place + 1], messages[place], *messages[place + 2 :]]
    [lost] = [heard for heard in heard_of(swapped) if isinstance(heard, BookLost)]
    assert (lost.symbol, lost.cause) == (BUSIEST, Cause.SEQUENCE)


def test_a_trade_that_is_missing_loses_the_book_and_one_that_comes_late_is_still_told():
    match = {
        "type": "match",
        "product_id": "A-B",
        "price": "1",
        "size": "2",
        "side": "buy",
        "time": "2021-04-17T16:43:37Z",
    }
    first, second, third = (json.dumps(match | {"trade_id": number}) for number in (1, 2, 3))
    snapshot = '{"type":"snapshot","product_id":"A-B","bids":[["1","1"]],"asks":[["2","1"]]}'
    line = CoinbaseLine()
    heard = heard_of([snapshot, first, third, second], line)
    assert [one.trade_id for one in heard if isinstance(one, TradeTick)] == ["1", "3", "2"]
    assert [one for one in heard if isinstance(one, BookLost)] == [
        BookLost("A-B", Cause.SEQUENCE, "trade 2 was due, 3 came")
    ]
    checks = line.markets["A-B"].checks
    assert (checks.sequence_wrong, checks.repeated, line.markets["A-B"].book.ready) == (1, 1, False)


@pytest.mark.parametrize("changes", ['[["up","1","1"]]', '[["buy","x","1"]]', '[["buy","1"]]', "null"])
def test_a_change_that_cannot_be_read_costs_the_book(changes):
    snapshot = '{"type":"snapshot","product_id":"A-B","bids":[["1","1"]],"asks":[["2","1"]]}'
    broken = f'{{"type":"l2update","product_id":"A-B","time":"2021-04-17T16:43:37Z","changes":{changes}}}'
    *_, lost = heard_of([snapshot, broken])
    assert (lost.symbol, lost.cause) == ("A-B", Cause.SEQUENCE)

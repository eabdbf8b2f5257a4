"""OKX's sockets without sockets: the recording at every message, and what an update may not be."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zlib import crc32

import pytest
from algotrendy_ingest.domain.ticks import BookLost, Cause, FundingTick, MarkTick, QuoteTick, Stamp, Stream
from algotrendy_ingest.wire.okx import OkxLine, checksum
from algotrendy_ingest.wire.protocol import BookMoved, Refusal

RECORDING = Path(__file__).parent / "recordings" / "okx_ws.1.jsonl"
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 0)
SYMBOL = "BTC-USDT"
BOOKS = frozenset({Stream.BOOKS})


def message(channel, *rows, action=None, id=SYMBOL):
    return json.dumps(
        {"arg": {"channel": channel, "instId": id}, "data": rows} | ({"action": action} if action else {})
    )


def row(previous, sequence, bids=(), asks=(), **more):
    return {"bids": bids, "asks": asks, "ts": "1700000000000", "prevSeqId": previous, "seqId": sequence} | more


def begun():
    line = OkxLine(OkxLine.plans([OkxLine.market_of(SYMBOL)], BOOKS)[0])
    snapshot = row(-1, 10, [["10.0", "1", "0", "1"]], [["10.50", "2", "0", "1"]])
    assert line.read(message("books", snapshot, action="snapshot"), NOW) == [BookMoved(SYMBOL, NOW)]
    return line


def update(line, *arguments, **more):
    return line.read(message("books", row(*arguments, **more), action="update"), NOW)


def test_the_recording_agrees_with_every_checksum():
    line, books = OkxLine(), 0
    for entry in map(json.loads, RECORDING.open()):
        if entry["kind"] == "recv":
            heard = line.read(entry["raw"], NOW)
            assert not any(isinstance(one, BookLost | Refusal) for one in heard)
            books += sum(isinstance(one, BookMoved) for one in heard)
    right = [market.checks.checksum_right for market in line.markets.values() if market.book.ready]
    assert sum(right) == books > 10
    assert all(not market.book.crossed for market in line.markets.values())


def test_the_checksum_takes_a_bid_and_an_ask_in_turn_in_the_digits_that_came():
    line = begun()
    assert checksum(line.market(SYMBOL).book) == _crc("10.0:1:10.50:2")
    update(line, 10, 11, bids=[["9.90", "3", "0", "1"]])
    assert checksum(line.market(SYMBOL).book) == _crc("10.0:1:10.50:2:9.90:3")


def _crc(text):
    value = crc32(text.encode())
    return value - (1 << 32) if value >= 1 << 31 else value


@pytest.mark.parametrize(
    ("previous", "sequence", "more", "cause"),
    [
        (11, 12, {}, Cause.SEQUENCE),
        (10, 12, {"checksum": 1}, Cause.CHECKSUM),
        (10, 12, {"bids": [["10.50", "1", "0", "1"]]}, Cause.CROSSED),
        (10, 12, {"bids": [["ten", "1", "0", "1"]]}, Cause.SEQUENCE),
    ],
)
def test_what_is_wrong_loses_the_book_and_a_new_subscription_heals_it(previous, sequence, more, cause):
    line = begun()
    [lost] = update(line, previous, sequence, **more)
    market = line.market(SYMBOL)
    assert (lost.symbol, lost.cause, market.book.ready) == (SYMBOL, cause, False)
    assert update(line, 12, 13) == []
    assert [json.loads(text)["op"] for text in line.heal(market)] == ["unsubscribe", "subscribe"]


def test_an_update_that_comes_again_is_left_out_and_numbers_may_begin_anew():
    line = begun()
    assert update(line, 10, 12, bids=[["9", "1", "0", "1"]]) == [BookMoved(SYMBOL, NOW)]
    assert update(line, 10, 12, bids=[["9", "0", "0", "0"]]) == []
    assert line.market(SYMBOL).checks.repeated == 1
    assert update(line, 12, 3) == [BookMoved(SYMBOL, NOW)]  # after a maintenance
    assert update(line, 3, 5) == [BookMoved(SYMBOL, NOW)]


def test_marks_and_funding_of_a_perpetual():
    line = OkxLine()
    [mark] = line.read(message("mark-price", {"markPx": "42310.6", "ts": "1630049139746"}, id="BTC-USDT-SWAP"), NOW)
    funding_row = {"fundingRate": "-0.0001", "fundingTime": "1703088000000", "ts": "1703070685309"}
    [funding] = line.read(message("funding-rate", funding_row, id="BTC-USDT-SWAP"), NOW)
    assert isinstance(mark, MarkTick)
    assert isinstance(funding, FundingTick)
    assert (mark.symbol, mark.mark) == ("BTC-USDT-PERP", Decimal("42310.6"))
    assert (funding.rate, funding.pays_at) == (Decimal("-0.0001"), datetime(2023, 12, 20, 16, tzinfo=UTC))


def test_best_prices_without_a_side_are_none():
    empty = {"bids": [], "asks": [["1", "2", "0", "1"]], "ts": "1700000000000"}
    whole = empty | {"bids": [["0.5", "1", "0", "1"]]}
    quotes = OkxLine().read(message("bbo-tbt", empty, whole), NOW)
    assert [type(one) for one in quotes] == [QuoteTick]


def test_one_channel_that_is_refused_takes_no_other_with_it():
    [plan] = OkxLine.plans([OkxLine.market_of("BTC-USDT-PERP")], frozenset(Stream) - {Stream.CANDLES})
    channels = [{one["channel"] for one in json.loads(text)["args"]} for text in OkxLine(plan).subscribe(plan)]
    assert sorted(map(sorted, channels)) == [["bbo-tbt"], ["books"], ["funding-rate"], ["mark-price"], ["trades"]]

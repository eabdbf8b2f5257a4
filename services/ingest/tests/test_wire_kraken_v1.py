"""Kraken's older layout as it was recorded: every checksum, and what becomes of a book that is tampered with."""

import json
import re
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from algotrendy_common.enums import Side, Timeframe
from algotrendy_ingest.domain.ticks import BookLost, Cause, QuoteTick, Stamp, TradeTick
from algotrendy_ingest.wire.kraken import KrakenLine
from algotrendy_ingest.wire.protocol import BookMoved

RECORDINGS = Path(__file__).parent / "recordings"
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 0)


def received(name: str) -> list[str]:
    lines = (RECORDINGS / name).read_text().splitlines()
    return [entry["raw"] for entry in map(json.loads, lines) if entry["kind"] == "recv"]


def heard_of(messages: list[str], line: KrakenLine | None = None) -> list:
    line = line or KrakenLine()
    return [heard for raw in messages for heard in line.read(raw, NOW)]


def test_every_recorded_book_message_has_its_checksum():
    messages = received("kraken_ws.50.jsonl")
    line = KrakenLine()
    heard = heard_of(messages, line)
    checked = sum('"c":"' in raw for raw in messages)
    assert checked > 1000
    assert sum(market.checks.checksum_right for market in line.markets.values()) == checked
    assert {type(one) for one in heard} == {BookMoved}
    assert set(line.markets) == {"XBT/CHF", "OCEAN/XBT", "SC/EUR", "GRT/ETH", "KSM/XBT", "XMR/USD", "WAVES/EUR"}
    assert line.markets["XBT/CHF"].names.symbol == "BTC-CHF"


def test_a_recorded_book_is_what_plain_dictionaries_make_of_it():
    books: dict[str, dict[str, dict[str, str]]] = {}
    for raw in received("kraken_ws.50.jsonl"):
        content = json.loads(raw)
        if isinstance(content, list):
            pair = content[-1]
            for part in content[1:-2]:
                for side, rows in part.items():
                    if side != "c":
                        held = books.setdefault(pair, {"a": {}, "b": {}})[side[0]]
                        for price, volume, *_ in rows:
                            held[price] = volume
    line = KrakenLine()
    heard_of(received("kraken_ws.50.jsonl"), line)
    for pair, sides in books.items():
        for side, held, best_first in (("b", line.markets[pair].book.bids, -1), ("a", line.markets[pair].book.asks, 1)):
            levels = [(price, volume) for price, volume in sides[side].items() if Decimal(volume)]
            levels.sort(key=lambda level: Decimal(level[0]) * best_first)
            assert held.best() == levels[:1000]


@cache
def changes_at_the_top(pair: str) -> tuple[list[str], list[int]]:
    """A pair's messages, and which of them, evenly spread, changed its ten best levels."""
    messages = [raw for raw in received("kraken_ws.50.jsonl") if raw.endswith(f'"{pair}"]')]
    line, changed, before = KrakenLine(), [], None
    for place, raw in enumerate(messages):
        line.read(raw, NOW)
        book = line.markets[pair].book
        now = book.bids.best(10), book.asks.best(10)
        if before is not None and now != before:
            changed.append(place)
        before = now
    return messages, changed[1 : -2 : max(1, len(changed) // 20)]


def outcome(messages: list[str], pair: str) -> tuple[list[BookLost], object]:
    line = KrakenLine()
    lost = [heard for heard in heard_of(messages, line) if isinstance(heard, BookLost)]
    book = line.markets[pair].book
    return lost, (book.bids.best(), book.asks.best())


@pytest.mark.parametrize("pair", ["XMR/USD", "SC/EUR"])
def test_a_wrong_digit_is_found_at_once(pair):
    messages, places = changes_at_the_top(pair)
    assert len(places) > 15
    for place in places:
        broken = re.sub(r'(\["[\d.]+","\d*)(\d)\.', lambda m: f"{m[1]}{(int(m[2]) + 1) % 10}.", messages[place])
        assert broken != messages[place]
        lost, _ = outcome([*messages[:place], broken], pair)
        assert [one.cause for one in lost] == [Cause.CHECKSUM]


@pytest.mark.parametrize("pair", ["XMR/USD", "SC/EUR"])
def test_a_message_that_is_missing_or_comes_too_early_is_found_or_made_no_difference(pair):
    messages, places = changes_at_the_top(pair)
    _, right = outcome(messages, pair)
    found = 0
    for place in places:
        missing = messages[:place] + messages[place + 1 :]
        swapped = [*messages[:place], messages[place + 1], messages[place], *messages[place + 2 :]]
        for planted in (missing, swapped):
            lost, book = outcome(planted, pair)
            assert lost or book == right
            assert {one.cause for one in lost} <= {Cause.CHECKSUM, Cause.CROSSED}
            found += bool(lost)
    assert found > 1.5 * len(places)


def test_recorded_trades_have_no_number_and_names_of_their_own():
    trades = heard_of(received("kraken_ws.48.jsonl"))
    assert [type(trade) for trade in trades] == [TradeTick] * 10
    assert len({(trade.symbol, trade.trade_id) for trade in trades}) == 10
    assert {trade.sequence for trade in trades} == {None}
    first = trades[0]
    assert (first.symbol, first.price, first.quantity) == ("XMR-USD", Decimal("354.11000000"), Decimal("0.89594024"))
    assert (first.side, first.event_time) == (Side.SELL, datetime(2021, 4, 17, 16, 49, 2, 557535, tzinfo=UTC))


def test_trades_of_one_microsecond_are_told_apart():
    row = '["1.5","2","1618678142.557535","b","m",""]'
    trades = heard_of([f'[1,[{row},{row}],"trade","XDG/USD"]', f'[1,[{row}],"trade","XDG/USD"]'])
    assert [trade.trade_id for trade in trades] == [f"1618678142.557535{place}" for place in ("", "-1", "-2")]
    assert {(trade.symbol, trade.side) for trade in trades} == {("DOGE-USD", Side.BUY)}


def test_recorded_tickers_are_best_prices():
    quotes = heard_of(received("kraken_ws.49.jsonl"))
    assert [type(quote) for quote in quotes] == [QuoteTick] * 15
    first = quotes[0]
    assert (first.symbol, first.bid, first.ask) == ("WAVES-EUR", Decimal("13.232900"), Decimal("13.253900"))
    assert (first.bid_quantity, first.ask_quantity) == (Decimal("185.18432037"), Decimal("35.72892241"))


def test_the_older_candles_and_spreads_are_read_too():
    spread, bar = heard_of([
        '[0,["5698.40000","5700.00000","1542057299.545897","1.01234567","0.98765432"],"spread","XBT/USD"]',
        '[42,["1542057314.748456","1542057360.435743","3586.70000","3586.70000","3586.60000","3586.60000",'
        '"3586.68894","0.03373000",2],"ohlc-1","XBT/USD"]',
    ])  # fmt: skip
    assert (spread.bid, spread.ask_quantity) == (Decimal("5698.40000"), Decimal("0.98765432"))
    assert bar.bar.open_time == datetime(2018, 11, 12, 21, 15, 0, 435743, tzinfo=UTC)
    assert (bar.bar.timeframe, bar.bar.low, bar.bar.trade_count) == (Timeframe.M1, Decimal("3586.60000"), 2)


def as_v2(raw: str, written) -> str:
    """The same book message as the newer layout would say it, a snapshot without its checksum left out."""
    content = json.loads(raw)
    parts = {name: rows for part in content[1:-2] for name, rows in part.items()}
    kind, names = ("snapshot", ("bs", "as")) if "as" in parts else ("update", ("b", "a"))
    bids, asks = (
        ",".join(f'{{"price":{written(price)},"qty":{written(size)}}}' for price, size, *_ in parts.get(name, []))
        for name in names
    )
    checksum = parts.get("c") or checksum_of(parts["as"], parts["bs"])
    row = f'"symbol":"{content[-1]}","bids":[{bids}],"asks":[{asks}],"checksum":{checksum}'
    return f'{{"channel":"book","type":"{kind}","data":[{{{row}}}]}}'


def checksum_of(asks: list[list[str]], bids: list[list[str]]) -> int:
    best = sorted(asks, key=lambda row: Decimal(row[0]))[:10] + sorted(bids, key=lambda row: -Decimal(row[0]))[:10]
    return zlib.crc32("".join(text.replace(".", "").lstrip("0") for row in best for text in row[:2]).encode())


def without_noughts(text: str) -> str:
    return text.rstrip("0").rstrip(".")


def decimals(text: str) -> int:
    return len(text.partition(".")[2])


@pytest.mark.parametrize("written", [str, without_noughts])
def test_the_same_books_come_of_the_newer_layout_with_all_digits_or_without_the_noughts_at_their_end(written):
    recorded = [raw for raw in received("kraken_ws.50.jsonl") if raw.startswith("[")]
    firsts = {json.loads(raw)[-1]: json.loads(raw)[1]["as"][0] for raw in recorded if '"as"' in raw}
    pairs = ",".join(
        f'{{"symbol":"{pair}","price_precision":{decimals(price)},"qty_precision":{decimals(size)}}}'
        for pair, (price, size, _) in firsts.items()
    )
    line, older = KrakenLine(), KrakenLine()
    line.read(f'{{"channel":"instrument","type":"snapshot","data":{{"assets":[],"pairs":[{pairs}]}}}}', NOW)
    for pair in firsts:
        subscribed = f'{{"channel":"book","symbol":"{pair}","depth":1000}}'
        line.read(f'{{"method":"subscribe","success":true,"result":{subscribed}}}', NOW)
    heard = heard_of([as_v2(raw, written) for raw in recorded], line)
    assert {type(one) for one in heard} == {BookMoved}
    assert sum(market.checks.checksum_right for market in line.markets.values()) == len(recorded)
    heard_of(recorded, older)
    for pair, market in line.markets.items():
        then = older.markets[pair].book
        for side, its_side in ((market.book.bids, then.bids), (market.book.asks, then.asks)):
            assert side.best() == [(written(price), written(size)) for price, size in its_side.best()]

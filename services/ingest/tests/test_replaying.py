"""Recordings replayed, against sums and books that are made here by other means: plain dicts and plain decimals."""

import json
from collections import defaultdict
from decimal import Decimal, getcontext
from pathlib import Path

import pytest
from algotrendy_common.errors import Refused
from algotrendy_ingest.adapters.registry import line_class
from algotrendy_ingest.recordings import merged, with_snapshots
from algotrendy_ingest.replaying import Replay

RECORDINGS = Path(__file__).parent / "recordings"
getcontext().prec = 60


class Plain:
    """What the messages say, kept as simply as can be: by the venue's own name of the market."""

    def __init__(self):
        self.books = defaultdict(lambda: {"bids": {}, "asks": {}})
        self.trades = defaultdict(list)

    def set(self, id, side, levels):
        for price, quantity in levels:
            if Decimal(quantity):
                self.books[id][side][Decimal(price)] = (price, quantity)
            else:
                self.books[id][side].pop(Decimal(price), None)

    def said(self, id):
        book, trades = self.books[id], self.trades[id]
        bids = [book["bids"][price] for price in sorted(book["bids"], reverse=True)]
        asks = [book["asks"][price] for price in sorted(book["asks"])]
        return {
            "bids": bids[:10], "asks": asks[:10], "bid_levels": len(bids), "ask_levels": len(asks),
            "trades": len(trades), "quantity": sum((quantity for _, _, quantity in trades), Decimal(0)),
            "notional": sum((price * quantity for _, price, quantity in trades), Decimal(0)),
            "first_trade_id": trades[0][0] if trades else None, "last_trade_id": trades[-1][0] if trades else None,
        }  # fmt: skip


def binance(plain, message):
    data = message.get("data", message)
    if data.get("e") == "depthUpdate":
        plain.set(data["s"], "bids", data["b"])
        plain.set(data["s"], "asks", data["a"])
    elif data.get("e") == "aggTrade":
        plain.trades[data["s"]].append((str(data["a"]), Decimal(data["p"]), Decimal(data["q"])))


def okx(plain, message):
    for row in message.get("data", ()):
        id, channel = message["arg"]["instId"], message["arg"]["channel"]
        if channel == "trades":
            plain.trades[id].append((row["tradeId"], Decimal(row["px"]), Decimal(row["sz"])))
        elif channel == "books":
            if message["action"] == "snapshot":
                plain.books.pop(id, None)
            for side in ("bids", "asks"):
                plain.set(id, side, [level[:2] for level in row[side]])


def bybit(plain, message):
    kind, _, id = message.get("topic", "").partition(".")
    data = message.get("data")
    if kind == "trade":
        plain.trades[id] += [(row["trade_id"], Decimal(row["price"]), Decimal(row["size"])) for row in data]
    elif kind == "orderBookL2_25":
        rows = data if isinstance(data, list) else data.get("order_book")
        if rows is None:
            rows = [row | {"size": 0} for row in data["delete"]] + data["update"] + data["insert"]
        for row in rows:
            plain.set(id, {"Buy": "bids", "Sell": "asks"}[row["side"]], [(row["price"], str(row["size"]))])


CASES = {
    "binance": (binance, "binance_ws.1.jsonl"),
    "okx": (okx, "okx_ws.1.jsonl"),
    "bybit": (bybit, "bybit_ws.25.jsonl"),
    "bybit inverse": (bybit, "bybit_ws.26.jsonl"),
}
STOPS = {"binance": [60, 150, 237], "okx": [20, 41], "bybit": [90, 201], "bybit inverse": [17, 100, 300]}


def computed(case, stops):
    """After each of these messages. Binance's snapshots lie in a file of their own and take their place by time."""
    hear, name = CASES[case]
    plain, received, found = Plain(), 0, {}
    files = [RECORDINGS / name, *([RECORDINGS / "binance_http.jsonl"] if case == "binance" else [])]
    entries = [json.loads(text) for file in files for text in file.read_text().splitlines()]
    waiting = defaultdict(list)
    snapshots = {}
    for entry in sorted(entries, key=lambda entry: Decimal(entry["t"])):
        if entry["kind"] == "http":
            id, body = entry["url"].split("symbol=")[1].split("&")[0], json.loads(entry["raw"])
            snapshots[id] = body["lastUpdateId"]
            plain.set(id, "bids", body["bids"])
            plain.set(id, "asks", body["asks"])
            for message in waiting[id]:
                if message["data"]["u"] > snapshots[id]:
                    hear(plain, message)
        elif entry["kind"] == "recv":
            received += 1
            message = json.loads(entry["raw"], parse_float=str)
            depth = case == "binance" and message["data"].get("e") == "depthUpdate"
            if depth and message["data"]["s"] not in snapshots:
                waiting[message["data"]["s"]].append(message)
            elif not depth or message["data"]["u"] > snapshots[message["data"]["s"]]:
                hear(plain, message)
            if received in stops:
                found[received] = {id: plain.said(id) for id in {*plain.books, *plain.trades}}
    return found


def replayed(venue, *names, at=()):
    return list(Replay(line_class(venue)).states(merged([RECORDINGS / name for name in names]), at))


@pytest.mark.parametrize("case", CASES)
def test_books_sums_and_ids_are_those_of_a_plain_reading(case):
    stops = STOPS[case]
    states = replayed(case.split()[0], CASES[case][1], at=stops)
    expected = computed(case, stops)
    assert [state.message for state in states[:-1]] == stops
    for state in states[:-1]:
        known = {id: said for id, said in expected[state.message].items() if said["trades"] or said["bid_levels"]}
        assert {each.id for each in state.symbols if each.trades or each.book_ready} == known.keys()
        for each in state.symbols:
            for name, value in known.get(each.id, {}).items():
                found = getattr(each, name)
                assert (Decimal(found) if name in ("quantity", "notional") else found) == value, (each.id, name)
            assert each.sequence_wrong == each.checksum_wrong == each.crossed == each.books_lost == 0
    assert any(each.book_ready for each in states[-1].symbols)


def test_every_message_of_a_book_was_compared_with_what_the_venue_says_of_it():
    (end,) = replayed("okx", "okx_ws.1.jsonl")
    books = [json.loads(entry["raw"]) for entry in map(json.loads, (RECORDINGS / "okx_ws.1.jsonl").open())
             if entry["kind"] == "recv"]  # fmt: skip
    for each in end.symbols:
        count = sum(1 for message in books if message["arg"] == {"channel": "books", "instId": each.id}
                    and "data" in message)  # fmt: skip
        assert (each.checksum_right, each.checksum_wrong) == (count, 0)


def test_sums_are_exact_however_long_the_numbers(tmp_path):
    rows = [
        {"T": 1, "s": "SHIBUSDT", "S": "Buy", "v": "123456789012345.12345678", "p": "0.000012345678901234", "i": str(i)}
        for i in range(3)
    ]
    file = recording(tmp_path, [{"topic": "publicTrade.SHIBUSDT", "data": rows}])
    *_, end = Replay(line_class("bybit")).states(merged([file]), [])
    (each,) = end.symbols
    assert Decimal(each.quantity) == 3 * Decimal("123456789012345.12345678")
    assert Decimal(each.notional) == 3 * Decimal("123456789012345.12345678") * Decimal("0.000012345678901234")


# -- files -----------------------------------------------------------------------------------------------------


def recording(folder, messages, *before, name="some_ws.1.jsonl"):
    lines = [*before, *({"t": str(100 + i), "kind": "recv", "raw": json.dumps(m)} for i, m in enumerate(messages))]
    (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / name


TRADE = {"topic": "publicTrade.BTCUSDT", "data": [
    {"T": 1, "s": "BTCUSDT", "S": "Buy", "v": "2", "p": "3", "i": "a"},
]}  # fmt: skip


def test_sockets_of_one_file_are_told_apart_and_a_new_one_begins_anew(tmp_path):
    def opened(at, socket, url):
        return {"t": str(at), "kind": "open", "url": url, "raw": "", "socket": socket}

    def book(u, kind="snapshot"):
        data = {"s": "BTCUSDT", "b": [["1", "1"]], "a": [["2", "1"]], "u": u}
        return json.dumps({"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": u, "data": data})

    lines = [
        opened(1, 0, "wss://stream.bybit.com/v5/public/spot"),
        opened(2, 1, "wss://stream.bybit.com/v5/public/linear"),
        {"t": "3", "kind": "recv", "raw": book(5), "socket": 0},
        {"t": "4", "kind": "recv", "raw": book(70), "socket": 1},
        {"t": "5", "kind": "recv", "raw": book(6, "delta"), "socket": 0},
        opened(6, 0, "wss://stream.bybit.com/v5/public/spot"),
        {"t": "7", "kind": "recv", "raw": book(7, "delta"), "socket": 0},
    ]
    file = tmp_path / "two.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    *_, end = Replay(line_class("bybit")).states(merged([file]), [])
    pair, perpetual = end.symbols
    assert (pair.symbol, pair.book_ready, pair.sequence_right, pair.books_lost) == ("BTC-USDT", False, 1, 0)
    assert (perpetual.symbol, perpetual.book_ready) == ("BTC-USDT-PERP", True)


def test_the_snapshots_beside_a_recording_come_by_themselves(tmp_path):
    for name in ("a_ws.1.jsonl", "a_http.jsonl", "b_ws.jsonl"):
        (tmp_path / name).write_text("")
    a, http, b = (tmp_path / name for name in ("a_ws.1.jsonl", "a_http.jsonl", "b_ws.jsonl"))
    assert with_snapshots([a, b]) == [a, b, http]
    assert with_snapshots([http, a]) == [http, a]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"t":"1","kind":"recv","ra', r"bad.jsonl:2: not JSON \(the file may have been cut off\)"),
        ('{"t":"1","kind":"recv","ra\n', "bad.jsonl:2: not JSON:"),
        ('["recv"]\n', "bad.jsonl:2: not a line of a recording"),
        ('{"t":"1","kind":"heard","raw":""}\n', "bad.jsonl:2: not a line of a recording"),
        ('{"t":"1","kind":"recv"}\n', "bad.jsonl:2: not a line of a recording"),
        ('{"kind":"recv","raw":"{}"}\n', "bad.jsonl:2: t is no time"),
        ('{"t":"soon","kind":"recv","raw":"{}"}\n', "bad.jsonl:2: t is no time"),
        ('{"t":"nan","kind":"recv","raw":"{}"}\n', "bad.jsonl:2: t is no time"),
        ('{"t":"2","kind":"recv","raw":"{\\"topic"}\n', "bad.jsonl:2: not a message of bybit"),
        ('{"t":"2","kind":"recv","raw":"{\\"event\\":\\"subscribe\\"}"}\n', "bad.jsonl:2: not a message of bybit"),
    ],
)
def test_what_is_no_recording_is_refused_with_its_line(tmp_path, line, why):
    file = recording(tmp_path, [TRADE], name="bad.jsonl")
    file.write_text(file.read_text() + line)
    with pytest.raises(Refused, match=why):
        list(Replay(line_class("bybit")).states(merged([file]), []))


@pytest.mark.parametrize("venue", ["binance", "bybit", "coinbase", "cryptocom", "kraken"])
def test_another_venues_recording_is_refused_with_its_line(venue):
    with pytest.raises(Refused, match=r"okx_ws\.1\.jsonl:\d+: "):
        replayed(venue, "okx_ws.1.jsonl")


def test_nothing_received_and_no_such_message_and_no_such_venue(tmp_path):
    with pytest.raises(Refused, match="no message was received"):
        replayed("binance", "binance_http.jsonl")
    file = recording(tmp_path, [TRADE])
    with pytest.raises(Refused, match="there is no message 2: 1 were received"):
        list(Replay(line_class("bybit")).states(merged([file]), [2]))
    with pytest.raises(Refused, match="there is no venue mtgox; there are: binance, bybit"):
        line_class("mtgox")
    assert line_class("Crypto.com") is line_class("cryptocom")

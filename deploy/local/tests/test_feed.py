"""``algotrendy feed``: recordings replayed, live sockets of simulated venues recorded, and what is refused."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from algotrendy_common.clock import SystemClock, monotonic_s
from algotrendy_common.enums import FeedState
from algotrendy_common.errors import Refused
from algotrendy_common.events.market import FeedHealthChanged
from algotrendy_common.ids import new_id
from algotrendy_ingest.recording import Recorder
from algotrendy_local.cli import app
from algotrendy_local.feeds import tables
from algotrendy_simulator.testing import RunningVenue, running_venue
from click.testing import Result
from typer.testing import CliRunner


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["feed", *map(str, words)])


def refused(*words: object) -> str:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    return result.stderr


def book(kind: str, update: int, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]] = ()) -> Any:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update}
    return {"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": update, "data": data}


def trade(number: str, price: str, quantity: str) -> Any:
    row = {"T": 1, "s": "BTCUSDT", "S": "Buy", "v": quantity, "p": price, "i": number}
    return {"topic": "publicTrade.BTCUSDT", "data": [row]}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    url = "wss://stream.bybit.com/v5/public/spot"
    messages = [
        {"success": True, "ret_msg": "", "op": "subscribe"},
        book("snapshot", 10, [("100.0", "1"), ("99.5", "2.50")], [("100.5", "3"), ("101", "4")]),
        trade("a", "100.5", "0.10"),
        book("delta", 11, [("100.0", "0")], [("100.5", "2.9")]),
        trade("b", "100.25", "0.2"),
        book("delta", 13, [("99.5", "9")]),
    ]
    lines = [
        {"kind": "config", "raw": "{}"},
        {"t": "1.0", "kind": "open", "url": url, "raw": ""},
        {"t": "1.1", "kind": "sent", "url": url, "raw": '{"op":"subscribe"}'},
        *({"t": f"2.{i}", "kind": "recv", "raw": json.dumps(message)} for i, message in enumerate(messages)),
    ]
    path = tmp_path / "bybit_ws.1.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_replay_as_json_says_all_at_each_message_and_at_the_end(recording: Path) -> None:
    said = json.loads(run("replay", recording, "--venue", "bybit", "--at", "5,3", "--json").stdout)
    assert (said["venue"], said["received"], said["refusals"]) == ("bybit", 6, [])
    third, fifth = said["at"]
    assert (third["message"], fifth["message"], said["end"]["message"]) == (3, 5, 6)
    assert third["symbols"]["BTC-USDT"]["bids"] == [["100.0", "1"], ["99.5", "2.50"]]
    assert fifth["symbols"]["BTC-USDT"] == {
        "symbol": "BTC-USDT", "id": "BTCUSDT", "book_ready": True, "bids": [["99.5", "2.50"]],
        "asks": [["100.5", "2.9"], ["101", "4"]], "bid_levels": 1, "ask_levels": 2, "trades": 2, "quantity": "0.30",
        "notional": "30.100", "first_trade_id": "a", "last_trade_id": "b", "quotes": 0, "book_messages": 2,
        "sequence_right": 1, "sequence_wrong": 0, "checksum_right": 0, "checksum_wrong": 0, "crossed": 0,
        "repeated": 0, "books_lost": 0, "lost_last": None,
    }  # fmt: skip
    end = said["end"]["symbols"]["BTC-USDT"]
    assert (end["book_ready"], end["bids"], end["sequence_wrong"], end["books_lost"]) == (False, [], 1, 1)
    assert end["lost_last"].startswith("sequence: ")


def test_a_replay_for_reading_says_it_too(recording: Path) -> None:
    result = run("replay", recording, "-v", "bybit", "--at", "5")
    assert (result.exit_code, result.stderr) == (0, "")
    at_five, end = result.stdout.split("after message 6")
    for told in ("after message 5", "BTC-USDT", "1 / 2", "30.100", "1 right", "a … b", "99.5", "2.50", "100.5"):
        assert told in at_five
    assert "no book" in end
    assert "1 wrong" in end


def test_bad_input_is_one_line_and_status_two(recording: Path, tmp_path: Path) -> None:
    assert "there is no venue mtgox" in refused("replay", recording, "-v", "mtgox")
    assert "bybit_ws.1.jsonl:5: not a message of okx" in refused("replay", recording, "-v", "okx")
    assert "there is no message 7: 6 were received" in refused("replay", recording, "-v", "bybit", "--at", "7")
    assert "not 1;2" in refused("replay", recording, "-v", "bybit", "--at", "1;2")
    assert "number 1" in refused("replay", recording, "-v", "bybit", "--at", "0")
    assert "No such file" in refused("replay", tmp_path / "none.jsonl", "-v", "bybit")
    cut = tmp_path / "cut.jsonl"
    cut.write_text(recording.read_text()[:-30])
    assert "cut.jsonl:9: not JSON (the file may have been cut off)" in refused("replay", cut, "-v", "bybit")
    assert "is there already" in refused("record", recording, "-v", "bybit", "-s", "BTC-USDT")
    new = tmp_path / "new.jsonl"
    assert "BTCUSDT is no pair" in refused("record", new, "-v", "bybit", "-s", "BTCUSDT")
    assert "name a symbol" in refused("record", new, "-v", "bybit", "-s", ",")
    assert not new.exists()
    assert "no stack is running" in refused("status", "--home", tmp_path)
    assert "no stack is running" in refused("follow", "okx", "BTC-USDT", "--home", tmp_path)


async def test_a_full_disk_ends_a_recording_with_its_reason() -> None:
    full = open("/dev/full", "w", buffering=1)  # noqa: ASYNC230, SIM115
    try:
        with pytest.raises(Refused, match="No space left"):
            Recorder("bybit", ["BTC-USDT"], full, SystemClock(), print)
    finally:
        with suppress(OSError):
            full.close()


# -- against simulated venues ------------------------------------------------------------------------------------


async def until[T](find: Callable[[], T], patience_s: float = 180.0) -> T:
    deadline = monotonic_s() + patience_s
    while not (found := find()):
        assert monotonic_s() < deadline, "it did not come to pass"
        await asyncio.sleep(0.1)
    return found


def replayed(file: Path, venue: str) -> dict[str, Any]:
    """By symbol; nothing while the file is not readable yet."""
    result = run("replay", file, "-v", venue, "--json")
    return json.loads(result.stdout)["end"]["symbols"] if result.exit_code == 0 else {}


def levels(rows: Any) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(quantity)) for price, quantity in rows[:10]]


async def books_of(venue: RunningVenue, symbols: dict[str, str]) -> dict[str, Any]:
    """The venue's own, by our names."""
    own = await venue.admin("GET", "/admin/books")
    return {ours: (levels(own[theirs]["bids"]), levels(own[theirs]["asks"])) for ours, theirs in symbols.items()}


async def test_what_was_recorded_live_replays_to_the_venues_own_books(tmp_path: Path) -> None:
    """Several sockets in one file, and books that begin with an answer over REST."""
    name, symbols = "binance", {"BTC-USDT": "BTCUSDT", "LTC-USDT": "LTCUSDT"}
    file = tmp_path / "live.jsonl"
    async with running_venue(speed=60, venue=name) as venue:
        words = ["feed", "record", str(file), "-v", name, "-s", ",".join(symbols)]
        recorder = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "algotrendy_local", *words, "--http-url", venue.http, "--ws-url", venue.ws,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            await until(lambda: len(file.read_text().splitlines()) > 120 if file.exists() else False)
            await venue.admin("POST", "/admin/pause")
            own = await books_of(venue, symbols)

            def same() -> bool:
                found = replayed(file, name)
                return {symbol: (levels(each["bids"]), levels(each["asks"])) for symbol, each in found.items()} == own

            await until(same)
            recorder.send_signal(signal.SIGINT)
            _, said = await asyncio.wait_for(recorder.communicate(), 120)
        finally:
            if recorder.returncode is None:
                recorder.kill()
                await recorder.wait()
    assert (recorder.returncode, said.decode().count("\n")) == (0, 1), said
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert f"{sum(entry['kind'] == 'recv' for entry in entries)} messages in" in said.decode()
    assert {"config", "open", "sent", "recv"} <= {entry["kind"] for entry in entries}
    assert json.loads(entries[0]["raw"]) == {"venue": name, "symbols": list(symbols)}
    assert sum(entry["kind"] == "http" for entry in entries) == len(symbols)
    times = [Decimal(entry["t"]) for entry in entries]
    assert times == sorted(times)
    for each in replayed(file, name).values():
        assert each["trades"] == int(each["last_trade_id"]) - int(each["first_trade_id"]) + 1, "each once, none missed"
        assert each["sequence_right"] > 0
        assert each["sequence_wrong"] == each["crossed"] == each["books_lost"] == 0


def test_health_for_reading(capsys: pytest.CaptureFixture[str]) -> None:
    now = SystemClock().now()
    feed = FeedHealthChanged(
        event_id=new_id(), event_time=now, received_time=now, producer="ingest", venue="okx", state=FeedState.STALE,
        latency_ms=0.25, last_message_at=now, stale_symbols=("BTC-USDT",), gaps=3, reconnects=2, replay=True,
        lag_ms=None, watermark=now, missing_trades=1,
    )  # fmt: skip
    tables.show_feeds([feed])
    said = capsys.readouterr().out
    for told in ("okx (replay)", "stale", "unknown", "0.25 ms", f"{now:%Y-%m-%d %H:%M:%S}", "3", "2", "BTC-USDT"):
        assert told in said

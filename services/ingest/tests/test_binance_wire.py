import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from algotrendy_common.enums import Side, Timeframe
from algotrendy_ingest.adapters import binance as rest
from algotrendy_ingest.adapters.ccxt_rest import repointed
from algotrendy_ingest.domain.ticks import Stamp
from algotrendy_ingest.wire import binance as wire

PAYLOADS = Path(__file__).parent / "payloads"
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 5.0, 1)


def payload(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def test_a_trade():
    trade = wire.trade_of(payload("trade"), "BNB-BTC", NOW)
    assert (trade.symbol, trade.trade_id, trade.sequence, trade.side) == ("BNB-BTC", "12345", 12345, Side.SELL)
    assert (trade.price, trade.quantity) == (Decimal("0.001"), Decimal(100))
    assert trade.event_time == datetime(2022, 12, 31, 19, 43, 2, 136000, tzinfo=UTC)
    assert trade.received is NOW


def test_the_taker_buys_where_the_maker_does_not():
    assert wire.trade_of(payload("trade") | {"m": False}, "BNB-BTC", NOW).side is Side.BUY


def test_a_quote_takes_the_time_it_is_given():
    quote = wire.quote_of(payload("book_ticker"), "BNB-USDT", NOW.time, NOW)
    assert (quote.bid, quote.bid_quantity) == (Decimal("25.3519"), Decimal("31.21"))
    assert (quote.ask, quote.ask_quantity) == (Decimal("25.3652"), Decimal("40.66"))
    assert quote.event_time == NOW.time


def test_a_candle():
    bar = rest.bar_of(payload("klines")[0], Timeframe.M1)
    assert bar.open_time == datetime(2017, 7, 3, 0, 0, tzinfo=UTC)
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(
        map(Decimal, ("0.01634790", "0.80000000", "0.01575800", "0.01577100"))
    )
    assert (bar.volume, bar.quote_volume, bar.trade_count) == (
        Decimal("148976.11427815"), Decimal("2434.19055334"), 308
    )  # fmt: skip


def test_a_trade_of_the_past():
    trade = rest.historic_trade_of(payload("trades")[0], "LTC-BTC", NOW)
    assert (trade.sequence, trade.price, trade.quantity, trade.side) == (
        28457, Decimal("4.000001"), Decimal(12), Side.SELL
    )  # fmt: skip


@pytest.mark.parametrize(
    "broken",
    [{"p": "0"}, {"p": "-1"}, {"p": "NaN"}, {"p": "a lot"}, {"p": 0.001}, {"p": None}, {"q": "0"}, {"t": "x"}],
)
def test_what_is_no_trade_is_refused(broken):
    with pytest.raises((ValueError, TypeError)):
        wire.trade_of(payload("trade") | broken, "BNB-BTC", NOW)


@pytest.mark.parametrize("field", ["p", "q", "t", "T", "m"])
def test_a_trade_without_a_field_is_refused(field):
    message = payload("trade")
    del message[field]
    with pytest.raises(KeyError):
        wire.trade_of(message, "BNB-BTC", NOW)


def test_every_rest_address_is_replaced_and_every_path_kept():
    urls = {"public": "https://api.binance.com/api/v3", "ws": {"spot": "wss://stream.binance.com:9443/ws"}}
    assert repointed(urls, "http://127.0.0.1:1") == {"public": "http://127.0.0.1:1/api/v3", "ws": urls["ws"]}

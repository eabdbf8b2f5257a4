"""The REST of Kraken and Coinbase against the simulated venues, and their published rows field by field."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from algotrendy_common.clock import SystemClock, monotonic_s
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.errors import Refused
from algotrendy_ingest.adapters import coinbase, kraken
from algotrendy_ingest.adapters.coinbase import CoinbaseRest
from algotrendy_ingest.adapters.kraken import KrakenRest
from algotrendy_ingest.domain.ticks import Stamp
from algotrendy_ingest.errors import VenueAway
from algotrendy_ingest.wire import coinbase_words
from algotrendy_simulator.testing import running_venue

RECORDINGS = Path(__file__).parent / "recordings"
BTC, LTC = "BTC-USDT", "LTC-USDT"
NOW = Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 0)


async def until(holds, patience_s=90.0):
    """Until it is true; fails when patience ends."""
    deadline = monotonic_s() + patience_s
    while not await holds():
        assert monotonic_s() < deadline, "it did not come to pass"
        await asyncio.sleep(0.1)


def published(venue, name):
    lines = (RECORDINGS / f"{venue}_messages.jsonl").read_text().splitlines()
    return next(entry["json"] for entry in map(json.loads, lines) if entry["name"] == name)


@pytest.mark.parametrize("adapter", [KrakenRest, CoinbaseRest])
async def test_a_venues_rest(adapter):
    async with running_venue(speed=600, history=120, venue=adapter.venue) as venue:
        rest = adapter(venue.http, (BTC,), SystemClock(), elsewhere=True)

        async def ten_minutes_were_traded():
            traded = [await rest.recent_trades(symbol) for symbol in (BTC, LTC)]
            return all(one and one[-1].event_time - one[0].event_time > timedelta(minutes=10) for one in traded)

        try:
            [listed] = await rest.instruments()
            assert (listed.venue, listed.symbol, listed.base, listed.quote) == (adapter.venue, BTC, "BTC", "USDT")
            assert listed.price_step == Decimal("0.01")
            assert listed.quantity_step == Decimal("0.000001")
            assert (await rest.add(LTC)).symbol == LTC
            with pytest.raises((Refused, VenueAway), match="NONE-USDT"):
                await rest.add("NONE-USDT")
            assert set(rest.known) == {BTC, LTC}
            await until(ten_minutes_were_traded)
            await venue.admin("POST", "/admin/pause")
            for symbol in (BTC, LTC):
                await pages_of_candles_fit_together(rest, symbol)
                await candles_are_those_of_the_trades(rest, symbol)
        finally:
            await rest.close()


async def pages_of_candles_fit_together(rest, symbol):
    newest = await rest.bars(symbol, Timeframe.M1)
    assert len(newest) > 100
    assert all(before.close_time <= after.open_time for before, after in pairwise(newest))
    assert await rest.bars(symbol, Timeframe.M1, newest[10].open_time, newest[20].open_time) == newest[10:20]
    assert await rest.bars(symbol, Timeframe.M1, newest[10].open_time) == newest[10:]
    five = await rest.bars(symbol, Timeframe.M5, newest[0].open_time)
    inside = [bar for bar in newest if five[1].open_time <= bar.open_time < five[2].open_time]
    assert (five[1].volume, five[1].high) == (sum(bar.volume for bar in inside), max(bar.high for bar in inside))


async def candles_are_those_of_the_trades(rest, symbol):
    """Where they are made of trades here as well as there."""
    trades = await rest.recent_trades(symbol)
    assert [trade.sequence for trade in trades] == list(range(trades[0].sequence, trades[-1].sequence + 1))
    bars = await rest.bars(symbol, Timeframe.M1, trades[0].event_time, trades[-1].event_time)
    assert len(bars) > 5
    for bar in bars[:-1]:
        inside = [trade for trade in trades if bar.open_time <= trade.event_time < bar.close_time]
        assert (bar.open, bar.close) == (inside[0].price, inside[-1].price)
        assert bar.volume == sum(trade.quantity for trade in inside)
    if isinstance(rest, KrakenRest):
        rest.trades_page = 37
        begin, end = bars[0].open_time, bars[-1].open_time
        made, start = [], begin
        while start < end and (page := await rest.bars_of_trades(symbol, Timeframe.M1, start, end)):
            made += page
            start = page[-1].close_time
        figures = [(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count) for bar in made]
        assert figures == [
            (bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count) for bar in bars[:-1]
        ]
        assert {bar.complete for bar in made} == {True}
        rest.trades_page = KrakenRest.trades_page


def test_a_listing_of_krakens_field_by_field():
    listed = published("kraken", "http_asset_pairs.json")["result"]["XBTUSDT"]
    found = kraken.instrument_of(BTC, {"info": listed, "maker": 0.0025, "taker": 0.004})
    assert [
        str(getattr(found, name))
        for name in (
            "base", "quote", "price_step", "quantity_step", "min_quantity", "min_notional", "maker_fee", "taker_fee",
        )
    ] == ["BTC", "USDT", "0.1", "1E-8", "0.00005", "0.5", "0.0025", "0.004"]  # fmt: skip


def test_krakens_published_candles_and_trades():
    rows = published("kraken", "http_ohlc.json")["result"]["XBTUSDT"]
    quiet, busy = (kraken.rest_bar_of(row, Timeframe.M1) for row in (rows[0], rows[3]))
    assert (quiet.volume, quiet.quote_volume, quiet.trade_count) == (Decimal(0), Decimal(0), 0)
    assert (busy.open_time, busy.high, busy.trade_count) == (
        datetime(2025, 11, 10, 12, 20, tzinfo=UTC), Decimal("106044.3"), 3,
    )  # fmt: skip
    assert busy.quote_volume == Decimal("0.08317981") * Decimal("106039.6")
    row = published("kraken", "http_trades.json")["result"]["XBTUSDT"][0]
    trade = kraken.rest_trade_of(row, BTC, NOW)
    assert (trade.trade_id, trade.sequence, str(trade.price), trade.side) == (
        "10218208", 10218208, "105433.60000", Side.BUY,
    )  # fmt: skip
    assert trade.event_time == datetime(2025, 11, 10, 17, 23, 53, 971744, tzinfo=UTC)


@pytest.mark.parametrize(
    "row", [["1.0", "2.0", 1.5, "x", "l", "", 3], ["1.0", "2.0", 1.5], [1.0, "2.0", 1.5, "b", "l", "", 3]]
)
def test_what_is_not_exactly_a_trade_of_krakens_is_refused(row):
    with pytest.raises((ValueError, KeyError)):
        kraken.rest_trade_of(row, BTC, NOW)


def test_a_listing_of_coinbases_field_by_field():
    listed = {
        "product_id": "BTC-USD", "product_type": "SPOT", "base_currency_id": "BTC", "quote_currency_id": "USD",
        "price_increment": "0.01", "quote_increment": "0.01", "base_increment": "0.00000001", "quote_min_size": "1",
        "base_min_size": "0.00000001", "base_max_size": "3400",
    }  # fmt: skip
    found = coinbase.instrument_of("BTC-USD", {"info": listed, "maker": 0.006, "taker": 0.012})
    assert [
        str(getattr(found, name))
        for name in (
            "price_step", "quantity_step", "min_quantity", "max_quantity", "min_notional", "maker_fee", "taker_fee",
        )
    ] == ["0.01", "1E-8", "1E-8", "3400", "1", "0.006", "0.012"]  # fmt: skip
    with pytest.raises(ValueError, match="FUTURE"):
        coinbase.instrument_of("BTC-USD", {"info": listed | {"product_type": "FUTURE"}})


def test_coinbases_published_candles():
    rows = published("coinbase", "http_candles.json")["candles"]
    bar = coinbase_words.bar_of(rows[0], Timeframe.H1, complete=True)
    assert bar.open_time == datetime(2024, 4, 4, 1, 0, tzinfo=UTC)
    assert [str(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume)] == [
        "66312.4", "66331.99", "66055.14", "66181.6", "355.82896243",
    ]  # fmt: skip

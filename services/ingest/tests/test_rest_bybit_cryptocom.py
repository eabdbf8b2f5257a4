"""The REST of Bybit and Crypto.com against the simulated venues: listings, pages of candles, the newest trades."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.clock import SystemClock, monotonic_s
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_ingest.adapters import bybit, cryptocom
from algotrendy_ingest.adapters.bybit import BybitRest
from algotrendy_ingest.adapters.cryptocom import CryptocomRest
from algotrendy_simulator.testing import running_venue

SPOT = "BTC-USDT"
MINUTE = timedelta(minutes=1)


async def until(holds, patience_s=60.0):
    """Until it is true; fails when patience ends."""
    deadline = monotonic_s() + patience_s
    while not await holds():
        assert monotonic_s() < deadline, "it did not come to pass"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(("adapter", "other"), [(BybitRest, "BTC-USDT-PERP"), (CryptocomRest, "LTC-USDT")])
async def test_a_venues_rest(adapter, other):
    async with running_venue(speed=600, history=120, venue=adapter.venue) as venue:
        rest = adapter(venue.http, (SPOT,), SystemClock(), elsewhere=True)

        async def both_have_traded():
            return min([len(await rest.recent_trades(symbol)) for symbol in (SPOT, other)]) > 5

        try:
            (first,) = await rest.instruments()
            assert (first.venue, first.symbol, first.base, first.quote, first.kind) == (
                adapter.venue, SPOT, "BTC", "USDT", "spot",
            )  # fmt: skip
            assert (first.min_notional > 0, first.price_step > 0, first.quantity_step > 0) == (True, True, True)
            second = await rest.add(other)
            assert (second.symbol, second.contract_size) == (other, Decimal(1))
            assert second.kind == ("perpetual" if other.endswith("-PERP") else "spot")
            assert set(rest.known) == {SPOT, other}
            with pytest.raises(Refused, match="does not list"):
                await rest.add("NONE-USDT")
            await until(both_have_traded)
            await venue.admin("POST", "/admin/pause")
            for symbol in (SPOT, other):
                await its_candles_and_trades_are_right(rest, symbol)
        finally:
            await rest.close()


async def its_candles_and_trades_are_right(rest, symbol):
    newest = await rest.bars(symbol, Timeframe.M1)
    times = [bar.open_time for bar in newest]
    assert len(newest) > 100
    assert times == [times[0] + i * MINUTE for i in range(len(times))]
    assert await rest.bars(symbol, Timeframe.M1, times[10], times[20]) == newest[10:20]
    assert await rest.bars(symbol, Timeframe.M1, times[10]) == newest[10:]
    assert (await rest.bars(symbol, Timeframe.M1, end=times[30]))[-1] == newest[29]
    five = await rest.bars(symbol, Timeframe.M5, times[0])
    inside = [bar for bar in newest if five[1].open_time <= bar.open_time < five[2].open_time]
    assert (five[1].volume, five[1].high) == (sum(bar.volume for bar in inside), max(bar.high for bar in inside))
    trades = await rest.recent_trades(symbol)
    assert [trade.event_time for trade in trades] == sorted(trade.event_time for trade in trades)
    assert len({trade.trade_id for trade in trades}) == len(trades) > 5
    assert trades[-1].price == newest[-1].close


BYBIT_LINEAR = {
    "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "baseCoin": "BTC", "quoteCoin": "USDT",
    "leverageFilter": {"maxLeverage": "100.00"}, "priceFilter": {"tickSize": "0.10"},
    "lotSizeFilter": {"maxOrderQty": "100", "minOrderQty": "0.001", "qtyStep": "0.001", "minNotionalValue": "5"},
}  # fmt: skip
CRYPTOCOM_PERPETUAL = {
    "symbol": "BTCUSD-PERP", "inst_type": "PERPETUAL_SWAP", "base_ccy": "BTC", "quote_ccy": "USD",
    "price_tick_size": "0.5", "qty_tick_size": "0.0001", "max_leverage": "50",
}  # fmt: skip


def market(listed):
    return {"info": listed, "maker": 0.0001, "taker": 0.0006}


def test_a_bybit_listing_field_by_field():
    found = bybit.instrument_of("BTC-USDT-PERP", market(BYBIT_LINEAR))
    assert [str(getattr(found, name)) for name in (
        "price_step", "quantity_step", "min_quantity", "max_quantity", "min_notional", "maker_fee", "taker_fee",
        "max_leverage", "kind", "contract_size",
    )] == ["0.10", "0.001", "0.001", "100", "5", "0.0001", "0.0006", "100.00", "perpetual", "1"]  # fmt: skip


def test_a_contract_settled_in_its_base_is_refused():
    with pytest.raises(ValueError, match="linear"):
        bybit.instrument_of("BTC-USD-PERP", market(BYBIT_LINEAR | {"contractType": "InversePerpetual"}))


def test_a_cryptocom_listing_field_by_field():
    found = cryptocom.instrument_of("BTC-USD-PERP", market(CRYPTOCOM_PERPETUAL), Decimal(1))
    assert [str(getattr(found, name)) for name in (
        "base", "quote", "price_step", "quantity_step", "min_quantity", "min_notional", "max_leverage", "kind",
    )] == ["BTC", "USD", "0.5", "0.0001", "0.0001", "1", "50", "perpetual"]  # fmt: skip
    with pytest.raises(ValueError, match="PERPETUAL_SWAP"):
        cryptocom.instrument_of("BTC-USD", market(CRYPTOCOM_PERPETUAL), Decimal(1))


def test_rows_of_bybits_documentation():
    bar = bybit.bar_of(["1670608800000", "17071", "17073", "17027", "17055.5", "268611", "15.74462667"], Timeframe.H1)
    assert (bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.quote_volume) == (
        datetime(2022, 12, 9, 18, tzinfo=UTC), Decimal(17071), Decimal(17073), Decimal(17027), Decimal("17055.5"),
        Decimal(268611), Decimal("15.74462667"),
    )  # fmt: skip

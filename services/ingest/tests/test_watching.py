"""Symbols followed and left while the service runs, on real servers and the simulated venue."""

from datetime import timedelta
from itertools import pairwise

from algotrendy_common.rpc import ingest as rpc
from algotrendy_common.rpc.call import Nothing

BTC, LTC = "BTC-USDT", "LTC-USDT"


def named(symbol, venue="binance"):
    return rpc.MarketNamed(venue=venue, symbol=symbol)


async def test_a_symbol_is_followed_and_left_and_the_others_never_notice(ingest, heard, venue, quest, caller, until):
    async with ingest(symbols=(BTC,)):
        await until(lambda: len(heard.trades(BTC)) >= 20)
        assert await caller(rpc.FOLLOW, named("DOGE-USDT")) == "unknown_instrument"
        assert await caller(rpc.FOLLOW, named("DOGE")) == "unknown_instrument"
        assert await caller(rpc.FOLLOW, named(LTC, "okx")) == "unknown_venue"
        assert await caller(rpc.UNFOLLOW, named(LTC)) == "not_followed"
        assert heard.trades(LTC) == []

        assert (await caller(rpc.FOLLOW, named(LTC))).symbols == (BTC, LTC)
        assert (await caller(rpc.FOLLOW, named(LTC))).symbols == (BTC, LTC)
        assert {row.symbol for row in (await caller(rpc.INSTRUMENTS, Nothing())).instruments} == {BTC, LTC}
        await until(lambda: len(heard.closed_bars(LTC)) >= 2)
        bars = heard.closed_bars(LTC)
        assert all(later.open_time - earlier.open_time == timedelta(minutes=1) for earlier, later in pairwise(bars))
        candles = await caller(rpc.CANDLES, rpc.CandlesAsked(venue="binance", symbol=LTC, timeframe="1m", limit=50))
        assert len(candles.candles) == 50
        status = await venue.admin("GET", "/admin/status")
        assert status["sockets"]["market"] == 3, "the new symbol took sockets of its own"

        assert (await caller(rpc.UNFOLLOW, named(LTC))).symbols == (BTC,)
        assert {row.symbol for row in (await caller(rpc.INSTRUMENTS, Nothing())).instruments} == {BTC}
        told, at = len(heard.trades(LTC)), len(heard.trades(BTC))

        async def is_left():
            return all(name.startswith("btc") for name in (await venue.admin("GET", "/admin/status"))["streams"])

        await until(is_left)
        await until(lambda: len(heard.trades(BTC)) >= at + 40)
        # What was on its way when it was left may still have come.
        assert len(heard.trades(LTC)) <= told + 20
    numbers = [int(trade.trade_id) for trade in heard.trades(BTC)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert heard.health().reconnects == 0

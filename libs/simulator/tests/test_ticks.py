from decimal import Decimal

import pytest
from algotrendy_simulator.listings import PACKAGED, Listing, read_listings
from algotrendy_simulator.ticks import MINUTE_MS, Candle, Tick, ticks_of_candle
from hypothesis import given
from hypothesis import strategies as st

CENT = Decimal("0.01")
LOT = Decimal("0.001")


def assert_makes(candle: Candle, ticks: list[Tick]) -> None:
    prices = [tick.price for tick in ticks]
    assert (prices[0], max(prices), min(prices), prices[-1]) == (candle.open, candle.high, candle.low, candle.close)
    assert sum(tick.quantity for tick in ticks) == candle.volume
    offsets = [tick.offset_ms for tick in ticks]
    assert offsets == sorted(set(offsets))
    assert 0 <= offsets[0] <= offsets[-1] < MINUTE_MS


@st.composite
def candles(draw: st.DrawFn) -> Candle:
    low, high = sorted((draw(st.integers(1, 2000)), draw(st.integers(1, 2000))))
    opened, closed = draw(st.integers(low, high)), draw(st.integers(low, high))
    volume = draw(st.integers(4, 10**7))
    return Candle(*(Decimal(price) * CENT for price in (opened, high, low, closed)), Decimal(volume) * LOT)


@given(candles(), st.text(max_size=8), st.integers(4, 60))
def test_the_ticks_make_the_candle_exactly(candle: Candle, seed: str, most: int) -> None:
    ticks = list(ticks_of_candle(candle, seed, CENT, LOT, most))
    assert_makes(candle, ticks)
    assert len(ticks) <= most
    assert all(tick.price % CENT == 0 and tick.quantity % LOT == 0 and tick.quantity > 0 for tick in ticks)
    assert list(ticks_of_candle(candle, seed, CENT, LOT, most)) == ticks


@pytest.mark.parametrize("listing", read_listings(PACKAGED), ids=lambda listing: listing.wire_symbol)
def test_every_packaged_candle_is_made_exactly(listing: Listing) -> None:
    recording = listing.read(PACKAGED, 20)
    played = 0
    for minute in range(recording.minutes):
        candle = recording.candle(minute)
        ticks = list(recording.ticks(minute, f"7:{minute}"))
        if candle is None:
            assert not ticks
        else:
            assert_makes(candle, ticks)
            played += 1
    assert played == {"BTCUSDT": 1440, "LTCUSDT": 3887}[listing.wire_symbol]


def test_a_minute_without_volume_has_no_trades() -> None:
    price = Decimal(10)
    assert ticks_of_candle(Candle(price, price, price, price, Decimal(0)), "s", CENT, LOT, 20) == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("10", "9", "8", "9", "1"), "outside its range"),
        (("10.001", "11", "9", "10", "1"), "no multiple"),
        (("10", "11", "9", "10", "0.003"), "too few lots"),
    ],
)
def test_a_candle_that_cannot_be_made_is_refused(values: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ticks_of_candle(Candle(*map(Decimal, values)), "s", CENT, LOT, 20)

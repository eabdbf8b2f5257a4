from datetime import UTC, datetime, timedelta

import pytest
from algotrendy_common.enums import FeedState
from algotrendy_ingest.domain.health import FeedHealth
from algotrendy_ingest.domain.ticks import Stream

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def health() -> FeedHealth:
    return FeedHealth(("BTC-USDT", "LTC-USDT"), timedelta(seconds=3), timedelta(seconds=10))


def read(health: FeedHealth, after_s: float = 0):
    return health.reading(NOW + timedelta(seconds=after_s), after_s)


def test_a_feed_never_heard_is_connecting_and_all_its_symbols_stale(health):
    assert (read(health).state, read(health).stale_symbols) == (FeedState.CONNECTING, ("BTC-USDT", "LTC-USDT"))


@pytest.mark.parametrize(
    ("silence_s", "state"),
    [(0, FeedState.LIVE), (3, FeedState.LIVE), (3.1, FeedState.QUIET), (10, FeedState.QUIET), (10.1, FeedState.STALE)],
)
def test_silence_decides(health, silence_s, state):
    for symbol in ("BTC-USDT", "LTC-USDT"):
        health.heard(Stream.QUOTES, symbol, NOW)
    assert read(health, silence_s).state is state
    assert bool(read(health, silence_s).stale_symbols) is (state is FeedState.STALE)


def test_one_silent_symbol_is_named_while_the_other_lives(health):
    health.heard(Stream.TRADES, "LTC-USDT", NOW)
    health.heard(Stream.TRADES, "BTC-USDT", NOW + timedelta(seconds=11))
    reading = read(health, 12)
    assert (reading.state, reading.stale_symbols) == (FeedState.LIVE, ("LTC-USDT",))


def test_a_lost_stream_is_down_until_it_is_heard_again_and_counts_as_reconnect(health):
    health.heard(Stream.TRADES, "BTC-USDT", NOW)
    health.heard(Stream.QUOTES, "BTC-USDT", NOW)
    health.lost(Stream.TRADES)
    health.heard(Stream.QUOTES, "BTC-USDT", NOW)
    assert (read(health).state, read(health).reconnects) == (FeedState.DOWN, 0)
    health.heard(Stream.TRADES, "BTC-USDT", NOW)
    assert (read(health).state, read(health).reconnects) == (FeedState.LIVE, 1)


def test_without_books_prices_are_still_live(health):
    health.heard(Stream.QUOTES, "BTC-USDT", NOW)
    health.lost(Stream.BOOKS)
    assert read(health).state is FeedState.LIVE


def test_latency_is_the_median_of_the_last_minute(health):
    for at_s, took_s in ((0, 9.0), (30, 0.001), (31, 0.002), (32, 0.009)):
        health.published(at_s, took_s)
    assert read(health, 61).latency_ms == 2.0
    assert read(health, 200).latency_ms is None


def test_a_reading_differs_by_what_people_act_on_and_not_by_age(health):
    health.heard(Stream.QUOTES, "BTC-USDT", NOW)
    first = read(health)
    health.heard(Stream.QUOTES, "BTC-USDT", NOW + timedelta(seconds=1))
    assert not read(health, 1).differs(first)
    health.gaps += 1
    assert read(health, 1).differs(first)
    assert first.differs(None)


def test_sockets_are_lost_and_found_one_by_one(health):
    for symbol in ("BTC-USDT", "LTC-USDT"):
        health.lost(Stream.TRADES, frozenset({symbol}))
    health.heard(Stream.TRADES, "BTC-USDT", NOW)
    assert (read(health).state, read(health).reconnects) == (FeedState.DOWN, 1)
    health.heard(Stream.TRADES, "LTC-USDT", NOW)
    assert (read(health).state, read(health).reconnects) == (FeedState.LIVE, 2)


def test_the_watermark_stands_where_trades_may_be_missing_and_moves_on_when_they_are_had(health):
    def minutes(count):
        return NOW + timedelta(minutes=count)

    assert read(health).watermark is None
    health.traded("BTC-USDT", minutes(1))
    health.traded("LTC-USDT", minutes(2))
    assert read(health).watermark == minutes(2)
    health.lost(Stream.TRADES)
    health.traded("LTC-USDT", minutes(5))
    assert read(health).watermark == minutes(1)
    assert health.doubted_since("LTC-USDT") == minutes(2)
    health.settle("BTC-USDT")
    assert read(health).watermark == minutes(2)
    health.settle("LTC-USDT")
    assert read(health).watermark == minutes(5)


def test_a_symbol_that_is_left_holds_nothing_back(health):
    health.traded("LTC-USDT", NOW)
    health.heard(Stream.TRADES, "BTC-USDT", NOW)
    health.lost(Stream.TRADES, frozenset({"LTC-USDT"}))
    health.remove("LTC-USDT")
    health.traded("BTC-USDT", NOW + timedelta(minutes=1))
    assert (read(health).state, read(health).stale_symbols) == (FeedState.LIVE, ())
    assert read(health).watermark == NOW + timedelta(minutes=1)


def test_how_late_a_venue_is_is_the_median_of_the_last_minute(health):
    for at_s, lag_s in ((0, 9.0), (30, 0.1), (31, 0.2), (32, 0.9)):
        health.lagged(at_s, lag_s)
    assert read(health, 61).lag_ms == 200.0

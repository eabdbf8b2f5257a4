from pathlib import Path

import pytest
from algotrendy_simulator.replay_clock import ReplayClock
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.simulation import Simulation, build_simulation
from algotrendy_simulator.ticks import MINUTE_MS

RECORDINGS = Path(__file__).parent / "recordings"


def still(seed: int = 7, history: int = 30, data: Path | None = None) -> Simulation:
    settings = SimulatorSettings(seed=seed, paused=True, history=history)
    return build_simulation(settings if data is None else settings.model_copy(update={"data": data}))


def hashes(simulation: Simulation) -> list[str]:
    return [track.tape_hash for track in simulation.replay.tracks]


def test_the_same_seed_plays_the_same_tape_and_another_seed_another() -> None:
    first, second, other = still(), still(), still(seed=8)
    for simulation in (first, second, other):
        simulation.replay.play_minutes(5)
    assert hashes(first) == hashes(second)
    assert [list(market.tape) for market in first.exchange.markets.values()] == [
        list(market.tape) for market in second.exchange.markets.values()
    ]
    assert not set(hashes(first)) & set(hashes(other))


@pytest.mark.parametrize("history", [5, 1438])
def test_played_minutes_are_the_recorded_candles_over_the_end_of_the_recording_too(history: int) -> None:
    simulation = still(history=history)
    replay = simulation.replay
    replay.play_minutes(4)
    assert replay.minute == history + 4
    for track in replay.tracks:
        for minute in range(history, history + 4):
            recorded = track.recording.candle(minute % track.recording.minutes)
            open_ms = replay.start_ms + minute * MINUTE_MS
            (played,) = track.market.candles.minutes(open_ms, open_ms + 1)
            if recorded is None:
                assert not played.trades
                continue
            assert (played.open, played.high, played.low, played.close, played.volume) == (
                recorded.open,
                recorded.high,
                recorded.low,
                recorded.close,
                recorded.volume,
            )
    times = [trade.time_ms for trade in replay.tracks[0].market.tape]
    assert times == sorted(times)
    assert replay.tracks[0].loops(replay.minute) == (1 if history == 1438 else 0)


def test_a_gap_of_the_recording_has_no_trades_and_flat_candles() -> None:
    simulation = still()
    track = simulation.replay.tracks[1]
    gap = next(minute for minute in range(track.recording.minutes) if track.recording.candle(minute) is None)
    simulation = still(history=gap)
    track = simulation.replay.tracks[1]
    simulation.replay.play_minutes(1)
    open_ms = simulation.replay.start_ms + gap * MINUTE_MS
    (candle,) = track.market.candles.minutes(open_ms, open_ms + 1)
    assert (candle.trades, candle.volume, candle.high) == (0, 0, candle.low)
    assert not track.market.tape


def test_all_recordings_share_the_first_ones_clock() -> None:
    btc, ltc = still().replay.tracks
    assert btc.shift_ms == 0
    assert ltc.recording.start_ms + ltc.shift_ms == btc.recording.start_ms


def test_recorded_trades_are_played_as_they_were() -> None:
    simulation = still(history=1, data=RECORDINGS)
    (track,) = simulation.replay.tracks
    recorded = track.recording.ticks(0, "")
    assert not track.recording.made_ticks
    assert len(recorded) == 799
    simulation.replay.play_minutes(1)
    (candle,) = track.market.candles.minutes(simulation.replay.start_ms + MINUTE_MS, 2**60)[:1]
    assert candle.volume == sum(tick.quantity for tick in recorded)
    assert (candle.open, candle.close) == (recorded[0].price, recorded[-1].price)
    assert track.market.tape[-1].time_ms - simulation.replay.start_ms - MINUTE_MS == recorded[-1].offset_ms


def test_users_trade_at_a_time_that_keeps_the_tape_going_forward() -> None:
    replay = still().replay
    replay.clock.advance_to(replay.next_time_ms() + 5_000)
    assert replay.order_time_ms() == replay.next_time_ms()


def test_the_clock_runs_at_its_speed_stands_still_and_never_goes_back() -> None:
    now_s = [100.0]
    clock = ReplayClock(1_000, 60.0, False, lambda: now_s[0])
    now_s[0] += 0.5
    assert clock.now_ms() == 31_000
    assert clock.seconds_until(61_000) == pytest.approx(0.5)
    clock.set_speed(1)
    now_s[0] += 1
    assert clock.now_ms() == 32_000
    clock.pause()
    now_s[0] += 10
    assert clock.now_ms() == 32_000
    assert clock.seconds_until(33_000) is None
    clock.advance_to(40_000)
    clock.advance_to(35_000)
    assert clock.now_ms() == 40_000
    clock.resume()
    now_s[0] += 1
    assert clock.now_ms() == 41_000
    with pytest.raises(ValueError, match="above zero"):
        clock.set_speed(0)

"""Trips, tracks and curves, without a server."""

from datetime import timedelta
from decimal import Decimal

import pytest
from algotrendy_common.enums import Liquidity, Side
from algotrendy_core.fills import Fill
from algotrendy_risk.domain.portfolio import Tracks, Trade
from algotrendy_risk.domain.results import MOST_POINTS, Point, statistics, summed, thinned


@pytest.fixture
def tracks() -> Tracks:
    return Tracks()


def trade(making, tracks, side, quantity, price, fee="0", currency="USDT", strategy="a", symbol="BTC-USDT") -> None:
    fill = Fill(
        "t", "v", "binance", symbol, Side(side), Decimal(price), Decimal(quantity), Decimal(fee), currency,
        Liquidity.TAKER, making.NOW,
    )  # fmt: skip
    tracks.take(Trade("paper-1", strategy, fill), "USDT")


def test_a_trip_runs_from_flat_to_flat_and_its_profit_is_after_fees(making, tracks):
    trade(making, tracks, "buy", "1", "100", fee="1")
    trade(making, tracks, "buy", "1", "120", fee="1")
    assert tracks.by_scope[("paper-1", "a")].profits == []
    trade(making, tracks, "sell", "2", "130", fee="2")
    track = tracks.by_scope[("paper-1", "a")]
    assert track.profits == [Decimal(36)]
    assert (track.realised, track.fees, track.unrealised(lambda *key: None)) == (Decimal(36), Decimal(4), Decimal(0))


def test_turning_round_ends_one_trip_and_begins_another(making, tracks):
    trade(making, tracks, "buy", "1", "100")
    trade(making, tracks, "sell", "3", "110")
    trade(making, tracks, "buy", "2", "120")
    assert tracks.by_scope[("paper-1", "a")].profits == [Decimal(10), Decimal(-20)]


def test_a_rest_that_nobody_can_sell_does_not_keep_a_trip_open(making, tracks):
    trade(making, tracks, "buy", "1", "100", fee="0.00105", currency="BTC")
    trade(making, tracks, "sell", "0.998", "110")
    assert len(tracks.by_scope[("paper-1", "a")].profits) == 1


def test_a_strategy_has_its_own_track_and_the_account_has_all(making, tracks):
    trade(making, tracks, "buy", "1", "100", strategy="a")
    trade(making, tracks, "sell", "1", "110", strategy="b")
    assert tracks.by_scope[("paper-1", "a")].profits == []
    assert tracks.by_scope[("paper-1", None)].profits == [Decimal(10)]
    assert tracks.by_scope[("paper-1", "b")].positions[("binance", "BTC-USDT")].quantity == -1
    assert tracks.strategies("paper-1") == ["a", "b"]
    trade(making, tracks, "buy", "1", "100", strategy=None)
    assert tracks.strategies("paper-1") == ["a", "b"]


def test_an_open_position_without_a_mark_has_no_result(making, tracks):
    trade(making, tracks, "buy", "1", "100")
    track = tracks.by_scope[("paper-1", "a")]
    assert track.unrealised(lambda *key: None) is None
    assert track.unrealised(lambda *key: Decimal(105)) == 5


def point(making, minute: int, equity: str, flows: str = "0") -> Point:
    return Point(making.NOW + timedelta(minutes=minute), Decimal(equity), Decimal(flows))


def test_a_deposit_is_no_profit(making):
    found = statistics([point(making, 0, "100"), point(making, 1, "600", "500"), point(making, 2, "590", "500")], [])
    assert found.total_return == pytest.approx(-0.1)
    assert found.max_drawdown == pytest.approx(0.1)


def test_accounts_are_summed_and_one_that_starts_later_brings_money_not_profit(making):
    first = [point(making, 0, "100"), point(making, 2, "110")]
    second = [point(making, 1, "1000"), point(making, 3, "1010")]
    whole = summed([first, [], second])
    assert [(row.equity, row.equity - row.flows) for row in whole] == [
        (100, 100), (1100, 100), (1110, 110), (1120, 120),
    ]  # fmt: skip
    assert statistics(whole, [Decimal(1)]).total_return == pytest.approx(0.2)


def test_a_long_curve_is_thinned_and_keeps_its_newest_point(making):
    curve = [point(making, number, str(number + 1)) for number in range(1_234)]
    kept = thinned(curve)
    assert len(kept) <= MOST_POINTS
    assert kept[-1].equity == 1_234
    assert list(kept) == sorted(kept, key=lambda row: row.time)
    assert thinned([]) == ()

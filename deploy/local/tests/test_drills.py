"""Drills: what they compare and how they answer. ``tests/faults`` runs their parts on a stack."""

import subprocess
from decimal import Decimal

import pytest
from algotrendy_local.drills import books
from algotrendy_local.drills.books import Differences
from algotrendy_local.drills.exercises import DRILLS
from algotrendy_local.drills.verdict import Verdict
from algotrendy_local.home import Home
from algotrendy_local.testing import Command

OURS = {"order_id": "a", "client_order_id": "c", "venue_order_id": "7", "symbol": "BTC-USDT", "status": "filled"}
THEIRS = {"clientOrderId": "c", "symbol": "BTCUSDT", "orderId": 7, "status": "FILLED"}


def orders(ours, theirs):
    found = Differences()
    books._orders(ours, theirs, found)
    return found


def test_equal_orders_do_not_differ():
    assert orders([OURS], [THEIRS]).none


def test_a_second_order_of_one_client_id_is_a_duplicate():
    found = orders([OURS], [THEIRS, THEIRS | {"orderId": 8}])
    assert found.duplicates == 1
    assert found.orphan_orders == 1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([], [THEIRS]),
        ([OURS], []),
        ([OURS | {"status": "open"}], [THEIRS]),
        ([OURS | {"status": "cancelled"}], [THEIRS | {"status": "NEW"}]),
    ],
)
def test_an_order_that_only_one_side_has_or_thinks_working_is_an_orphan(ours, theirs):
    found = orders(ours, theirs)
    assert found.orphan_orders == 1
    assert not found.none


def test_an_order_that_never_reached_the_venue_is_none():
    assert orders([OURS | {"venue_order_id": None, "status": "lost"}], []).none


def test_fills_are_compared_by_symbol_and_trade():
    found = Differences()
    books._fills(
        [{"symbol": "BTC-USDT", "trade_id": "1"}, {"symbol": "LTC-USDT", "trade_id": "2"}],
        [{"symbol": "BTCUSDT", "id": 1}, {"symbol": "BTCUSDT", "id": 2}],
        found,
    )
    assert (found.lost_fills, found.invented_fills) == (1, 1)


def test_a_position_is_what_the_venue_holds_beyond_what_was_brought():
    found = Differences()
    books._positions(
        [{"symbol": "BTC-USDT", "quantity": Decimal("0.3")}],
        [{"asset": "BTC", "quantity": Decimal(1)}],
        {"BTC": {"total": "1.25"}},
        found,
    )
    assert found.position_difference == Decimal("0.05")


def test_a_verdict_passes_only_where_every_promise_held():
    verdict = Verdict()
    verdict.promise(True, "not said")
    assert verdict.passed
    verdict.books(Differences(lost_fills=1, detail=["fill 1 is only at the venue"]))
    assert not verdict.passed
    assert verdict.figures["lost_fills"] == 1
    assert verdict.broken == ["fill 1 is only at the venue"]


def test_the_six_drills_are_there():
    assert set(DRILLS) == {"restart", "disconnect", "lost-answer", "partial-fill", "stale-feed", "kill-switch"}


def test_a_drill_that_does_not_exist_is_said_in_one_line(tmp_path):
    words = Command(Home(tmp_path)).line("drill", "earthquake")[:-2]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "there is no drill earthquake" in ended.stderr
    assert "kill-switch" in ended.stderr

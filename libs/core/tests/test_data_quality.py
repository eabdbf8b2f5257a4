"""Real faults and their mended twins, and made-up ones that a recorded history does not have."""

from pathlib import Path

import numpy as np
import pytest
from algotrendy_common.errors import Refused
from algotrendy_core.data_quality.examination import Examination, examine
from algotrendy_core.data_quality.findings import Fault
from algotrendy_core.data_quality.history import PriceHistory, history_of
from algotrendy_core.data_quality.reading import read_history
from algotrendy_core.data_quality.rows import sift
from algotrendy_core.data_quality.scale import Keep
from hypothesis import given
from hypothesis import strategies as st

PAYLOADS = Path(__file__).parent / "payloads" / "data_quality"
DAY = 86_400_000
START = 1_660_521_600_000
PAIRS = {
    "AET-L-1d-100x-error": {Fault.UNIT},
    "SSW-JO-1d-100x-error": {Fault.UNIT},
    "ASAI-L-1h-bad-unit": {Fault.UNIT},
    "ALPHA-PA-1d-bad-stock-split": {Fault.SPLIT},
    "CNE-L-1d-bad-stock-split": {Fault.SPLIT},
    "DEX-AX-1d-bad-stock-split": {Fault.SPLIT},
    "LA-V-1d-bad-stock-split": {Fault.SPLIT},
    "SPM-MI-1d-bad-stock-split": {Fault.SPLIT},
    "8TRA-DE-1d-missing-div-adjust": {Fault.DIVIDEND_ADJUSTMENT},
    "KAP-IL-1d-bad-div": {Fault.DIVIDEND_REPEATED, Fault.DIVIDEND_ADJUSTMENT},
    "KME-MI-1d-bad-div": {Fault.DIVIDEND_UNIT, Fault.DIVIDEND_ADJUSTMENT},
}
COLUMNS = ("open", "high", "low", "close", "volume", "adjusted", "dividends")


def recorded(name: str) -> PriceHistory:
    return read_history(PAYLOADS / f"{name}.csv").history


@pytest.mark.parametrize(("name", "faults"), PAIRS.items())
def test_a_real_fault_is_found_and_mended_as_its_twin_is(name: str, faults: set[Fault]) -> None:
    # Pence or pounds is for the caller to say; the twin of this one is in pence, the newest rows are not.
    keep = Keep.LARGER if name.startswith("AET") else Keep.NEWEST
    found = examine(recorded(name), keep)
    assert set(found.counts) - {Fault.RANGE} == faults
    assert not found.set_aside
    twin = sift(recorded(f"{name}-fixed")).history
    assert (found.mended.time == twin.time).all()
    for column in COLUMNS:
        np.testing.assert_allclose(
            getattr(found.mended, column), getattr(twin, column), rtol=5e-3, atol=1e-9, err_msg=column
        )


@pytest.mark.parametrize(
    "name",
    [*(f"{name}-fixed" for name in PAIRS), "HSBK-IL-1d-no-bad-divs", "EA-15m-no-bad-divs"],
)
def test_what_is_right_raises_no_alarm(name: str) -> None:
    """Prices out of their own row's range are in the mended files too; that is a fact, not an alarm."""
    assert set(examine(recorded(name)).counts) <= {Fault.RANGE}


def walk(count: int = 40, price: float = 100.0, seed: int = 1) -> PriceHistory:
    random = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    open_ = np.concatenate(([price], close[:-1]))
    rows = np.column_stack((open_, np.maximum(open_, close) * 1.001, np.minimum(open_, close) * 0.999, close))
    return history_of([START + DAY * index for index in range(count)], rows.tolist(), [1.0] * count)


def with_cell(history: PriceHistory, index: int, column: int, value: float) -> PriceHistory:
    prices = history.prices.copy()
    prices[index, column] = value
    return history.with_prices(prices)


def only(found: Examination) -> Fault:
    [finding] = found.findings
    return finding.fault


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_a_price_that_none_can_be_is_set_aside(value: float) -> None:
    found = examine(with_cell(walk(), 7, 2, value))
    assert only(found) is Fault.NOT_POSITIVE
    assert list(found.set_aside) == [9]
    assert len(found.mended) == 39


def test_a_cell_that_is_no_number_is_set_aside() -> None:
    found = examine(with_cell(walk(), 3, 3, float("nan")))
    assert (only(found), list(found.set_aside)) == (Fault.UNREADABLE, [5])


def test_a_lone_spike_is_set_aside_and_a_crash_is_not() -> None:
    found = examine(with_cell(walk(), 20, 1, 400.0))
    assert (only(found), list(found.set_aside)) == (Fault.SPIKE, [22])
    crashed = walk()
    prices = crashed.prices
    prices[20:] *= 0.4
    assert not examine(crashed.with_prices(prices)).findings


def test_a_jump_that_nothing_explains_is_told_and_left() -> None:
    history = walk()
    prices = history.prices
    prices[20:] *= 30
    found = examine(history.with_prices(prices))
    assert (only(found), found.findings[0].row) == (Fault.JUMP, 22)
    assert (found.mended.prices == prices).all()


def test_times_out_of_order_are_put_in_order_and_repetitions_set_aside() -> None:
    history = walk(10)
    order = np.array([0, 1, 3, 2, 4, 4, 5, 6, 7, 8, 9])
    muddled = history.only(order.astype(np.intp))
    muddled = PriceHistory(muddled.time, *muddled.prices.T, muddled.volume, np.arange(2, 13))
    found = examine(muddled)
    assert found.counts == {Fault.TIME_BACK: 1, Fault.DUPLICATE: 1}
    assert (found.mended.close == history.close).all()
    contradicting = examine(with_cell(muddled, 5, 3, muddled.close[5] * 1.0005))
    assert Fault.CONTRADICTION in contradicting.counts


def test_a_hole_is_told_where_the_market_never_closes_and_a_weekend_is_none() -> None:
    history = walk(40)
    holed = examine(history.only(np.delete(np.arange(40), [10, 11]).astype(np.intp)))
    assert [(finding.fault, finding.count) for finding in holed.findings] == [(Fault.GAP, 2)]
    weekdays = history.only(((history.time // DAY + 3) % 7 < 5).astype(bool))
    assert not examine(weekdays).findings


@given(st.integers(0, 2**31), st.sampled_from([0.01, 100.0]), st.integers(1, 38))
def test_a_stretch_in_another_unit_is_brought_to_the_newest_rows(seed: int, factor: float, until: int) -> None:
    history = walk(seed=seed)
    prices = history.prices
    prices[:until] *= factor
    found = examine(history.with_prices(prices))
    assert found.counts == {Fault.UNIT: 1}
    np.testing.assert_allclose(found.mended.prices, history.prices, rtol=1e-9)


@given(st.integers(0, 2**31))
def test_a_quiet_market_raises_no_alarm(seed: int) -> None:
    assert not examine(walk(200, seed=seed)).findings


def test_a_file_without_prices_or_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("time,open,close\n1660521600000,1,2\n")
    with pytest.raises(Refused, match="no column of high, low"):
        read_history(path)
    path.write_text("time,open,high,low,close\n")
    with pytest.raises(Refused, match="no rows"):
        read_history(path)


def test_rows_without_a_time_keep_their_text(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("Date,Open,High,Low,Close\n2022-08-15,1,1,1,1\nyesterday,1,1,1,1\n")
    read = read_history(path)
    assert list(read.unread) == [3]
    assert read.lines[3] == "yesterday,1,1,1,1"
    assert len(read.history) == 1

"""The book that venues' messages build, beside a plain dictionary that is sorted anew each time."""

from decimal import Decimal

import pytest
from algotrendy_ingest.wire.book import Book, Side
from hypothesis import given, settings
from hypothesis import strategies as st

CENTS = st.integers(1, 3000)
PRICES = CENTS.map(lambda cents: f"{cents // 100}.{cents % 100:02d}") | CENTS.map(lambda cents: f"{cents / 100}")
SIZES = st.integers(1, 10**10).map(lambda units: f"{units // 10**8}.{units % 10**8:08d}")
ROWS = st.lists(st.tuples(PRICES, st.just("0") | st.just("0.00000000") | SIZES), max_size=8)
CHANGES = st.lists(ROWS, max_size=12)
unhurried = settings(deadline=None, max_examples=60)


def best_first(model: dict[Decimal, tuple[str, str]], sign: int) -> list[tuple[str, str]]:
    return [model[price] for price in sorted(model, key=lambda price: price * sign)]


def change(model: dict[Decimal, tuple[str, str]], rows: list[tuple[str, str]]) -> None:
    for price, quantity in rows:
        model.pop(Decimal(price), None)
        if Decimal(quantity):
            model[Decimal(price)] = price, quantity


@unhurried
@given(st.sampled_from([-1, 1]), CHANGES, ROWS, st.integers(1, 12))
def test_a_side_is_what_a_sorted_dictionary_is(sign, changes, snapshot, depth):
    side, model = Side(sign), {}
    for rows in (*changes, None, *changes):
        if rows is None:
            model.clear()
            change(model, snapshot)
            side.reset(snapshot)
        else:
            change(model, rows)
            side.apply(rows)
            for price in sorted(model, key=lambda price: price * sign)[depth:]:
                del model[price]
            side.cut(depth)
        levels = best_first(model, sign)
        assert side.best() == levels
        assert (side.best(3), len(side)) == (levels[:3], len(levels))
        assert side.top == (float(levels[0][0]) if levels else None)


@unhurried
@given(ROWS, ROWS)
def test_a_book_is_crossed_when_its_best_bid_is_no_lower_than_its_best_ask(bids, asks):
    book, of_bids, of_asks = Book(), {}, {}
    for model, side, rows in ((of_bids, book.bids, bids), (of_asks, book.asks, asks)):
        change(model, rows)
        side.apply(rows)
    assert book.crossed == (bool(of_bids and of_asks) and max(of_bids) >= min(of_asks))
    book.lose()
    assert (book.bids.best(), book.asks.best(), book.crossed, book.ready) == ([], [], False, False)


@unhurried
@given(st.lists(st.tuples(PRICES, SIZES), unique_by=lambda row: Decimal(row[0])))
def test_digits_stay_as_they_were_written(rows):
    side = Side(1)
    side.apply(rows)
    assert sorted(side.best()) == sorted(rows)


@pytest.mark.parametrize(
    "row", [("0", "1"), ("-1", "1"), ("1", "-1"), ("nan", "1"), ("1", "inf"), ("x", "1"), ("1", "")]
)
def test_what_is_no_level_is_refused(row):
    with pytest.raises(ValueError):
        Side(1).set(*row)


def test_prices_that_one_float_cannot_tell_apart_are_refused():
    side = Side(1)
    side.set("0.1000000000000000001", "1")
    with pytest.raises(ValueError, match="told apart"):
        side.set("0.1000000000000000002", "1")

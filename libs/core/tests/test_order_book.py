from decimal import Decimal

import pytest
from algotrendy_common.enums import Side
from algotrendy_core.order_book import OrderBook, RestingOrder
from hypothesis import given
from hypothesis import strategies as st


def order(order_id: str, side: Side, price: int, quantity: int = 1) -> RestingOrder:
    return RestingOrder(order_id, "account", side, Decimal(price), Decimal(quantity))


def test_best_price_first_and_at_one_price_the_earliest() -> None:
    book = OrderBook()
    for order_id, price in (("a", 10), ("b", 12), ("c", 11), ("d", 12)):
        book.add(order(order_id, Side.BUY, price))
        book.add(order(order_id.upper(), Side.SELL, price + 10))
    assert [resting.order_id for resting in book.orders(Side.BUY)] == ["b", "d", "c", "a"]
    assert [resting.order_id for resting in book.orders(Side.SELL)] == ["A", "C", "B", "D"]
    assert book.levels(Side.BUY, 2) == [(Decimal(12), Decimal(2)), (Decimal(11), Decimal(1))]
    assert (book.best(Side.BUY), book.best(Side.SELL)) == (Decimal(12), Decimal(20))


def test_a_reduced_order_keeps_its_place_and_a_readded_one_loses_it() -> None:
    book = OrderBook()
    book.add(order("early", Side.SELL, 10, 5))
    book.add(order("late", Side.SELL, 10, 5))
    book.reduce("early", Decimal(4))
    first = book.first(Side.SELL)
    assert first is not None
    assert first.order_id == "early"
    removed = book.remove("early")
    assert removed is not None
    assert removed.remaining == 1
    book.add(removed)
    assert [resting.order_id for resting in book.orders(Side.SELL)] == ["late", "early"]


def test_what_cannot_be_is_refused() -> None:
    book = OrderBook()
    book.add(order("a", Side.BUY, 10))
    with pytest.raises(ValueError, match="rests already"):
        book.add(order("a", Side.BUY, 11))
    with pytest.raises(ValueError, match="nothing to rest"):
        book.add(order("b", Side.BUY, 11, 0))
    with pytest.raises(ValueError, match="cannot take 2 off 1"):
        book.reduce("a", Decimal(2))
    with pytest.raises(KeyError):
        book.reduce("unknown", Decimal(1))
    assert book.remove("unknown") is None


operations = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(1, 8), st.integers(1, 5), st.booleans()), max_size=60
)


@given(operations)
def test_levels_are_the_sums_of_their_orders_and_every_change_is_counted(
    steps: list[tuple[Side, int, int, bool]],
) -> None:
    book = OrderBook()
    resting: dict[str, RestingOrder] = {}
    for number, (side, price, quantity, removes) in enumerate(steps):
        if removes and resting:
            order_id = sorted(resting)[quantity % len(resting)]
            assert book.remove(order_id) is resting.pop(order_id)
        else:
            added = order(f"{number:03}", side, price, quantity)
            resting[added.order_id] = added
            book.add(added)
        assert book.sequence == number + 1
        assert len(book) == len(resting)
        for which in Side:
            expected: dict[Decimal, Decimal] = {}
            for entry in resting.values():
                if entry.side is which:
                    expected[entry.price] = expected.get(entry.price, Decimal(0)) + entry.remaining
            best_first = sorted(expected.items(), reverse=which is Side.BUY)
            assert book.levels(which) == best_first
            assert book.best(which) == (best_first[0][0] if best_first else None)

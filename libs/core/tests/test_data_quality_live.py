from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from algotrendy_core.data_quality.ticks import TickScreen
from algotrendy_core.data_quality.venues import Price, disagreements
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2022, 12, 13, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Tick:
    number: int
    price: Decimal


def judged(*prices: str | int) -> tuple[list[int], list[int], list[int]]:
    """Numbers of the ticks passed on, set aside, and given back."""
    screen: TickScreen[Tick] = TickScreen()
    passed, aside, restored = [], [], []
    for number, price in enumerate(prices):
        verdict = screen.judge(Tick(number, Decimal(price)))
        passed += [tick.number for tick in verdict.passed]
        restored += [tick.number for tick in verdict.restored]
        if verdict.set_aside is not None:
            aside.append(verdict.set_aside.number)
    return passed, aside, restored


def test_a_slip_is_set_aside_and_the_market_goes_on() -> None:
    assert judged(100, 101, 1, 100, "99.5") == ([0, 1, 3, 4], [2], [])
    assert judged(100, 101, 10_000, 100, 9_900, 100) == ([0, 1, 3, 5], [2, 4], [])


def test_a_crash_that_others_confirm_is_given_back_in_order() -> None:
    assert judged(100, 101, 70, 69, 71, 70) == ([0, 1, 2, 3, 4, 5], [2, 3], [2, 3])


def test_slips_that_do_not_agree_confirm_nothing() -> None:
    assert judged(100, 100, 1, 10_000, 1, 10_000, 100)[:2] == ([0, 1, 6], [2, 3, 4, 5])


@given(st.lists(st.integers(1, 1000), max_size=60))
def test_every_tick_leaves_once_or_is_set_aside(prices: list[int]) -> None:
    passed, aside, restored = judged(*prices)
    assert sorted([*passed, *(number for number in aside if number not in restored)]) == list(range(len(prices)))


def test_venues_that_are_apart_at_one_moment_disagree() -> None:
    prices = {
        "binance": Price(Decimal("100"), NOON),
        "okx": Price(Decimal("100.09"), NOON + timedelta(seconds=1)),
        "kraken": Price(Decimal("100.3"), NOON),
        "bybit": Price(Decimal("150"), NOON - timedelta(minutes=1)),
    }
    found = [(each.one, each.other) for each in disagreements(prices)]
    assert found == [("binance", "kraken"), ("kraken", "okx")]
    assert disagreements(prices)[0].apart == Decimal("0.003")

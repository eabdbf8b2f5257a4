"""The venues' tables of fees: whole, in order, and meant as they are named."""

from decimal import Decimal

import pytest
from algotrendy_common.errors import Refused
from algotrendy_core.backtest.fee_tables import fee_tables, fees_named
from algotrendy_core.backtest.tiers import FeeTier, at_time, tiers_of

VENUES = ("binance", "bybit", "okx", "coinbase", "kraken", "cryptocom")
DAY_MS = 86_400_000


@pytest.mark.parametrize("venue", VENUES)
def test_a_table_says_where_it_is_from_and_falls_from_tier_to_tier(venue: str) -> None:
    table = fee_tables()[venue]
    assert table.source
    assert table.as_of
    assert table.tiers[0].traded_30d == 0
    floors = [tier.traded_30d for tier in table.tiers if tier.traded_30d is not None]
    assert floors == sorted(set(floors))
    for side in ("maker", "taker"):
        rates = [getattr(tier, side) for tier in table.tiers]
        assert rates == sorted(rates, reverse=True)
        assert all(Decimal("-0.001") < rate < Decimal("0.01") for rate in rates)
    assert all(tier.maker <= tier.taker for tier in table.tiers)
    assert len({tier.level for tier in table.tiers}) == len(table.tiers)


def test_a_venue_alone_is_a_new_account_that_climbs_by_what_it_trades() -> None:
    fees = fees_named("binance")
    assert (fees.maker, fees.taker) == (Decimal("0.001"), Decimal("0.001"))
    assert fees.tiers[0] == FeeTier(Decimal(1_000_000), Decimal("0.0009"), Decimal("0.001"))
    tiers = tiers_of(fees.maker, fees.taker, fees.tiers)
    at_time(tiers, 0, 0.0)
    at_time(tiers, DAY_MS, 5_000_000.0)
    assert (tiers.maker, tiers.taker) == (0.0008, 0.001)


def test_a_named_level_is_held_throughout() -> None:
    fees = fees_named("bybit:vip1")
    assert (fees.maker, fees.taker, fees.tiers) == (Decimal("0.000675"), Decimal("0.0008"), ())


@pytest.mark.parametrize(
    ("name", "told"),
    [("nowhere", "cryptocom"), ("binance:vip10", "vip9"), ("bybit", "name one"), ("", "binance")],
)
def test_what_is_in_no_table_is_refused_and_the_tables_named(name: str, told: str) -> None:
    with pytest.raises(Refused, match=told):
        fees_named(name)

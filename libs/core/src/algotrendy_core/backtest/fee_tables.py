"""What the venues ask by the amount traded in thirty days: ``fee_tables.json``, each table with its source and date.

Spot rates. A venue changes them, and has others for some pairs, regions and holders of its coin: an account's own,
where it is known, is better (``maker_fee`` and ``taker_fee``). Invariant: a table's first tier is that of a new
account, and amounts rise from tier to tier.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources

from algotrendy_common.errors import Refused

from algotrendy_core.backtest.tiers import FeeTier


@dataclass(frozen=True, slots=True)
class Tier:
    level: str
    traded_30d: Decimal | None
    """In the quote currency; None where the source does not say it."""
    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class FeeTable:
    venue: str
    source: str
    as_of: str
    note: str
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Fees:
    """The rates that an account begins with, and the tiers that it may come to."""

    maker: Decimal
    taker: Decimal
    tiers: tuple[FeeTier, ...] = ()


@cache
def fee_tables() -> dict[str, FeeTable]:
    text = resources.files("algotrendy_core.backtest").joinpath("fee_tables.json").read_text(encoding="utf-8")
    return {
        row["venue"]: FeeTable(
            row["venue"], row["source"], row["as_of"], row["note"],
            tuple(
                Tier(
                    tier["level"],
                    None if tier["traded_30d"] is None else Decimal(tier["traded_30d"]),
                    Decimal(tier["maker"]),
                    Decimal(tier["taker"]),
                )
                for tier in row["tiers"]
            ),
        )
        for row in json.loads(text)
    }  # fmt: skip


def fees_named(name: str) -> Fees:
    """``binance``: a new account, whose tier follows what it trades. ``binance:vip1``: that tier throughout.

    Raises Refused where there is no such venue or level.
    """
    venue, _, level = name.partition(":")
    table = fee_tables().get(venue)
    if table is None:
        raise Refused("fees_unknown", f"there is no table of fees of {venue!r}", known=", ".join(fee_tables()))
    if level:
        for tier in table.tiers:
            if tier.level == level:
                return Fees(tier.maker, tier.taker)
        raise Refused("fees_unknown", f"{venue} has no level {level!r}", known=_levels(table))
    first, *others = table.tiers
    tiers = tuple(FeeTier(tier.traded_30d, tier.maker, tier.taker) for tier in others if tier.traded_30d is not None)
    if len(tiers) < len(others):
        raise Refused("fees_need_level", f"what leads from level to level at {venue} is not in its table: name one",
                      known=_levels(table))  # fmt: skip
    return Fees(first.maker, first.taker, tiers)


def _levels(table: FeeTable) -> str:
    return ", ".join(tier.level for tier in table.tiers)

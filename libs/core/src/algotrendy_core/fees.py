"""What a fill costs.

Invariant: a fee is never negative for a non-negative rate and is charged on the fill itself, so the fees of an
order are the sum of the fees of its fills.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import Liquidity, Side
from algotrendy_common.money import round_nearest

from algotrendy_core.instruments import Instrument

FEE_STEP = Decimal("0.00000001")
"""Venues book fees in units of the eighth decimal."""


class ChargedIn(StrEnum):
    """Which asset pays: what the fill brings in (spot venues such as Binance), or always the quote currency."""

    RECEIVED = "received"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Fee:
    asset: str
    amount: Decimal


def fee_rate(instrument: Instrument, liquidity: Liquidity) -> Decimal:
    """The fraction of the traded value that the venue keeps."""
    return instrument.maker_fee if liquidity is Liquidity.MAKER else instrument.taker_fee


def fill_fee(
    instrument: Instrument,
    side: Side,
    price: Decimal,
    quantity: Decimal,
    liquidity: Liquidity,
    charged_in: ChargedIn = ChargedIn.RECEIVED,
) -> Fee:
    """The fee of one fill, rounded to ``FEE_STEP`` (ties to even)."""
    rate = fee_rate(instrument, liquidity)
    if charged_in is ChargedIn.RECEIVED and side is Side.BUY:
        return Fee(instrument.base, round_nearest(quantity * rate, FEE_STEP))
    return Fee(instrument.quote, round_nearest(price * quantity * rate, FEE_STEP))

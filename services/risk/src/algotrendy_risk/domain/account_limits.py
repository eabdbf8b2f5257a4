"""The limits of an account as people set them; stored as a versioned document, read as core's ``Limits``.

Invariant: a document that lacks a limit is not a document: there are no defaults here.
"""

from datetime import timedelta
from decimal import Decimal

from algotrendy_common.ids import Symbol, Venue
from algotrendy_common.money import Amount
from algotrendy_core.limits import Limits
from pydantic import BaseModel, ConfigDict, Field


class AllowedInstrument(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    venue: Venue
    symbol: Symbol


class AccountLimits(BaseModel):
    """Amounts in the account's quote currency, ratios as fractions of one, times by our clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instruments: tuple[AllowedInstrument, ...]
    max_data_age: timedelta = Field(gt=timedelta(0))
    """Oldest quote that an order may be judged by."""
    max_feed_silence: timedelta = Field(gt=timedelta(0))
    """A feed whose health was not heard of for so long counts as down."""
    max_account_age: timedelta = Field(gt=timedelta(0))
    """Oldest confirmation of the account's books by the broker gateway."""
    max_proposal_age: timedelta = Field(gt=timedelta(0))
    """A proposal that waited longer was made for another market."""
    max_order_quantity: Amount | None
    max_order_notional: Amount = Field(gt=0)
    price_collar: Amount = Field(gt=0)
    duplicate_window: timedelta
    max_orders: int = Field(ge=0)
    rate_window: timedelta = Field(gt=timedelta(0))
    max_open_orders: int = Field(ge=0)
    max_position_notional: Amount = Field(gt=0)
    max_gross_exposure: Amount = Field(gt=0)
    max_daily_loss: Amount = Field(gt=0)
    """Reached: a breach, and no order that increases a position until the next day (UTC)."""
    max_drawdown: Decimal = Field(gt=0, le=1)
    """From the highest equity seen. Reached: a breach, and the account is halted."""
    allow_short: bool

    def pre_trade(self) -> Limits:
        """What core's checks take."""
        return Limits(
            instruments=frozenset((row.venue, row.symbol) for row in self.instruments),
            max_data_age=self.max_data_age,
            max_order_notional=self.max_order_notional,
            price_collar=self.price_collar,
            duplicate_window=self.duplicate_window,
            max_orders=self.max_orders,
            rate_window=self.rate_window,
            max_open_orders=self.max_open_orders,
            max_position_notional=self.max_position_notional,
            max_gross_exposure=self.max_gross_exposure,
            max_daily_loss=self.max_daily_loss,
            max_order_quantity=self.max_order_quantity,
            allow_short=self.allow_short,
            reductions_while_halted=False,
        )

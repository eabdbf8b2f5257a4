"""The limits of an account as people set them; stored as a versioned document, read as core's ``Limits``.

Invariant: a document that lacks a limit is not a document: there are no defaults here.
"""

from datetime import timedelta
from decimal import Decimal

from algotrendy_common.ids import Symbol, Venue
from algotrendy_common.money import Amount
from algotrendy_core.limits import Limits
from pydantic import BaseModel, ConfigDict, Field

LONGEST_DRIFT = timedelta(minutes=10)


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
    trigger_collar: Amount = Field(gt=0)
    """For prices that an order waits for, and for the exits of a bracket."""
    drift_window: timedelta = Field(gt=timedelta(0), le=LONGEST_DRIFT)
    max_drift: Amount = Field(gt=0)
    """Largest move of the price itself within ``drift_window``; since a start, within what was heard since."""
    duplicate_window: timedelta
    max_orders: int = Field(ge=0)
    max_strategy_orders: int = Field(ge=0)
    max_instrument_orders: int = Field(ge=0)
    rate_window: timedelta = Field(gt=timedelta(0))
    max_open_orders: int = Field(ge=0)
    max_position_notional: Amount = Field(gt=0)
    max_gross_exposure: Amount = Field(gt=0)
    max_net_exposure: Amount = Field(gt=0)
    max_concentration: Amount = Field(gt=0)
    """Exposure in one instrument over equity."""
    max_leverage: Amount = Field(ge=1, le=125)
    """Of an order, and of the whole account's exposure over its equity."""
    market_slippage: Amount = Field(ge=0, lt=1)
    """Cash kept for the price of an order that trades at the market."""
    exit_room: Amount = Field(ge=0, lt=1)
    """What an entry buys must still be sellable after such a fall."""
    max_daily_loss: Amount = Field(gt=0)
    """Reached: a breach, and no order that increases a position until the next day (UTC)."""
    max_drawdown: Decimal = Field(gt=0, le=1)
    """From the highest equity seen. Reached: a breach, and the account is halted."""
    allow_short: bool
    """On margin and with perpetuals."""
    max_repeats: int = Field(ge=1)
    """A strategy that fires so often in a row into one direction is switched off until a person enables it."""
    repeat_window: timedelta = Field(gt=timedelta(0))
    approval_notional: Amount | None
    """A larger order needs a person; None: none does."""
    approval_daily_notional: Amount | None
    """What one strategy may send in a day (UTC) without a person."""
    approval_timeout: timedelta = Field(gt=timedelta(0))
    """No word within it is a refusal."""
    approval_by_another: bool
    """Nobody approves what he proposed himself."""
    reductions_while_halted: bool
    """Orders marked reduce-only, which do reduce, pass a kill switch."""

    def pre_trade(self) -> Limits:
        """What core's checks take."""
        return Limits(
            instruments=frozenset((row.venue, row.symbol) for row in self.instruments),
            max_data_age=self.max_data_age,
            max_order_notional=self.max_order_notional,
            price_collar=self.price_collar,
            trigger_collar=self.trigger_collar,
            max_drift=self.max_drift,
            duplicate_window=self.duplicate_window,
            max_orders=self.max_orders,
            max_strategy_orders=self.max_strategy_orders,
            max_instrument_orders=self.max_instrument_orders,
            rate_window=self.rate_window,
            max_open_orders=self.max_open_orders,
            max_position_notional=self.max_position_notional,
            max_gross_exposure=self.max_gross_exposure,
            max_net_exposure=self.max_net_exposure,
            max_concentration=self.max_concentration,
            max_leverage=self.max_leverage,
            market_slippage=self.market_slippage,
            exit_room=self.exit_room,
            max_daily_loss=self.max_daily_loss,
            max_drawdown=self.max_drawdown,
            max_repeats=self.max_repeats,
            repeat_window=self.repeat_window,
            approval_notional=self.approval_notional,
            approval_daily_notional=self.approval_daily_notional,
            max_order_quantity=self.max_order_quantity,
            allow_short=self.allow_short,
            reductions_while_halted=self.reductions_while_halted,
        )

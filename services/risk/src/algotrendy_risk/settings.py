"""What the risk service is told."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from algotrendy_common.ids import AccountId, Venue
from algotrendy_common.settings import Section, ServiceSettings
from pydantic import Field, SecretStr

from algotrendy_risk.domain.account_limits import AccountLimits, AllowedInstrument


class AccountSeed(Section):
    """An account to keep from the first start on. Its limits are written once; then PostgreSQL has them."""

    account: AccountId
    venue: Venue
    quote_currency: str
    limits: AccountLimits


PAPER_LIMITS = AccountLimits(
    instruments=(
        AllowedInstrument(venue="binance", symbol="BTC-USDT"),
        AllowedInstrument(venue="binance", symbol="LTC-USDT"),
    ),
    max_data_age=timedelta(seconds=10),
    max_feed_silence=timedelta(seconds=15),
    max_account_age=timedelta(seconds=60),
    max_proposal_age=timedelta(seconds=15),
    max_order_quantity=None,
    max_order_notional=Decimal(50_000),
    price_collar=Decimal("0.05"),
    trigger_collar=Decimal("0.5"),
    drift_window=timedelta(minutes=1),
    max_drift=Decimal("0.1"),
    duplicate_window=timedelta(seconds=1),
    max_orders=60,
    max_strategy_orders=60,
    max_instrument_orders=60,
    rate_window=timedelta(minutes=1),
    max_open_orders=20,
    max_position_notional=Decimal(60_000),
    max_gross_exposure=Decimal(90_000),
    max_net_exposure=Decimal(90_000),
    max_concentration=Decimal("0.8"),
    max_leverage=Decimal(1),
    market_slippage=Decimal("0.005"),
    exit_room=Decimal("0.1"),
    max_daily_loss=Decimal(5_000),
    max_drawdown=Decimal("0.15"),
    allow_short=False,
    max_repeats=20,
    repeat_window=timedelta(minutes=10),
    approval_notional=None,
    approval_daily_notional=None,
    approval_timeout=timedelta(minutes=5),
    approval_by_another=True,
    reductions_while_halted=False,
)
"""For a paper account of 100,000 USDT."""

PAPER = AccountSeed(account="paper-1", venue="binance", quote_currency="USDT", limits=PAPER_LIMITS)


class RiskSettings(ServiceSettings):
    approval_seed: SecretStr = Field(min_length=64, max_length=64)
    """Ed25519 seed, 32 bytes, hex: whoever has it can approve orders."""
    approval_lifetime: timedelta = timedelta(seconds=10)
    accounts: tuple[AccountSeed, ...] = (PAPER,)
    settle: timedelta = timedelta(seconds=2)
    """How long the books must be still before the venue's own are taken over."""
    confirm_every: timedelta = timedelta(seconds=5)
    """How often the broker gateway is asked whether the books agree."""
    overdue_after: timedelta = timedelta(seconds=20)
    """Past the expiry of an approval whose order was never heard of: ask the broker gateway, and tell people."""
    kill_file: Path | None = None
    """Its presence halts everything, whatever else runs; the first line says why."""
    release_window: timedelta = timedelta(hours=1)
    """Within it the second person must follow the first to release a halt."""
    equity_every: timedelta = timedelta(seconds=5)
    """Least time between two stored points of the equity curve."""

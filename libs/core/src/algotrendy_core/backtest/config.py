"""What a backtest assumes of account, venue and market: plain values, every one of them in the manifest.

Invariant: the defaults are the live side's plainest account; a model is off until it is given.
"""

from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cache
from typing import Any

from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO, plain

from algotrendy_core.backtest.execution import Rules
from algotrendy_core.backtest.tiers import FeeTier, Tiers, tiers_of
from algotrendy_core.fees import ChargedIn
from algotrendy_core.instruments import Instrument, InstrumentKind
from algotrendy_core.sizing import DEFAULT_RESERVE

_YEAR_MS = 365 * 86_400_000.0


@dataclass(frozen=True, slots=True)
class BacktestConfig:
    """``slippage_bps``: hundredths of a percent by which each fill that takes is worse than the price it met."""

    initial_cash: Decimal
    slippage_bps: Decimal = ZERO
    reserve: Decimal = DEFAULT_RESERVE
    fees_charged_in: ChargedIn = ChargedIn.RECEIVED
    """An account with margin, or of a perpetual, pays in quote whatever this says."""
    allow_short: bool = False
    seed: int = 0
    """Part of the manifest; these fills draw no random numbers."""
    latency_ms: int = 0
    """From a decision to the venue. On bars and trades an order works from the first one after that."""
    feed_latency_ms: int = 0
    """From the venue to the strategy; on bars it adds to ``latency_ms``."""
    volume_share: Decimal | None = None
    """Of a bar's (or trade's) volume that may be filled; the rest of an order waits for the next. None: no limit."""
    impact: Decimal = ZERO
    """Slippage, as a fraction of the price, of trading a whole bar's volume; grows with the square of the share."""
    trade_through: bool = False
    """A resting limit on bars is filled when the price goes a step through it, not when it touches it."""
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    """In place of the instrument's."""
    fee_tiers: tuple[FeeTier, ...] = ()
    leverage: Decimal | None = None
    """Exposure allowed over equity; None is an account without margin, which is never liquidated."""
    maintenance_margin: Decimal = Decimal("0.005")
    """With leverage: equity below this share of the exposure is liquidated at the market."""
    liquidation_fee: Decimal = ZERO
    """On top of the taker's."""
    borrow_rate: Decimal = ZERO
    """A year (365 days), of a short position's value."""
    queue_cancels_ahead: Decimal = Decimal("0.5")
    """On book data: the share of what is cancelled at a price that is taken to have stood before one's own order."""

    def as_dict(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @property
    def fills_at_opens_only(self) -> bool:
        """No model is on that needs orders followed one by one."""
        return all(getattr(self, name) == usual for name, usual in _MODELS_OFF)


_PLAIN_FIELDS = ("initial_cash", "slippage_bps", "reserve", "fees_charged_in", "allow_short", "seed")
_MODELS_OFF = [
    (field.name, getattr(BacktestConfig(ZERO), field.name))
    for field in fields(BacktestConfig)
    if field.name not in _PLAIN_FIELDS
]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, ChargedIn):
        return value.value
    if isinstance(value, tuple):
        return [{field.name: _plain(getattr(tier, field.name)) for field in fields(tier)} for tier in value]
    return value


def checked(config: BacktestConfig) -> None:
    """Raises Refused for what no account can have."""
    if config.initial_cash <= 0:
        raise Refused("no_cash", "a backtest needs cash to begin with", initial_cash=plain(config.initial_cash))
    wrong = {
        "latency_ms": config.latency_ms < 0 or config.feed_latency_ms < 0,
        "volume_share": config.volume_share is not None and not 0 < config.volume_share <= 1,
        "impact": config.impact < 0,
        "leverage": config.leverage is not None and config.leverage < 1,
        "maintenance_margin": not 0 <= config.maintenance_margin < 1,
        "borrow_rate": config.borrow_rate < 0,
        "queue_cancels_ahead": not 0 <= config.queue_cancels_ahead <= 1,
    }
    found = ", ".join(name for name, is_wrong in wrong.items() if is_wrong)
    if found:
        raise Refused("config_invalid", f"out of range: {found}")


def rules_of(instrument: Instrument, config: BacktestConfig, capital_share: Decimal = Decimal(1)) -> Rules:
    """The border from exact numbers into the kernels' float64."""
    in_base = config.fees_charged_in is ChargedIn.RECEIVED and config.leverage is None
    return Rules(
        fee_ratio=float(_or(config.taker_fee, instrument.taker_fee)),
        fee_in_base=in_base and instrument.kind is InstrumentKind.SPOT,
        slippage=float(config.slippage_bps) / 10_000.0,
        price_step=float(instrument.price_step),
        prices_per_unit=_per_unit(instrument.price_step),
        quantity_step=float(instrument.quantity_step),
        quantities_per_unit=_per_unit(instrument.quantity_step),
        min_quantity=float(instrument.min_quantity),
        max_quantity=float(instrument.max_quantity),
        min_notional=float(instrument.min_notional),
        reserve=float(config.reserve),
        allow_short=config.allow_short,
        maker_ratio=float(_or(config.maker_fee, instrument.maker_fee)),
        latency=config.latency_ms + config.feed_latency_ms,
        volume_share=float(config.volume_share or 0),
        impact=float(config.impact),
        through=float(instrument.price_step) if config.trade_through else 0.0,
        leverage=float(config.leverage or 0),
        maintenance=float(config.maintenance_margin),
        liquidation_fee=float(config.liquidation_fee),
        borrow_per_ms=float(config.borrow_rate) / _YEAR_MS,
        capital_share=float(capital_share),
    )


def tiers_for(instrument: Instrument, config: BacktestConfig) -> Tiers:
    """Raises Refused where the tiers are out of order."""
    try:
        return tiers_of(
            _or(config.maker_fee, instrument.maker_fee), _or(config.taker_fee, instrument.taker_fee), config.fee_tiers
        )
    except ValueError as error:
        raise Refused("config_invalid", str(error)) from error


def _or(chosen: Decimal | None, usual: Decimal) -> Decimal:
    return usual if chosen is None else chosen


@cache
def _per_unit(step: Decimal) -> float:
    per_unit = 1 / step
    return float(per_unit) if per_unit == per_unit.to_integral_value() else 0.0

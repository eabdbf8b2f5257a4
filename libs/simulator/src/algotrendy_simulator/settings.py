"""How a simulated venue is started; the command line fills it in.

Invariant: it is complete and checked before anything starts.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from algotrendy_simulator.demo_keys import demo_key
from algotrendy_simulator.listings import PACKAGED


class SimulatorSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(9100, ge=0, le=65535)
    """0 takes a free one."""
    speed: float = Field(60.0, gt=0)
    """Recorded seconds per wall second."""
    seed: int = 7
    state: Path | None = None
    """Directory of the journal; without it the venue forgets everything at its end."""
    data: Path = PACKAGED
    history: int = Field(480, ge=1)
    """Minutes that are past already at the first start."""
    trades_per_minute: int = Field(20, ge=4)
    """Trades made inside a recorded candle."""
    paused: bool = False
    venue: str = "binance"
    """Whose wire format it speaks."""
    account: str = "paper-1"
    key: str = "demo-key"
    """Not given, it and the two that follow are the venue's own demonstration key."""
    secret: SecretStr = SecretStr("demo-secret")
    passphrase: SecretStr = SecretStr("demo-passphrase")
    """Where the venue has one (OKX)."""
    quote_balance: Decimal = Field(Decimal(100_000), ge=0)
    """USDT of the account at the first start."""
    weight_per_minute: int = Field(6_000, gt=0)
    orders_per_10s: int = Field(100, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _with_demo_key(cls, values: dict[str, Any]) -> dict[str, Any]:
        demo = demo_key(values.get("venue", "binance"))
        return {"key": demo.key, "secret": demo.secret, "passphrase": demo.passphrase} | values

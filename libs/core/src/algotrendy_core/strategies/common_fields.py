"""Parameters that several strategies have, said once."""

from typing import Any, Self

from pydantic import Field, model_validator

from algotrendy_core.strategies.interface import Parameters


def exposure() -> Any:
    return Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the capital held while in the market",
        json_schema_extra={"unit": "fraction"},
    )


def allow_short() -> Any:
    return Field(
        0,
        ge=0,
        le=1,
        description="Whether falling prices are sold short (1) or sat out (0); the account must allow it too",
        json_schema_extra={"unit": "0 or 1"},
    )


class MacdLines(Parameters):
    """The three lengths of a MACD, for strategies that read it in different ways."""

    fast: int = Field(12, ge=1, le=5000, description="Length of the fast average", json_schema_extra={"unit": "bars"})
    slow: int = Field(26, ge=2, le=5000, description="Length of the slow average", json_schema_extra={"unit": "bars"})
    signal: int = Field(9, ge=1, le=1000, description="Length of the signal line", json_schema_extra={"unit": "bars"})

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError("fast must be shorter than slow")
        return self

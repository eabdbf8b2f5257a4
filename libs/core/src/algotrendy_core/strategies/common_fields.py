"""Parameters that several strategies have, said once."""

from typing import Any

from pydantic import Field


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

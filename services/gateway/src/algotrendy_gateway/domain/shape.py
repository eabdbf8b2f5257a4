"""What every shape on the gateway's wire has in common.

Invariant: an answer has exactly the fields of its shape; amounts are strings, times end in ``Z``, NaN is never written.
"""

from decimal import Decimal
from typing import Annotated

from algotrendy_common.money import Price, Quantity, Ratio
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

DECIMAL_TEXT = WithJsonSchema({"type": "string", "format": "decimal"}, mode="validation")

# The bounds keep a number like 1e999999 from becoming a megabyte of digits.
GivenPrice = Annotated[Price, Field(max_digits=36, decimal_places=18), DECIMAL_TEXT]
GivenRatio = Annotated[Ratio, Field(max_digits=19, decimal_places=18), DECIMAL_TEXT]
GivenQuantity = Annotated[Quantity, Field(max_digits=36, decimal_places=18), DECIMAL_TEXT]

_RATIO_STEP = Decimal("0.000001")


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


def ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    """``part / whole`` to six places; None where it means nothing."""
    return (part / whole).quantize(_RATIO_STEP) if whole else None

"""What a search may try of each parameter.

Invariant: every value is one that the strategy's own bounds allow; values of whole-number parameters are whole.
"""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any

from algotrendy_common.errors import Refused

_STEPS = 10
"""Of a range that names no step, in a grid."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Either ``choices``, or from ``low`` to ``high``, both included, in steps or, with None, anywhere between."""

    name: str
    whole: bool
    choices: tuple[int | float, ...] = ()
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    step: Decimal | None = None

    def grid(self) -> tuple[int | float, ...]:
        """Every value, or evenly spread ones where there is no step."""
        if self.choices:
            return self.choices
        if self.step is not None:
            step = self.step
        else:
            step = (self.high - self.low) / _STEPS
            step = max(Decimal(1), step.to_integral_value()) if self.whole else step
        if step == 0:
            return (self.number(self.low),)
        count = int((self.high - self.low) / step) + 1
        return tuple(self.number(self.low + step * index) for index in range(count))

    def number(self, value: Decimal) -> int | float:
        return int(value) if self.whole else float(value)


def axes_of(parameters: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, str]) -> tuple[Axis, ...]:
    """One axis for each parameter that varies. ``parameters``: JSON schema of each; ``wanted``: texts as in a spec.

    Where nothing is wanted, each parameter with bounds varies within them. Raises Refused for what cannot be.
    """
    unknown = wanted.keys() - parameters.keys()
    if unknown:
        raise Refused(
            "parameter_unknown", f"there is no parameter {', '.join(sorted(unknown))}", known=", ".join(parameters)
        )
    if wanted:
        return tuple(_axis(name, parameters[name], text) for name, text in wanted.items())
    found = [_within_bounds(name, schema) for name, schema in parameters.items()]
    return tuple(axis for axis in found if axis is not None)


def size_of(axes: tuple[Axis, ...]) -> int:
    size = 1
    for axis in axes:
        size *= len(axis.grid())
    return size


def grid(axes: tuple[Axis, ...]) -> Iterator[dict[str, int | float]]:
    """Every combination, the last axis fastest."""
    names = [axis.name for axis in axes]
    for values in product(*(axis.grid() for axis in axes)):
        yield dict(zip(names, values, strict=True))


def _axis(name: str, schema: Mapping[str, Any], text: str) -> Axis:
    whole = schema.get("type") == "integer"
    if ":" in text:
        parts = [_number(name, part, whole) for part in text.split(":")]
        if len(parts) not in (2, 3) or parts[0] > parts[1] or (len(parts) == 3 and parts[2] <= 0):
            raise Refused("range_invalid", f"{name}: {text!r} is not low:high or low:high:step")
        step = parts[2] if len(parts) == 3 else None
        axis = Axis(name, whole, low=parts[0], high=parts[1], step=step)
        ends = (parts[0], parts[1])
    else:
        values = [_number(name, part, whole) for part in text.split(",")]
        axis = Axis(name, whole, choices=tuple(int(value) if whole else float(value) for value in values))
        ends = (min(values), max(values))
    _within(name, schema, ends)
    return axis


def _number(name: str, text: str, whole: bool) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise Refused("range_invalid", f"{name}: {text!r} is not a number") from None
    if not value.is_finite() or (whole and value != value.to_integral_value()):
        raise Refused("range_invalid", f"{name}: {text!r} is not a {'whole ' if whole else ''}number")
    return value


def _within(name: str, schema: Mapping[str, Any], ends: tuple[Decimal, Decimal]) -> None:
    low, high = ends
    rules = (
        ("minimum", "at least", low, operator.ge),
        ("exclusiveMinimum", "above", low, operator.gt),
        ("maximum", "at most", high, operator.le),
        ("exclusiveMaximum", "below", high, operator.lt),
    )
    for key, said, end, holds in rules:
        if key in schema and not holds(end, Decimal(str(schema[key]))):
            raise Refused("range_invalid", f"{name} must be {said} {schema[key]}")


def _within_bounds(name: str, schema: Mapping[str, Any]) -> Axis | None:
    """The whole of what a parameter may be; None where it has no two ends, or is no number."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if schema.get("type") not in ("integer", "number") or low is None or high is None:
        return None
    whole = schema["type"] == "integer"
    least, most = Decimal(str(low)), Decimal(str(high))
    # An end that is itself excluded is left by a thousandth of the range, or by one.
    nudge = Decimal(1) if whole else (most - least) / 1000
    return Axis(
        name,
        whole,
        low=least + (nudge if "minimum" not in schema else 0),
        high=most - (nudge if "maximum" not in schema else 0),
    )


def neighbourhood(parameters: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, str]:
    """A small space around chosen values: half of each number to half as much again, in five steps.

    But for the size of the position, which changes the risk and not the idea.
    """
    space = {}
    for name, schema in parameters.items():
        value = values.get(name, schema.get("default"))
        if name == "exposure" or schema.get("type") not in ("integer", "number") or not value:
            continue
        near = {_inside(schema, Decimal(str(value)) * share) for share in _NEAR}
        space[name] = ",".join(str(each) for each in sorted(near))
    return space


_NEAR = (Decimal("0.5"), Decimal("0.75"), Decimal(1), Decimal("1.25"), Decimal("1.5"))


def _inside(schema: Mapping[str, Any], value: Decimal) -> Decimal:
    value = value.to_integral_value() if schema["type"] == "integer" else value
    low, high = schema.get("minimum"), schema.get("maximum")
    value = value if low is None else max(value, Decimal(str(low)))
    return value if high is None else min(value, Decimal(str(high)))

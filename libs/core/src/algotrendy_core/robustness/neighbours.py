"""Parameter sets around a chosen one: does the result stand on a plateau or on a needle?

Invariant: every set is one that the strategy's own model accepts; the chosen one is among them.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from algotrendy_common.errors import Refused

from algotrendy_core.kernels import Floats
from algotrendy_core.strategies.interface import AnyStrategy, Parameters
from algotrendy_core.strategies.registry import parameters_of

SHARES = (-0.4, -0.25, -0.1, 0.0, 0.1, 0.25, 0.4)
"""Of the chosen value. A parameter at zero has no size of its own to move by, and stays."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A statistic over two parameters; ``values[i][j]`` belongs to ``first_values[i]`` and ``second_values[j]``.

    NaN where the model refuses the pair. With a single parameter the second has one value.
    """

    first: str
    first_values: tuple[float, ...]
    second: str
    second_values: tuple[float, ...]
    values: Floats

    @property
    def share_profitable(self) -> float | None:
        known = self.values[np.isfinite(self.values)]
        return float((known > 0).mean()) if len(known) else None

    @property
    def median(self) -> float | None:
        known = self.values[np.isfinite(self.values)]
        return float(np.median(known)) if len(known) else None


def axis(strategy: AnyStrategy, parameters: Parameters, name: str) -> tuple[float, ...]:
    """Values around the chosen one, in order, within the parameter's own bounds."""
    schema = strategy.parameters.model_json_schema()["properties"][name]
    value = float(getattr(parameters, name))
    low, high = (schema.get(key, schema.get(f"exclusive{key.title()}")) for key in ("minimum", "maximum"))
    whole = schema.get("type") == "integer"
    step = abs(value)
    found = set()
    for index, share in enumerate(SHARES):
        moved = value + step * share
        if whole:
            # Small whole numbers would not move at all: they take the neighbours on each side.
            by_one = value + (index - len(SHARES) // 2)
            moved = float(round(moved)) if abs(value) >= 10 else by_one
        if (low is None or moved >= low) and (high is None or moved <= high):
            found.add(moved)
    return tuple(sorted(found | {value}))


def varying(strategy: AnyStrategy) -> tuple[str, ...]:
    """The parameters that are numbers, but for the size of the position, which changes risk and not the idea."""
    properties: dict[str, Any] = strategy.parameters.model_json_schema()["properties"]
    return tuple(
        name
        for name, schema in properties.items()
        if schema.get("type") in ("integer", "number") and name != "exposure"
    )


def around(strategy: AnyStrategy, parameters: Parameters) -> tuple[dict[tuple[int, int], Parameters], Surface | None]:
    """The sets of a surface over the first two varying parameters, by their place in it; the surface is still empty."""
    names = [name for name in varying(strategy) if getattr(parameters, name) != 0][:2]
    if not names:
        return {}, None
    axes = [axis(strategy, parameters, name) for name in names]
    if len(axes) == 1:
        axes.append((0.0,))
    chosen = parameters.model_dump()
    sets: dict[tuple[int, int], Parameters] = {}
    for (i, first), (j, second) in product(enumerate(axes[0]), enumerate(axes[1])):
        moved = dict(zip(names, (first, second), strict=False))
        values = chosen | {name: type(chosen[name])(value) for name, value in moved.items()}
        try:
            sets[i, j] = parameters_of(strategy, values)
        except Refused:  # a pair that the model does not allow, as a fast average that is slower than the slow one
            continue
    empty = np.full((len(axes[0]), len(axes[1])), np.nan)
    return sets, Surface(names[0], axes[0], names[1] if len(names) > 1 else "", axes[1], empty)

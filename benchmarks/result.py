"""The line that ends a benchmark, and percentiles."""

import json
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile; ``share`` from 0 to 1. Raises ValueError for no values."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def close(name: str, figures: dict[str, float | int | str], targets: dict[str, tuple[str, float]]) -> None:
    """Print the closing line. ``targets`` maps a figure to (``<=`` or ``>=``, bound); ``ok`` is all of them met."""
    met = {
        figure: (float(figures[figure]) <= bound) if sign == "<=" else (float(figures[figure]) >= bound)
        for figure, (sign, bound) in targets.items()
    }
    line = {
        "name": name,
        "figures": figures,
        "targets": {figure: f"{sign} {bound:g}" for figure, (sign, bound) in targets.items()},
        "ok": all(met.values()),
    }
    print(json.dumps(line), flush=True)

"""The names that a loop's text leaves open; ``compilation`` binds a strategy's own into each copy of the text.

Invariant: a bound copy never calls these; a loop that was not bound fails at its first bar.
"""

from typing import Any

from algotrendy_common.errors import InvariantBroken


def step(*arguments: Any) -> Any:
    """The strategy's step."""
    raise InvariantBroken("a loop was run without a strategy bound into it")


def parameters_from(given: Any) -> Any:
    """The strategy's parameters, fields by name, from their values in order."""
    raise InvariantBroken("a loop was run without a strategy's parameters bound into it")


def step_of(lane: int, givens: Any, states: Any, candle: Any, holding: Any, ladder: Any) -> Any:
    """Target and reason of the step of one of several strategies."""
    raise InvariantBroken("a loop was run without its strategies bound into it")

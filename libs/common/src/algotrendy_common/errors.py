"""Errors by who must act.

AlgoTrendyError
├── Retryable          the outside world: try again with back-off (connectivity, timeouts, 5xx)
├── Refused            the request: tell whoever asked, with a code (domain rules, bad input)
└── InvariantBroken    us: stop, alarm, wait for a person (books that do not agree, a forged approval)
"""

from typing import Any


class AlgoTrendyError(Exception):
    """Root of every error the platform raises itself. ``context`` holds ids and values as attributes."""

    def __init__(self, message: str, **context: Any) -> None:
        super().__init__(message)
        self.context = context

    def __str__(self) -> str:
        message = super().__str__()
        if not self.context:
            return message
        return message + " (" + ", ".join(f"{key}={value}" for key, value in self.context.items()) + ")"


class Retryable(AlgoTrendyError):
    """Something outside did not answer; the same call may succeed later."""


class Refused(AlgoTrendyError):
    """A rule says no; the same call will never succeed."""

    def __init__(self, code: str, message: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.code = code


class InvariantBroken(AlgoTrendyError):
    """Something that must hold does not; going on could lose money."""

"""Errors of providers, by who acts. Each bears the provider's name; none bears an URL, for keys stand in some.

AlgoTrendyError
├── Retryable              another provider is tried, or the same one later
│   ├── ProviderAway       no connection, no answer in time, 5xx
│   ├── Malformed          an answer that is no answer: not JSON, a field missing, a price of zero
│   ├── Throttled          too fast; ``retry_after_s`` where it was said
│   │   └── NotOurTurn     we would be too fast: nothing was sent
│   ├── QuotaSpent         the day's calls are used up
│   ├── CircuitOpen        it failed too often and is left alone for a while
│   └── NobodyAnswers      each provider in the order failed; ``attempts`` says how
└── Refused                asking again is useless
    ├── KeyRefused         the key is missing or wrong: a person has to act
    ├── PlanRefused        the plan that is paid for does not hold this
    ├── NotListed          the provider knows no such symbol or series
    ├── NotOffered         nobody configured answers such a question, or not so far back
    └── Disagreement       a quorum was asked for and there is none
"""

from typing import Any

from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.rpc.providers import Attempt


class ProviderAway(Retryable): ...


class Malformed(Retryable): ...


class Throttled(Retryable):
    def __init__(self, message: str, *, retry_after_s: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_after_s = retry_after_s


class NotOurTurn(Throttled): ...


class QuotaSpent(Retryable): ...


class CircuitOpen(Retryable): ...


class NobodyAnswers(Retryable):
    def __init__(self, attempts: tuple[Attempt, ...]) -> None:
        told = "; ".join(f"{one.provider}: {one.message}" for one in attempts)
        super().__init__(f"no provider answers ({told})")
        self.attempts = attempts


class KeyRefused(Refused):
    def __init__(self, message: str, **context: Any) -> None:
        super().__init__("key_refused", message, **context)


class PlanRefused(Refused):
    def __init__(self, message: str, **context: Any) -> None:
        super().__init__("plan_refused", message, **context)


class NotListed(Refused):
    def __init__(self, message: str, **context: Any) -> None:
        super().__init__("not_listed", message, **context)


class NotOffered(Refused):
    def __init__(self, message: str, **context: Any) -> None:
        super().__init__("not_offered", message, **context)


class Disagreement(Refused):
    def __init__(self, message: str, **context: Any) -> None:
        super().__init__("no_quorum", message, **context)

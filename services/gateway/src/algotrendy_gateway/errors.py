"""What the gateway refuses and what it lacks; ``api.problems`` turns each into its HTTP answer.

Refused (common)
├── NotAuthenticated   401  log in again
├── NotAllowed         403  the role, the origin or the host does not permit it
├── NotFound           404
├── Conflict           409  the thing exists, or has ended
├── Invalid            422  fields, each with its fault
└── TooMany            429  with the seconds to wait
Retryable (common)
└── ServiceMissing     503  another service, or a store, does not answer
"""

from algotrendy_common.errors import Refused, Retryable


class NotAuthenticated(Refused):
    def __init__(self, message: str = "Log in first.") -> None:
        super().__init__("unauthenticated", message)


class NotAllowed(Refused):
    def __init__(self, message: str, code: str = "forbidden") -> None:
        super().__init__(code, message)


class NotFound(Refused):
    def __init__(self, what: str) -> None:
        super().__init__("not_found", f"There is no such {what}.")


class Conflict(Refused):
    """The request was understood and does not fit what is already so."""


class Invalid(Refused):
    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__("invalid", "Some fields cannot be accepted.")
        self.fields = fields


class TooMany(Refused):
    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too_many_requests", f"Too many requests: try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class ServiceMissing(Retryable):
    def __init__(self, service: str, why: str = "") -> None:
        super().__init__(f"{service} does not answer" + (f": {why}" if why else ""))
        self.service = service

"""Parameters that several routes take, each with its bounds, and how a partial answer says what it lacks."""

from typing import Annotated

from algotrendy_common.ids import AccountId
from fastapi import Query, Response

MISSING_HEADER = "X-Algotrendy-Missing"

AccountQuery = Annotated[AccountId, Query(description="As in /api/accounts")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most this many")]


def say_missing(response: Response, missing: set[str]) -> None:
    """Names the services whose part of the answer is absent."""
    if missing:
        response.headers[MISSING_HEADER] = ",".join(sorted(missing))

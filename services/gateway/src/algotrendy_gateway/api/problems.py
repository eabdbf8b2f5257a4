"""Every failure as the same envelope: a code for programs, a sentence for people, a trace id for whoever looks into it.

Invariant: nothing of the inside (stack, SQL, secret) is in an answer.
"""

from http import HTTPStatus

from algotrendy_common.database import UNREACHABLE
from algotrendy_common.errors import InvariantBroken, Refused, Retryable
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from algotrendy_gateway.domain.shape import Shape
from algotrendy_gateway.errors import (
    Conflict,
    Invalid,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    ServiceMissing,
    TooMany,
)


class ProblemDetail(Shape):
    code: str
    message: str
    trace_id: str
    fields: dict[str, str] | None = None
    """Field → what is wrong with it."""
    missing: tuple[str, ...] | None = None
    """Services that do not answer."""


class Problem(Shape):
    error: ProblemDetail


DOCUMENTED: dict[int | str, dict[str, object]] = {
    status: {"model": Problem, "description": description}
    for status, description in {
        401: "Log in again",
        403: "The role does not permit it",
        422: "Some fields cannot be accepted",
        429: "Too many requests; see Retry-After",
        503: "A service does not answer",
    }.items()
}

_STATUS = {NotAuthenticated: 401, NotAllowed: 403, NotFound: 404, Conflict: 409, Invalid: 422, TooMany: 429}


def answer(
    trace_id: str,
    status: int,
    code: str,
    message: str,
    *,
    fields: dict[str, str] | None = None,
    missing: tuple[str, ...] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    detail = ProblemDetail(code=code, message=message, trace_id=trace_id, fields=fields, missing=missing)
    body = Problem(error=detail).model_dump(mode="json", exclude_none=True)
    return JSONResponse(body, status_code=status, headers=headers)


def add_handlers(web: FastAPI) -> None:
    web.add_exception_handler(Refused, _refused)
    web.add_exception_handler(Retryable, _missing)
    web.add_exception_handler(RequestValidationError, _malformed)
    web.add_exception_handler(HTTPException, _http)
    for away in (*UNREACHABLE, TimeoutError):
        web.add_exception_handler(away, _store_away)
    web.add_exception_handler(InvariantBroken, _unforeseen)
    web.add_exception_handler(Exception, _unforeseen)


def trace_id_of(request: Request) -> str:
    """Set by the border for every request."""
    trace_id: str = request.state.trace_id
    return trace_id


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    # A refusal by another service is about what was asked for, hence 422.
    status = _STATUS.get(type(error), 422)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooMany) else None
    fields = error.fields if isinstance(error, Invalid) else None
    return answer(trace_id_of(request), status, error.code, str(error.args[0]), fields=fields, headers=headers)


async def _missing(request: Request, error: Exception) -> JSONResponse:
    service = error.service if isinstance(error, ServiceMissing) else "the database"
    return answer(
        trace_id_of(request),
        503,
        "service_missing",
        f"{service} does not answer. Try again in a moment.",
        missing=(service,),
        headers={"Retry-After": "2"},
    )


async def _store_away(request: Request, error: Exception) -> JSONResponse:
    return await _missing(request, Retryable("the database does not answer"))


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields: dict[str, str] = {}
    for problem in error.errors():
        # The first part says where the field was (body, query, path).
        name = ".".join(str(part) for part in problem["loc"][1:]) or str(problem["loc"][0])
        fields.setdefault(name, str(problem["msg"])[:300])
    return answer(trace_id_of(request), 422, "invalid", "Some fields cannot be accepted.", fields=fields)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_")
    headers = dict(error.headers) if error.headers else None
    return answer(trace_id_of(request), error.status_code, code, f"{phrase}.", headers=headers)


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    return answer(trace_id_of(request), 500, "internal", "Something went wrong here. It has been recorded.")

"""What goes wrong at a data provider, a number of calls at a time.

Invariant: a fault strikes only the provider it names and as often as it was told, then it is gone.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class ProviderFaultKind(StrEnum):
    THROTTLED = "throttled"
    """429, with ``Retry-After`` where seconds are given."""
    ERROR = "error"
    """503."""
    ERROR_IN_200 = "error_in_200"
    """An error in the provider's own words, with status 200."""
    SLOW = "slow"
    """The answer, after ``delay_ms``."""
    CUT = "cut"
    """The connection ends in the middle of the answer."""
    MALFORMED = "malformed"
    """Half of the answer, as if it were all."""
    HTML = "html"
    """A page for people, with status 200: what stands in front of the provider, a login or a maintenance notice."""
    KEY_REFUSED = "key_refused"


class ProviderFault(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: ProviderFaultKind
    provider: str
    skip: int = Field(0, ge=0)
    """Calls that are let through first."""
    times: int = Field(1, gt=0)
    delay_ms: int = Field(0, ge=0)
    retry_after_s: int | None = Field(None, ge=0)


ERRORS_IN_200 = {
    "alpha_vantage": '{"Note": "Our standard API call frequency is 5 calls per minute and 500 calls per day."}',
    "yahoo": '{"chart":{"result":null,"error":null}}',
    "polygon": '{"status":"ERROR","error":"Something went wrong, please try again"}',
    "fmp": '{"Error Message": "Something went wrong, please try again"}',
    "fred": '{"error_code":500,"error_message":"Internal Server Error"}',
    "tiingo": '{"detail":"Error: the request could not be completed"}',
}
KEYS_REFUSED = {
    "alpha_vantage": (200, '{"Error Message": "the parameter apikey is invalid or missing."}'),
    "yahoo": (401, '{"finance":{"result":null,"error":{"code":"Unauthorized"}}}'),
    "polygon": (401, '{"status":"ERROR","error":"Unknown API Key"}'),
    "fmp": (401, '{"Error Message": "Invalid API KEY."}'),
    "fred": (
        400,
        '{"error_code":400,"error_message":"Bad Request. The value of api_key is not registered."}',
    ),
    "tiingo": (401, '{"detail":"Invalid token."}'),
}
"""As each of them documents it."""
NOT_FOUND = {
    "alpha_vantage": (200, '{"Error Message": "Invalid API call. Please retry or visit the documentation."}'),
    "yahoo": (
        404,
        '{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, symbol may be delisted"}}}',
    ),
    "polygon": (200, '{"status":"OK","queryCount":0,"resultsCount":0,"adjusted":true}'),
    "fmp": (200, "[]"),
    "fred": (400, '{"error_code":400,"error_message":"Bad Request.  The series does not exist."}'),
    "tiingo": (404, '{"detail":"Not found."}'),
}

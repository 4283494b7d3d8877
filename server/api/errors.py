"""Errors as JSON: `{"code": …, "message": …}` with a fitting status.

What holds always: whatever goes wrong, the answer has this form; what is a fault of ours says
nothing about our inside.
May import: domain, service.
"""

from __future__ import annotations

import math

import structlog
from msgspec import Struct
from quart import Quart, Response
from quart_schema import RequestSchemaValidationError
from werkzeug.exceptions import HTTPException

from server.domain.refusal import Code, Refusal
from server.service.identity import Unauthenticated

STATUS: dict[Code, int] = {
    Code.CONFLICT: 409,
    Code.INVALID: 400,
    Code.TOO_LARGE: 413,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.UNKNOWN_KIND: 400,
    Code.UNKNOWN_METHOD: 400,
    Code.RATE_LIMITED: 429,
    Code.BUSY: 503,
    Code.STORAGE_FULL: 507,
    Code.UNAVAILABLE: 503,
}

log = structlog.get_logger(__name__)


class Error(Struct, frozen=True):
    """What an error looks like."""

    code: str
    message: str


Answer = tuple[dict[str, str], int, dict[str, str]]


def install(app: Quart) -> None:
    """Answer every error of the application in this way."""
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(Unauthenticated, _unauthenticated)
    app.register_error_handler(RequestSchemaValidationError, _invalid)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)


async def _refusal(error: Refusal) -> Answer:
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after / 1000))
    return _body(error.code, error.message), STATUS[error.code], headers


async def _unauthenticated(error: Unauthenticated) -> Answer:
    code = "token_expired" if error.expired else "unauthenticated"
    return _body(code, str(error)), 401, {"WWW-Authenticate": "Bearer"}


async def _invalid(error: RequestSchemaValidationError) -> Answer:
    return _body(Code.INVALID, str(error.validation_error)), 400, {}


async def _http(error: HTTPException) -> Answer | Response:
    if error.code is None or error.code < 400:
        response = error.get_response()
        return Response(b"", response.status_code, response.headers)
    if error.code == 400:
        return _body(Code.INVALID, "the request's body is not what it should be: JSON"), 400, {}
    code = error.name.lower().replace(" ", "_")
    headers = {k: v for k, v in error.get_headers() if k.lower() == "allow"}
    return _body(code, error.description or error.name), error.code, headers


async def _fault(error: Exception) -> Answer:
    log.error("a request failed", exc_info=error)
    return _body("internal", "the server made a mistake; try again"), 500, {}


def _body(code: str, message: str) -> dict[str, str]:
    return {"code": str(code), "message": message}

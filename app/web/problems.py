"""Every error of the service as a problem document (RFC 9457)."""

import math
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from app.core import errors
from app.web.fields import FaultOut, ProblemOut
from app.web.openapi import allowed_methods

PROBLEM_JSON: Final = "application/problem+json"
_BAD_REQUEST: Final = 400
_METHOD_NOT_ALLOWED: Final = 405

#: Status, stable name and title of each class; a subclass without a row of its own has its parent's.
_KINDS: Final[dict[type[errors.AppError], tuple[int, str, str]]] = {
    errors.AuthenticationError: (401, "unauthenticated", "Not authenticated"),
    errors.PermissionDeniedError: (403, "forbidden", "Not allowed"),
    errors.NotFoundError: (404, "not-found", "Not found"),
    errors.ConflictError: (409, "conflict", "Conflict with what is stored"),
    errors.PreconditionError: (412, "precondition-failed", "Changed meanwhile"),
    errors.MissingPricesError: (409, "missing-prices", "Prices missing"),
    errors.TooLargeError: (413, "too-large", "Body too large"),
    errors.InvalidInputError: (422, "invalid-input", "Invalid input"),
    errors.ThrottledError: (429, "too-many-requests", "Too many requests"),
    errors.UnavailableError: (503, "unavailable", "Temporarily unavailable"),
    errors.AppError: (500, "internal", "Internal error"),
}
_TITLES: Final = {404: "Not found", 405: "Method not allowed", 413: "Body too large"}
_TITLE_OF_STATUS: Final = _TITLES | {status: title for status, _, title in reversed(_KINDS.values())}

#: What an answer of each status says, for the document.
_EXAMPLES: Final = {
    401: "The token is not valid, or no longer. Log in again.",
    403: "This needs the role admin or risk; you have client.",
    404: "No client 7.",
    409: "Client 7 holds positions; close them first.",
    412: "Somebody changed this since you saw it; read it again, then decide.",
    413: "The body may have at most 1048576 bytes.",
    422: "query.limit: Input should be greater than or equal to 1",
    429: "Too many wrong passwords. Wait before you try again.",
    503: "The database does not answer. Try again shortly.",
}

_log = structlog.get_logger(__name__)


def problem(request: Request, document: ProblemOut, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a problem document as a response."""
    document = document.model_copy(update={"request_id": request.scope.get("request_id")})
    body = document.model_dump(mode="json", exclude_none=True)
    return JSONResponse(body, status_code=document.status, headers=headers, media_type=PROBLEM_JSON)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that answers with these error statuses."""
    return {status: _documented(status) for status in statuses}


def install(app: FastAPI, *, database_down: tuple[type[Exception], ...]) -> None:
    """Make every error of `app` a problem document; `database_down` are answered with 503."""
    app.add_exception_handler(errors.AppError, _app_error)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    for exception in database_down:
        app.add_exception_handler(exception, _database_down)


def _documented(status: int) -> dict[str, Any]:
    """Return the OpenAPI response of one status."""
    response: dict[str, Any] = {
        "description": _TITLE_OF_STATUS[status],
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": _example(status)}},
    }
    header = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}.get(status)
    if header:
        kind = "integer" if header == "Retry-After" else "string"
        response["headers"] = {header: {"schema": {"type": kind}}}
    return response


def _example(status: int) -> dict[str, Any]:
    """Return a problem document of a status."""
    name = next((name for code, name, _ in _KINDS.values() if code == status), None)
    return {
        "type": f"urn:problem:{name}" if name else "about:blank",
        "title": _TITLE_OF_STATUS[status],
        "status": status,
        "detail": _EXAMPLES[status],
        "request_id": "0f8fad5bd9cb469fa16570867728950e",
    }


async def _app_error(request: Request, error: Exception) -> JSONResponse:
    """Answer an expected error."""
    assert isinstance(error, errors.AppError)
    return problem(request, _document(error), _headers(error))


def _document(error: errors.AppError) -> ProblemOut:
    """Return the problem document of an expected error."""
    status, name, title = next(_KINDS[kind] for kind in type(error).__mro__ if kind in _KINDS)
    return ProblemOut(
        type=f"urn:problem:{name}",
        title=title,
        status=status,
        detail=str(error),
        symbols=list(error.symbols) if isinstance(error, errors.MissingPricesError) else None,
        errors=_faults(error) if isinstance(error, errors.InvalidInputError) else None,
    )


def _headers(error: errors.AppError) -> dict[str, str]:
    """Return the headers that HTTP wants with this error."""
    if isinstance(error, errors.AuthenticationError):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, errors.RetryableError):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    return {}


def _faults(error: errors.InvalidInputError) -> list[FaultOut] | None:
    """Return where and what is wrong, if the error knows."""
    return [FaultOut(loc=list(fault.where), msg=fault.what) for fault in error.faults] or None


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    """Answer a request that does not fit its schema, without echoing what may be a secret."""
    assert isinstance(error, RequestValidationError)
    faults = [FaultOut(loc=list(fault["loc"]), msg=_plain(fault["msg"])) for fault in error.errors()]
    detail = "; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in faults[:5])
    document = ProblemOut(
        type="urn:problem:invalid-input", title="Invalid input", status=422, detail=detail, errors=faults[:100]
    )
    return problem(request, document)


def _plain(message: str) -> str:
    """Drop pydantic's label in front of our own messages."""
    return message.removeprefix("Value error, ")


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses: unknown route, wrong method, a body that is too large or cannot be read."""
    assert isinstance(error, StarletteHTTPException)
    if error.status_code == _BAD_REQUEST:
        return await _app_error(request, errors.InvalidInputError(f"{error.detail}."))
    headers = dict(error.headers or {})
    if error.status_code == _METHOD_NOT_ALLOWED:
        headers["Allow"] = allowed_methods(request) or headers.get("Allow", "")
    title = _TITLES.get(error.status_code, "Request refused")
    document = ProblemOut(type="about:blank", title=title, status=error.status_code, detail=str(error.detail))
    return problem(request, document, headers)


async def _database_down(request: Request, error: Exception) -> JSONResponse:
    """Answer while PostgreSQL is away or too slow."""
    _log.warning("database unavailable", error=f"{type(error).__name__}: {error}")
    unavailable = errors.DatabaseError("The database does not answer. Try again shortly.")
    return await _app_error(request, unavailable)


def last_resort(request: Request, error: Exception) -> JSONResponse:
    """Answer a request that ran out of time, or a bug of ours: without its internals; the log has them."""
    if isinstance(error, TimeoutError):
        document = _document(errors.UnavailableError("The answer took too long. Try again shortly."))
        return problem(request, document, {"Retry-After": "1"})
    _log.error("unexpected error", exc_info=error)
    detail = "Something went wrong on our side; the log has it under this request id."
    return problem(request, ProblemOut(type="urn:problem:internal", title="Internal error", status=500, detail=detail))


def body_too_large(request: Request, limit: int) -> JSONResponse:
    """Refuse a body before it is read."""
    detail = f"The body may have at most {limit} bytes."
    return problem(request, ProblemOut(type="about:blank", title=_TITLES[413], status=413, detail=detail))

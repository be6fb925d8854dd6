"""HTTP parts that all services share: JSON answers, RFC 9457 problems, CORS by allow-list, spans of requests."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from quire_runtime import tracing
from quire_runtime.logs import get_logger

log = get_logger(__name__)

PROBLEM_TYPE = "application/problem+json"
_CODES: Mapping[int, str] = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
}
_encoder = msgspec.json.Encoder()


class Problem(Exception):
    """An answer other than success. Raised anywhere in a request, it becomes problem JSON."""

    def __init__(self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers, self.extra = status, code, detail, headers, extra

    def response(self) -> Response:
        return problem(self.status, self.code, self.detail, headers=self.headers, **self.extra)


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Returns a JSON answer. msgspec encodes it, also structs and datetimes."""
    return Response(_encoder.encode(content), status, headers, media_type="application/json")


def problem(status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any) -> Response:
    """Returns RFC 9457 problem JSON. `code` is the stable name for clients' code, `detail` the sentence for people."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail, **extra}
    return Response(_encoder.encode(body), status, headers, media_type=PROBLEM_TYPE)


def exception_handlers() -> dict[Any, ExceptionHandler]:
    """Returns Starlette's `exception_handlers`, which turn every exception into problem JSON."""
    return {Problem: _on_problem, HTTPException: _on_http_exception, Exception: _on_error}


def cors(origins: Sequence[str]) -> Middleware:
    """Returns the middleware for CORS by allow-list. It allows no credentials, as tokens travel in a header."""
    return Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "OPTIONS"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Traceparent"],
        expose_headers=["Retry-After"],
        max_age=600,
    )


def request_span(request: Request, route: str) -> tracing.Span:
    """Begins the span of a request in its caller's trace, or in a new one. `route` is the path with the names of its
    parameters.
    """
    if not tracing.enabled():
        return tracing.OFF
    attributes = {
        "http.request.method": request.method,
        "http.route": route,
        "url.scheme": request.scope["scheme"],
        "url.path": request.scope["path"],
    }
    return tracing.span(f"{request.method} {route}", attributes, kind="server", parent=request.headers.get("traceparent", ""))


def answered(span: tracing.Span, status: int) -> None:
    """Notes the status of an answer in its span. From 500 on, the request counts as failed."""
    span.set({"http.response.status_code": status})
    if status >= 500:
        span.fail(str(status))


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 -- registered for this class
    return error.response()


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for this class
    return problem(error.status_code, code_of(error.status_code), error.detail, headers=error.headers)


def code_of(status: int) -> str:
    """Returns the `code` of a problem of which only the status is known."""
    return _CODES.get(status, HTTPStatus(status).name.lower())


async def _on_error(request: Request, error: Exception) -> Response:
    log.error("request failed", method=request.method, path=request.scope["path"], exc_info=error)
    return problem(500, "internal", "Something went wrong here, not with the request. The log has the details.")

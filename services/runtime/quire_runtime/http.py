"""HTTP as every service does it: RFC 9457 problems, CORS by allow-list, and uvicorn as one task among others."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import uvicorn
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from quire_runtime import tracing
from quire_runtime.connections import Connection
from quire_runtime.errors import CannotServe
from quire_runtime.files import BACKLOG, Places, room_for_connections
from quire_runtime.logs import get_logger
from quire_runtime.settings import HttpSettings, is_loopback

log = get_logger(__name__)

PROBLEM_TYPE = "application/problem+json"
STALLED_SECONDS = 60
"""How long a client may take none of what is sent to it, until the kernel ends its connection."""
KERNEL_BYTES = 64 * 1024
"""Bytes not sent yet that the kernel may hold for a client: so one that is slow is noticed here, soon."""
_CODES: Mapping[int, str] = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
}
_encoder = msgspec.json.Encoder()

WebSockets = Literal["none"] | Callable[..., asyncio.Protocol]


class CannotListen(CannotServe):
    """The address is not ours, or taken by another program. Correct the setting, or stop that program."""


class Problem(Exception):
    """An answer other than success: raise it anywhere in a request, it becomes problem JSON."""

    def __init__(self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers, self.extra = status, code, detail, headers, extra

    def response(self) -> Response:
        return problem(self.status, self.code, self.detail, headers=self.headers, **self.extra)


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON by msgspec, the one codec: structs, datetimes and all."""
    return Response(_encoder.encode(content), status, headers, media_type="application/json")


def problem(status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any) -> Response:
    """RFC 9457 problem JSON; `code` is the stable name clients switch on, `detail` the sentence people read."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail, **extra}
    return Response(_encoder.encode(body), status, headers, media_type=PROBLEM_TYPE)


def exception_handlers() -> dict[Any, ExceptionHandler]:
    """For Starlette's `exception_handlers`: every exception ends as problem JSON."""
    return {Problem: _on_problem, HTTPException: _on_http_exception, Exception: _on_error}


def cors(origins: Sequence[str]) -> Middleware:
    """CORS for the allow-list; no credentials, as tokens travel in a header."""
    return Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "OPTIONS"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Traceparent"],
        expose_headers=["Retry-After"],
        max_age=600,
    )


def request_span(request: Request, route: str) -> tracing.Span:
    """The span of a request in its caller's trace, or in a new one. `route` is the path with its parameters' names."""
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
    """Notes the status that a server answers with: from 500 on the request has failed."""
    span.set({"http.response.status_code": status})
    if status >= 500:
        span.fail(str(status))


class KnownHosts:
    """For a server that trusts all of its own machine: it answers only to names of this machine, and to `more`. Else a page of
    anybody's could read everything from the user's browser, once its own name is made to point here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, more: Collection[str]) -> None:
        self._app = app
        self._more = frozenset(more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._knows(Headers(scope=scope).get("host", "localhost")):
            await self._app(scope, receive, send)
            return
        detail = "This address is for this machine alone. To use another name: set QUIRE_ORIGINS, or QUIRE_AUTH."
        await problem(421, "unknown_host", detail)(scope, receive, send)

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name.endswith(".localhost") or name in self._more


class SafeAnswers:
    """What every answer says, unless it says otherwise itself: no browser guesses what it is, no cache keeps it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, safe)


class PlainErrors:
    """Makes problem JSON of the errors that Starlette answers with in plain text: a CORS preflight that is refused, a Range that
    a static file does not have. Their text becomes `detail`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        text = b""

        async def told(message: Message) -> None:
            nonlocal start, text
            if _is_plain_error(message):
                start = message
            elif start is None:
                await send(message)
            else:
                text += message["body"]
                if not message.get("more_body", False):
                    await _problem_of(start, text)(scope, receive, send)

        await self._app(scope, receive, told)


def _is_plain_error(message: Message) -> bool:
    if message["type"] != "http.response.start" or message["status"] < 400:
        return False
    return Headers(scope=message).get("content-type", "").startswith("text/plain")


def _problem_of(start: Message, text: bytes) -> Response:
    headers = MutableHeaders(scope=start)
    del headers["content-type"], headers["content-length"]
    status: int = start["status"]
    return problem(status, _code(status), text.decode() or HTTPStatus(status).description, headers=headers)


class HttpServer:
    """uvicorn run by its owner: it takes no signals, binds before anything starts, and ends when `stop` is called."""

    def __init__(
        self,
        app: ASGIApp,
        settings: HttpSettings,
        *,
        setting: str = "QUIRE_HTTP_PORT",
        ws: WebSockets = "none",
        graceful: float = 10.0,
        trusted_proxies: Sequence[str] = (),
        **config: Any,
    ) -> None:
        """Raises CannotListen, naming `setting`. `graceful`: seconds open requests have to end after `stop`. `trusted_proxies`:
        addresses and networks; the client of a request that comes through them is whom their X-Forwarded-For names.
        """
        self._socket = bind(settings.host, settings.port, setting)
        self.port: int = self._socket.getsockname()[1]
        self.places: Places[Connection] = Places(settings.max_connections or room_for_connections(), setting)
        self._server = _Server(
            uvicorn.Config(
                SafeAnswers(PlainErrors(app)),
                host=settings.host,
                port=self.port,
                http=partial(Connection, settings, self.places),  # type: ignore[arg-type]  # it is called, and nothing else
                ws=ws,  # type: ignore[arg-type]  # likewise
                backlog=BACKLOG,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
                ws_per_message_deflate=False,
                timeout_keep_alive=settings.keep_alive,  # type: ignore[arg-type]  # it goes to loop.call_later as it is
                timeout_graceful_shutdown=graceful,  # type: ignore[arg-type]  # it goes to asyncio.wait_for as it is
                **config,
            )
        )

    async def run(self) -> None:
        """Serves until `stop`; when cancelled, stops at once."""
        try:
            await self._server.serve(sockets=[self._socket])
        except asyncio.CancelledError:
            if self._server.started:
                self._server.force_exit = True
                await self._server.shutdown(sockets=[self._socket])
            raise
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Takes no new connection and lets `run` return once the open ones have ended, or their time is up."""
        self._server.should_exit = True


def bind(host: str, port: int, setting: str) -> socket.socket:
    """A socket that listens; raises CannotListen, naming `setting`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option, value in (("TCP_USER_TIMEOUT", STALLED_SECONDS * 1000), ("TCP_NOTSENT_LOWAT", KERNEL_BYTES)):
        if hasattr(socket, option):  # what is accepted here inherits it
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            taken = f"port {port} on {host} is taken by another program. Stop that one, or set {setting} to a free port"
            raise CannotListen(taken) from None
        what = f"cannot listen on {host}:{port} ({error.strerror}). Correct {setting}, or {setting.replace('PORT', 'HOST')}"
        raise CannotListen(what) from None
    sock.settimeout(0)
    return sock


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 -- registered for this class
    return error.response()


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for this class
    return problem(error.status_code, _code(error.status_code), error.detail, headers=error.headers)


def _code(status: int) -> str:
    return _CODES.get(status, HTTPStatus(status).name.lower())


async def _on_error(request: Request, error: Exception) -> Response:
    log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return problem(500, "internal", "Something went wrong here, not with the request. The log has the details.")

"""ASGI middleware: a check of the Host header, headers of every answer, and errors as problem JSON."""

from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quire_runtime.http import code_of, problem
from quire_runtime.settings import is_loopback


class KnownHosts:
    """Answers only requests to names of this machine and to `more`, for a server that trusts everybody on its machine.
    Otherwise any web page could point its own name here, and read everything from the user's browser (DNS rebinding).
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
    """Adds default headers to every answer: browsers must not guess its type, and caches must not keep it."""

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
    """Makes problem JSON of errors that Starlette answers in plain text, such as a refused CORS preflight, or a Range that a
    static file does not have. The text becomes `detail`.
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
    return problem(status, code_of(status), text.decode() or HTTPStatus(status).description, headers=headers)

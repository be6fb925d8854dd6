"""The HTTP interface of ingest (docs/design.md, "Contracts"): checks requests, passes them on, and sends the answers."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TypeVar
from uuid import UUID, uuid4

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from quire_ingest import metrics
from quire_ingest.answers import away
from quire_ingest.body import BodyLimits, ClientLeft, boundary_of, file_events, refuse_length
from quire_ingest.commands import Caller, Commands
from quire_ingest.records import request_id_of
from quire_ingest.request_commands import RequestCommands
from quire_ingest.submission import Ask, Submission, UploadParts
from quire_runtime import tracing
from quire_runtime.auth import Authenticator, Forbidden
from quire_runtime.http import Problem, answered, cors, exception_handlers, json_response, request_span
from quire_runtime.kafka import LogUnavailable
from quire_runtime.logs import get_logger
from quire_runtime.settings import EVERY_ORIGIN
from quire_runtime.static import published_route
from quire_schemas.asked import MAX_KEY_BYTES, Cancel, Retry, RetryFiles
from quire_schemas.events import POLICIES, Policy
from quire_schemas.fields import MAX_FILENAME_BYTES, CollectionId
from quire_schemas.text import scrub, shorten, undeceptive
from quire_schemas.views import CommandAccepted, RequestCommandAccepted

log = get_logger(__name__)

B = TypeVar("B", Cancel, Retry, RetryFiles)


class Api:
    """The routes of ingest, and the operations behind them."""

    def __init__(
        self,
        parts: UploadParts,
        commands: tuple[Commands, RequestCommands],
        authenticator: Authenticator,
        limits: BodyLimits,
        origins: tuple[str, ...],
    ) -> None:
        self._parts = parts
        self._commands, self._request_commands = commands
        self._authenticator = authenticator
        self._limits = limits
        self._origins = frozenset(origins)
        self._open: set[asyncio.Task[object]] = set()

    async def idle(self, seconds: float) -> None:
        """Waits until no operation is under way, for `seconds` at most: a cancelled one still deletes what it has stored."""
        if self._open:
            await asyncio.wait(self._open, timeout=seconds)

    def app(self) -> Starlette:
        routes = [
            Route("/", self._root),
            published_route("/openapi.json", "openapi-ingest.json"),
            self._route("/api/documents/process", "upload", self._upload),
            self._route("/api/batches/{batch_id}/cancel", "cancel", self._cancel),
            self._route("/api/batches/{batch_id}/retry", "retry", self._retry),
            self._route("/api/requests/{request_id}/cancel", "cancel_request", self._cancel_request),
            self._route("/api/requests/{request_id}/retry", "retry_request", self._retry_request),
        ]
        app = Starlette(routes=routes, middleware=[cors(sorted(self._origins))], exception_handlers=exception_handlers())
        app.router.redirect_slashes = False  # a redirect would lack the path prefix that a proxy in front has removed
        return app

    async def _root(self, _request: Request) -> Response:
        return json_response({"service": "quire-ingest", "upload": "POST /api/documents/process"})

    async def _upload(self, request: Request) -> Response:
        principal = await self._authenticator.of_headers(request.headers)
        collection_id = _collection(request)
        policy = _policy(request)
        if not principal.may_write(collection_id):
            raise Forbidden(f"the token does not allow to submit to the collection {collection_id}")
        boundary = boundary_of(request.headers.get("content-type"))
        refuse_length(request.headers.get("content-length"), self._limits)
        key = _idempotency_key(request)
        ask = Ask(
            request_id=str(uuid4()) if key is None else request_id_of(principal.subject, collection_id, key),
            collection_id=collection_id,
            policy=policy,
            name=_name(request),
            keyed=key is not None,
            traceparent=tracing.current(),
            left=request.is_disconnected,
        )
        async with aclosing(file_events(request.receive, boundary, self._limits)) as events:
            answer = await Submission(self._parts, ask).take(events)
        log.info("accepted", request_id=ask.request_id, files=answer.accepted, batches=len(answer.batches))
        return json_response(answer, 202)

    async def _cancel(self, request: Request) -> Response:
        return await self._command(request, "batch", Cancel, self._commands.cancel)

    async def _retry(self, request: Request) -> Response:
        return await self._command(request, "batch", Retry, self._commands.retry)

    async def _cancel_request(self, request: Request) -> Response:
        return await self._command(request, "request", Cancel, self._request_commands.cancel)

    async def _retry_request(self, request: Request) -> Response:
        return await self._command(request, "request", RetryFiles, self._request_commands.retry)

    async def _command(
        self,
        request: Request,
        of: str,
        kind: type[B],
        carry_out: Callable[[str, Caller, B], Awaitable[CommandAccepted | RequestCommandAccepted]],
    ) -> Response:
        caller = Caller(
            principal=await self._authenticator.of_headers(request.headers),
            authorization=request.headers.get("authorization"),
            traceparent=tracing.current(),
        )
        name = f"{of}_id"
        id_of = _id(request, name)
        body = await _body(request, kind, self._limits)
        try:
            accepted = await carry_out(id_of, caller, body)
        except LogUnavailable as error:
            raise away(error) from error
        log.info("appended", command=request.scope["path"].rpartition("/")[2], **{name: id_of})
        return json_response(accepted, 202)

    def _route(self, path: str, name: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
        """Returns the route of an operation, with the parts that all operations share: check of the origin, trace, metrics."""

        async def operation(request: Request) -> Response:
            with _observed(name) as observed, self._counted(), request_span(request, path) as span:
                try:
                    self._refuse_origin(request)
                    tracing.bind(span.traceparent or tracing.continued(request.headers.get("traceparent")))
                    response = await answer(request)
                except Problem as problem:
                    metrics.PROBLEMS.labels(name, problem.code).inc()
                    response = problem.response()
                except (ClientLeft, ClientDisconnect):
                    log.info("the client left before its request was whole", operation=name)
                    response = Response(status_code=499)
                observed.status = response.status_code
                answered(span, response.status_code)
                return response

        return Route(path, operation, methods=["POST"])

    @contextmanager
    def _counted(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a request is always served in a task
        self._open.add(task)
        try:
            yield
        finally:
            self._open.discard(task)

    def _refuse_origin(self, request: Request) -> None:
        """Refuses requests of pages whose origin is not allowed. Raises Problem 403.

        CORS alone keeps such a page from reading the answer, but not from sending an upload that needs no token.
        """
        origin = request.headers.get("origin")
        if origin is not None and not self._origins & {origin, EVERY_ORIGIN}:
            raise Problem(
                403, "origin_not_allowed", f"Pages of {origin[:200]} may not use this API. QUIRE_ORIGINS lists those that may."
            )


class _Observed:
    status = 500


@contextmanager
def _observed(operation: str) -> Iterator[_Observed]:
    observed = _Observed()
    started = time.monotonic()
    with metrics.OPEN.track_inprogress():
        try:
            yield observed
        finally:
            metrics.REQUESTS.labels(operation, observed.status).observe(time.monotonic() - started)


def _collection(request: Request) -> str:
    try:
        return msgspec.convert(request.query_params.get("collection_id", "default"), CollectionId)
    except msgspec.ValidationError:
        detail = "collection_id takes 1 to 128 letters, digits, dots, underscores and hyphens."
        raise Problem(422, "invalid_collection_id", detail) from None


def _policy(request: Request) -> Policy:
    policy = request.query_params.get("policy", POLICIES[0])
    if policy not in POLICIES:
        raise Problem(422, "invalid_policy", f"policy is one of {', '.join(POLICIES)}.")
    return policy


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= MAX_KEY_BYTES:
        raise Problem(422, "invalid_idempotency_key", f"Idempotency-Key takes 1 to {MAX_KEY_BYTES} bytes.")
    return key


def _name(request: Request) -> str | None:
    """Returns the name that the client gives to the upload; None where it gives none: then the first file gives the name."""
    name = undeceptive(scrub(request.query_params.get("name", ""))).strip()
    return shorten(name, MAX_FILENAME_BYTES) if name else None


def _id(request: Request, name: str) -> str:
    try:
        return str(UUID(request.path_params[name]))
    except ValueError:
        what = "batch" if name == "batch_id" else "upload"
        raise Problem(404, "not_found", f"There is no such {what}: its id is a UUID.") from None


async def _body(request: Request, kind: type[B], limits: BodyLimits) -> B:
    """Returns the decoded JSON body of a command; an empty body counts as an empty object.

    Raises Problem 408 where the body is not whole in time, 413 where it is too large, 422 where it is not as expected.
    """
    data = b""
    try:
        async with asyncio.timeout(limits.command_seconds):
            async for chunk in request.stream():
                data += chunk
                if len(data) > limits.command_bytes:
                    raise Problem(413, "request_too_large", f"A command takes at most {limits.command_bytes} bytes.")
    except TimeoutError:
        raise Problem(408, "too_slow", f"The command was not whole after {limits.command_seconds:g} s. Send it again.") from None
    try:
        return msgspec.json.decode(_without_surrogates(data) if b"\\u" in data else data or b"{}", type=kind)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise Problem(422, "invalid_body", f"The body is not as it should be: {error}.") from None


def _without_surrogates(data: bytes) -> bytes:
    """Returns the JSON without unpaired surrogates.

    JavaScript may write them as escapes, UTF-8 cannot encode them, and the standard library reads them.
    """
    text = json.dumps(json.loads(data), ensure_ascii=False)
    return text.encode(errors="ignore")

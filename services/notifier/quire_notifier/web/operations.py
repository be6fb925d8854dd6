"""What every operation of the HTTP API has around it: a caller, a measured time, a span, and 503 while Postgres is away."""

import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from quire_notifier import metrics
from quire_notifier.projecting.epochs import passes
from quire_notifier.web.contents import RETRY_AFTER
from quire_runtime import tracing
from quire_runtime.auth import Authenticator, Principal
from quire_runtime.http import Problem, answered, request_span
from quire_runtime.logs import get_logger

log = get_logger(__name__)

Operation = Callable[[Request, Principal], Awaitable[Response]]


def guarded(authenticator: Authenticator, name: str, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint of an operation for known callers only."""

    async def endpoint(request: Request) -> Response:
        async def answer() -> Response:
            return await operation(request, await authenticator.of_headers(request.headers))

        return await observed(request, name, answer)

    return endpoint


async def observed(request: Request, name: str, answer: Callable[[], Awaitable[Response]]) -> Response:
    """Runs an operation, measures it, and answers 503 when Postgres is away. It has a span only if the caller's trace is
    recorded.
    """
    started, status = time.monotonic(), 500
    span = request_span(request, name) if tracing.sampled(request.headers.get("traceparent")) else tracing.OFF
    try:
        response = await answer()
        status = response.status_code
    except Problem as problem:
        status = problem.status
        raise
    except Exception as error:
        if not passes(error):
            raise
        status = 503
        log.warning("postgres does not answer", operation=name, error=repr(error))
        detail = "The database does not answer, or its tables are lost or being made again. Try again in a while."
        raise Problem(503, "database_unavailable", detail, headers=RETRY_AFTER) from error
    finally:
        metrics.REQUESTS.labels(name, str(status)).observe(time.monotonic() - started)
        answered(span, status)
        span.end()
    return response

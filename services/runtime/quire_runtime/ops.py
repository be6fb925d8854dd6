"""The port for machines: whether the service is alive, whether it and its dependencies are ready, and its metrics."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from quire_runtime.http import exception_handlers, json_response
from quire_runtime.http_server import HttpServer
from quire_runtime.settings import HttpSettings
from quire_runtime.signals import never_silent

Check = Callable[[], Awaitable[None]]
STARTING = "start"
"""The only check of a service that waits for what it needs to start. Requests cannot exclude it."""
CHECK_TIMEOUT = 3.0
"""Seconds that one dependency has to answer. Readiness probes usually wait 5 to 10."""
MOST_CONNECTIONS = 32
"""Connections of the ops port at most. They have their own open files (`files.RESERVED`), so the port answers however many
clients the other port has.
"""


class OpsServer:
    """Serves `/livez`, `/readyz` and `/metrics`. `/livez` shows that the event loop runs. `/readyz` runs each check, which
    raises when its dependency is away. `/metrics` is for Prometheus. With `draining` set, `/readyz` is 503, so that no new work
    is sent here. `/readyz?exclude=log&exclude=…` leaves out checks, as with Kubernetes' own servers: when a dependency is away,
    that is no reason to take all replicas out of service.
    """

    def __init__(
        self,
        host: str,
        port: int,
        checks: Mapping[str, Check] | None = None,
        *,
        registry: CollectorRegistry = REGISTRY,
        timeout: float = CHECK_TIMEOUT,
    ) -> None:
        """Without `checks` the service is not ready until they are set. A service that waits for what it needs to start has no
        checks yet.
        """
        self.draining = False
        self.checks = {STARTING: _starting} if checks is None else checks
        self._registry = registry
        self._timeout = timeout
        app = Starlette(
            routes=[Route("/livez", self._livez), Route("/readyz", self._readyz), Route("/metrics", self._metrics)],
            exception_handlers=exception_handlers(),
        )
        settings = HttpSettings(host=host, port=port, max_connections=MOST_CONNECTIONS)
        self._server = HttpServer(app, settings, setting="QUIRE_OPS_PORT", graceful=1.0)
        self.port = self._server.port

    @never_silent
    async def run(self) -> None:
        """Serves until `stop`."""
        await self._server.run()

    def stop(self) -> None:
        self._server.stop()

    async def _livez(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def _readyz(self, request: Request) -> Response:
        left_out = request.query_params.getlist("exclude")
        asked = {name: check for name, check in self.checks.items() if name == STARTING or name not in left_out}
        results = await asyncio.gather(*(self._ask(check) for check in asked.values()))
        checks = dict(zip(asked, results, strict=True))
        ready = not self.draining and all(result["ok"] for result in results)
        return json_response({"ready": ready, "draining": self.draining, "checks": checks}, 200 if ready else 503)

    async def _ask(self, check: Check) -> dict[str, object]:
        started = time.monotonic()
        error: str | None = None
        try:
            async with asyncio.timeout(self._timeout):
                await check()
        except TimeoutError:
            error = f"no answer within {self._timeout:g} s"
        except Exception as failure:  # noqa: BLE001 -- any exception of a check is its result
            error = str(failure) or type(failure).__name__
        seconds = round(time.monotonic() - started, 4)
        return {"ok": error is None, "seconds": seconds} | ({"error": error} if error is not None else {})

    async def _metrics(self, _request: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


async def _starting() -> None:
    raise RuntimeError("starting: waiting for what it needs; the log says what that is")

"""A collector of traces that remembers what it was sent: OTLP, protobuf over HTTP.

async with collecting() as collector:
    ... QUIRE_TRACES_ENDPOINT = collector.url ...
    await collector.until(lambda spans: any(span.name == "push" for span in spans))
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quire_runtime.http_server import HttpServer
from quire_runtime.settings import HttpSettings

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Seen:
    """A span as it was sent; ids as in a traceparent, `parent` empty where a trace begins."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool
    links: tuple[str, ...]
    began: int
    ended: int


@dataclass
class Collector:
    """What is not answered with `status` 200 is forgotten."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)
    status: int = 200

    async def until(self, what: Callable[[Sequence[Seen]], bool]) -> list[Seen]:
        """The spans, once this is true of them."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not what(self.spans):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            came = sorted(f"{span.service} {span.name}" for span in self.spans)
            raise AssertionError(f"in {PATIENCE_SECONDS:.0f} s only these came: {came}") from None
        return list(self.spans)

    async def take(self, request: Request) -> Response:
        body = await request.body()
        if self.status != 200:
            return Response(status_code=self.status)
        assert request.headers["content-type"] == "application/x-protobuf"
        self.spans += _read(ExportTraceServiceRequest.FromString(body))
        return Response(ExportTraceServiceResponse().SerializeToString(), media_type="application/x-protobuf")


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    server = HttpServer(Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])]), HttpSettings(port=0))
    collector.url = f"http://127.0.0.1:{server.port}/v1/traces"
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run())
        yield collector
        server.stop()


def _read(request: ExportTraceServiceRequest) -> list[Seen]:
    return [
        _seen(str(_values(of_resource.resource.attributes)["service.name"]), span)
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _seen(service: str, span: Span) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes=_values(span.attributes),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        links=tuple(link.span_id.hex() for link in span.links),
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
    )


def _values(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    return {item.key: getattr(item.value, str(item.value.WhichOneof("value"))) for item in attributes}

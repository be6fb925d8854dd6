"""Makes spans with OpenTelemetry's SDK and sends them to a collector as protobuf over HTTP. Only this file uses OpenTelemetry.

The path of a span: `Tracer.begin` → its end → the SDK's queue → the SDK's thread → `_Counted.export` → the collector. Nothing
waits on this path: when the queue is full, its oldest span is dropped.
"""

import logging
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from contextvars import Token
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from quire_runtime import metrics
from quire_runtime.logs import get_logger
from quire_runtime.tracing import Attributes, Kind, Span, current, parse

log = get_logger(__name__)

QUEUE = 4_096
"""Spans that may wait to be sent, at about 3.5 KB each. A busy processor makes as many in half a minute."""
_KINDS: Mapping[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class Tracer:
    """Makes the spans of this process. Whether a trace that begins here is recorded depends on `ratio`; otherwise its parent
    decides.
    """

    def __init__(self, endpoint: str, ratio: float, service: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # its losses are counted and logged by `_Counted`
        self._exporter = OTLPSpanExporter(endpoint)
        resource = {
            "service.name": f"quire-{service}",
            "service.version": version("quire-runtime"),
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
        }
        self._provider = TracerProvider(ParentBasedTraceIdRatio(ratio), Resource.create(resource), shutdown_on_exit=False)
        self._provider.add_span_processor(_Queue(_Counted(self._exporter, endpoint)))
        self._tracer = self._provider.get_tracer("quire", version("quire-runtime"))
        log.info("traces are sent", endpoint=endpoint, ratio=ratio)

    def begin(
        self, name: str, attributes: Attributes | None, kind: Kind, parent: Span | str | None, links: Sequence[str]
    ) -> "Recorded":
        """Begins a span; see `tracing.span`."""
        around = trace.set_span_in_context(NonRecordingSpan(_above(parent)), Context())
        linked = [trace.Link(_context(link)) for link in links]
        return Recorded(self._tracer.start_span(name, around, _KINDS[kind], attributes, linked))

    def close(self, seconds: float) -> None:
        """Sends the waiting spans, for this many seconds at most. Blocks."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(seconds)
        if closing.is_alive():
            log.warning("the last spans were not taken in time", seconds=seconds)
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # ends its waiting


class Recorded(Span):
    """A span of the SDK. A span that is not sampled costs little and is not sent, but passes that decision on."""

    def __init__(self, recorded: trace.Span) -> None:
        self._span = recorded
        context = recorded.get_span_context()
        if context.is_valid:
            self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        self._tokens: Mapping[str, Token[Any]] = {}

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, error: str, reason: str = "") -> None:
        self._span.set_attribute("error.type", error)
        self._span.set_status(Status(StatusCode.ERROR, reason or None))

    def end(self) -> None:
        self._span.end()

    def __enter__(self) -> Self:
        if self.traceparent is not None:
            self._tokens = structlog.contextvars.bind_contextvars(traceparent=self.traceparent)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        structlog.contextvars.reset_contextvars(**self._tokens)
        if isinstance(error, Exception):
            self.fail(type(error).__name__, str(error))
        self.end()


def _above(parent: Span | str | None) -> SpanContext:
    """Returns the context of a new span's parent."""
    if isinstance(parent, str):
        return _context(parent)
    return _context(current() if parent is None else parent.traceparent, remote=False)


def _context(traceparent: str | None, *, remote: bool = True) -> SpanContext:
    """Returns the context of a span, which is in another process if `remote`. Without a valid traceparent the context is
    invalid.
    """
    known = parse(traceparent)
    if known is None:
        return trace.INVALID_SPAN_CONTEXT
    return SpanContext(int(known[3:35], 16), int(known[36:52], 16), remote, TraceFlags(int(known[53:], 16)))


class _Queue(BatchSpanProcessor):
    """The spans that wait to be sent."""

    def __init__(self, exporter: "_Counted") -> None:
        super().__init__(exporter, max_queue_size=QUEUE)
        self._counted = exporter
        self._ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Takes an ended span. Called in the thread of the event loop."""
        if not (span.context and span.context.trace_flags.sampled):
            return
        if self._ended - self._counted.begun >= QUEUE:
            metrics.SPANS_DROPPED.labels("full").inc()  # the SDK drops the oldest span, not this one
        else:
            self._ended += 1
        super().on_end(span)


class _Counted(SpanExporter):
    """Sends and counts spans, in the SDK's thread. Logs once that the collector does not take them."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self.begun = 0
        """Spans that do not wait any more: sent, or dropped by a failed request."""
        self._exporter = exporter
        self._endpoint = endpoint
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.begun += len(spans)
        result = self._exporter.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away:
            metrics.SPANS_DROPPED.labels("refused").inc(len(spans))
        else:
            metrics.SPANS.inc(len(spans))
        if away != self._away:
            self._away = away
            if away:
                log.warning("spans are dropped: the collector is away, or refuses them", endpoint=self._endpoint)
            else:
                log.info("spans are taken again", endpoint=self._endpoint)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

"""W3C trace context from an HTTP request through the events into logs, and the spans along this way.

`span` is the one way to a span. Until `exporting` has begun, it hands out OFF, which does nothing: then traceparents are
carried as they came, and OpenTelemetry is not imported. `tracing_export` makes the spans and sends them.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import structlog

from quire_runtime.settings import TracesSettings

if TYPE_CHECKING:
    from quire_runtime.tracing_export import Tracer

Attributes = Mapping[str, str | int | float | bool]
"""Names are OpenTelemetry's conventions, or begin with `quire.`; never a filename, a title or a text."""
Kind = Literal["internal", "server", "client", "producer", "consumer"]

FLUSH_SECONDS = 2.0
"""How long a service that ends waits for its last spans to be taken."""
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED = 1


class Span:
    """The span there is while traces are off. As a context manager it is the parent of what is begun inside, and ends with it;
    otherwise call `end`.
    """

    traceparent: str | None = None
    """What continues this span elsewhere; None while traces are off."""

    def set(self, attributes: Attributes) -> None:
        """Adds attributes."""

    def fail(self, error: str, reason: str = "") -> None:
        """Marks what it times as failed; `error` is one of few: a code, a status, the name of an exception."""

    def end(self) -> None:
        """Once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Fails it when the block raises; a cancellation is no failure."""


OFF = Span()
_tracer: "Tracer | None" = None


def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: Kind = "internal",
    parent: Span | str | None = None,
    links: Sequence[str] = (),
) -> Span:
    """Begins a span under the one around it, or under `parent`: a span, or the traceparent of one in another process (a trace
    begins where that is no valid one). `links`: traceparents of what else led here. Never blocks, never raises.
    """
    if _tracer is None:
        return OFF
    return _tracer.begin(name, attributes, kind, parent, links)


def enabled() -> bool:
    """Whether spans are made at all."""
    return _tracer is not None


@asynccontextmanager
async def exporting(settings: TracesSettings, service: str) -> AsyncIterator[None]:
    """Spans of this process are sent to `settings.endpoint` until the block ends; nothing happens where that is not set."""
    if settings.endpoint is None:
        yield
        return
    global _tracer  # noqa: PLW0603 -- one per process, as its logs
    from quire_runtime.tracing_export import Tracer  # noqa: PLC0415 -- an extra, and not to be loaded while traces are off

    tracer = _tracer = Tracer(settings.endpoint, settings.ratio, service)
    try:
        yield
    finally:
        _tracer = None
        await asyncio.to_thread(tracer.close, FLUSH_SECONDS)


def parse(header: str | None) -> str | None:
    """The `traceparent` header, if it is a valid one of version 00."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


def sampled(traceparent: str | None) -> bool:
    """Whether it is a valid one whose trace is recorded."""
    known = parse(traceparent)
    return known is not None and bool(int(known[53:], 16) & _SAMPLED)


def trace_id(traceparent: str) -> str:
    """Of a valid one."""
    return traceparent[3:35]


def continued(parent: str | None) -> str:
    """A traceparent for work caused by `parent`: same trace, new span; a new trace where there is none."""
    known = parse(parent)
    trace, flags = (known[3:35], known[53:]) if known else (secrets.token_hex(16), "00")
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"


def bind(traceparent: str | None) -> None:
    """Adds `traceparent` to every log record of the current task and of the tasks it starts."""
    if traceparent is None:
        structlog.contextvars.unbind_contextvars("traceparent")
    else:
        structlog.contextvars.bind_contextvars(traceparent=traceparent)


def current() -> str | None:
    """The traceparent bound in this task."""
    value = structlog.contextvars.get_contextvars().get("traceparent")
    return value if isinstance(value, str) else None

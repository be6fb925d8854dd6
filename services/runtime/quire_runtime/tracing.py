"""W3C trace context from an HTTP request through the events to the logs, and the spans along this way.

`span` is the one way to make a span. Until `exporting` has begun, it returns OFF, which does nothing: traceparents are then
passed on unchanged, and OpenTelemetry is not imported. `tracing_export` makes and sends the spans.
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
"""Attributes of a span. Their names follow OpenTelemetry's conventions or begin with `quire.`. They never contain a filename, a
title or a text.
"""
Kind = Literal["internal", "server", "client", "producer", "consumer"]

FLUSH_SECONDS = 2.0
"""Seconds that a service waits at its end for its last spans to be sent."""
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED = 1


class Span:
    """A span that does nothing, used while traces are off. Used as a context manager, a span is the parent of spans begun
    inside, and ends with the block; otherwise call `end`.
    """

    traceparent: str | None = None
    """The traceparent that continues this span elsewhere, or None while traces are off."""

    def set(self, attributes: Attributes) -> None:
        """Adds attributes."""

    def fail(self, error: str, reason: str = "") -> None:
        """Marks the span as failed. `error` is from a small set: a code, a status, the name of an exception."""

    def end(self) -> None:
        """Ends the span. Must be called once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the span, and marks it as failed when the block raises. A cancellation is no failure."""


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
    """Begins a span under the current one, or under `parent`: a span, or the traceparent of a span in another process. An
    invalid traceparent begins a new trace. `links` holds traceparents of other causes. Never blocks, never raises.
    """
    if _tracer is None:
        return OFF
    return _tracer.begin(name, attributes, kind, parent, links)


def enabled() -> bool:
    """Returns whether spans are made at all."""
    return _tracer is not None


@asynccontextmanager
async def exporting(settings: TracesSettings, service: str) -> AsyncIterator[None]:
    """Sends the spans of this process to `settings.endpoint` until the block ends. Does nothing if that is not set."""
    if settings.endpoint is None:
        yield
        return
    global _tracer  # noqa: PLW0603 -- one for each process, as with logs
    from quire_runtime.tracing_export import Tracer  # noqa: PLC0415 -- an optional package, not loaded while traces are off

    tracer = _tracer = Tracer(settings.endpoint, settings.ratio, service)
    try:
        yield
    finally:
        _tracer = None
        await asyncio.to_thread(tracer.close, FLUSH_SECONDS)


def parse(header: str | None) -> str | None:
    """Returns the `traceparent` header if it is a valid one of version 00, else None."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


def sampled(traceparent: str | None) -> bool:
    """Returns whether a traceparent is valid and its trace is recorded."""
    known = parse(traceparent)
    return known is not None and bool(int(known[53:], 16) & _SAMPLED)


def trace_id(traceparent: str) -> str:
    """Returns the trace id of a valid traceparent."""
    return traceparent[3:35]


def continued(parent: str | None) -> str:
    """Returns a traceparent for work caused by `parent`: a new span in the same trace, or in a new trace if there is no valid
    parent.
    """
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
    """Returns the traceparent bound in this task."""
    value = structlog.contextvars.get_contextvars().get("traceparent")
    return value if isinstance(value, str) else None

"""W3C trace context, as far as Quire carries it: from an HTTP request into its events, into logs."""

import re
import secrets

import structlog

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def parse(header: str | None) -> str | None:
    """The `traceparent` header, if it is a valid one of version 00."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


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

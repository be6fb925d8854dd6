"""Structured logs: JSON lines for machines, readable lines on a terminal. Records of libraries go through the same renderer."""

import logging
import sys
import time
from collections.abc import Sequence
from typing import Any

import structlog

from quire_runtime.settings import LogSettings

_QUIET = {"aiokafka": logging.WARNING, "botocore": logging.WARNING, "aiobotocore": logging.WARNING, "httpx": logging.WARNING,
          "httpcore": logging.WARNING, "uvicorn.error": logging.WARNING, "websockets": logging.WARNING}  # fmt: skip


REPEAT_SECONDS = 10.0
"""Seconds for which a repeated sentence of a library is dropped. aiokafka would report five times a second that a broker is
away.
"""


def setup(settings: LogSettings, service: str) -> None:
    """Sets up logging of the whole process. Every record carries `service`. Must be called once, by `main.py`."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Repeats())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[_add_service(service), structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(settings)],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.level.upper(), force=True)
    logging.captureWarnings(capture=True)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, logging.getLogger().level))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Returns a logger whose methods take an event and keyword values: `log.info("batch started", batch_id=…)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _renderers(settings: LogSettings) -> Sequence[structlog.typing.Processor]:
    if settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty()):
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    # Without the values of local variables: they contain passwords, tokens and contents, and take seconds to render.
    frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(frames), structlog.processors.JSONRenderer(ensure_ascii=False)]


class _Repeats(logging.Filter):
    """Drops repeated records of libraries."""

    def __init__(self) -> None:
        super().__init__()
        self._heard: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(("aiokafka", "botocore", "aiobotocore")):
            return True
        sentence, now = f"{record.name} {record.msg}", time.monotonic()
        if now - self._heard.get(sentence, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._heard[sentence] = now
        return True


def _add_service(service: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return add

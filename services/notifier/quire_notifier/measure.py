"""Counts what was committed."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from quire_notifier import metrics
from quire_notifier.fold import Folded
from quire_runtime.consumer import LogRecord
from quire_schemas.messages import (
    AnyFeedMessage,
    BatchCancelledMessage,
    BatchCompletedMessage,
    BatchFailedMessage,
    FileMessage,
)


def projected(records: Sequence[LogRecord], folded: Folded) -> None:
    """To be called once per committed poll."""
    events = [record.event for record in records if record.event is not None]
    for kind, count in Counter(event.type for event in events).items():
        metrics.EVENTS.labels(kind).inc(count)
    metrics.ACCEPTED.inc(folded.accepted)
    if events:
        age = datetime.now(UTC) - min(event.time for event in events)
        metrics.PROJECTION_AGE.observe(max(0.0, age.total_seconds()))
    for kind, count in Counter(str(type(message).__struct_config__.tag) for message in folded.messages).items():
        metrics.MESSAGES.labels(kind).inc(count)
    for message in folded.messages:
        _outcome(message)


def _outcome(message: AnyFeedMessage) -> None:
    if isinstance(message, FileMessage):
        metrics.FILES.labels(message.status, message.error_code or "none").inc()
    elif isinstance(message, BatchCompletedMessage):
        metrics.BATCHES.labels(message.status).inc()
        metrics.BATCH_SECONDS.observe(message.duration_ms / 1000)
    elif isinstance(message, BatchFailedMessage):
        metrics.BATCHES.labels("failed").inc()
    elif isinstance(message, BatchCancelledMessage):
        metrics.BATCHES.labels("cancelled").inc()

"""Updates the metrics after a poll was projected and committed."""

from collections import Counter
from collections.abc import Sequence

from msgspec import UNSET

from quire_notifier import metrics
from quire_notifier.projecting.fold import Folded
from quire_runtime.clock import seconds_since
from quire_runtime.consumer import LogRecord
from quire_schemas.messages import (
    AnyFeedMessage,
    BatchCancelledMessage,
    BatchCompletedMessage,
    BatchFailedMessage,
    BatchStartedMessage,
    FileMessage,
)
from quire_schemas.states import BatchState


def projected(records: Sequence[LogRecord], folded: Folded) -> None:
    """Counts the events and messages of a poll. Must be called once for each committed poll."""
    events = [record.event for record in records if record.event is not None]
    for kind, count in Counter(event.type for event in events).items():
        metrics.EVENTS.labels(kind).inc(count)
    metrics.ACCEPTED.inc(folded.accepted)
    if events:
        metrics.PROJECTION_AGE.observe(seconds_since(min(event.time for event in events)))
    for kind, count in Counter(str(type(message).__struct_config__.tag) for message in folded.messages).items():
        metrics.MESSAGES.labels(kind).inc(count)
    for message in folded.messages:
        _outcome(message, folded.changes[message.batch_id].after)


def _outcome(message: AnyFeedMessage, state: BatchState) -> None:
    """Counts the outcome that a message reports. `state` is the batch's state at the end of the poll."""
    if isinstance(message, FileMessage):
        metrics.FILES.labels(message.status if message.error_code is UNSET else message.error_code).inc()
    elif isinstance(message, BatchStartedMessage):
        if message.attempt == 1:
            metrics.BATCH_WAIT_SECONDS.observe(max(0.0, (message.at - state.created_at).total_seconds()))
    elif isinstance(message, BatchCompletedMessage):
        _ended(message, state, message.status)
    elif isinstance(message, BatchFailedMessage):
        metrics.BATCH_FAILURES.labels(message.code).inc()
        _ended(message, state, "failed")
    elif isinstance(message, BatchCancelledMessage):
        _ended(message, state, "cancelled")


def _ended(message: AnyFeedMessage, state: BatchState, status: str) -> None:
    metrics.BATCHES.labels(state.policy, status).inc()
    if state.attempt:
        metrics.BATCH_ATTEMPTS.observe(state.attempt)
    if state.started_at is not None:  # cancelled before it began, or retried within the same poll
        metrics.BATCH_SECONDS.labels(state.policy, status).observe(max(0.0, (message.at - state.started_at).total_seconds()))

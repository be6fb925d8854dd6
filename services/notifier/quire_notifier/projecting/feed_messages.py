"""What a subscriber is told about an event, from the batch before and after it (docs/design.md, "Record in the notifier"). Pure.

Every file whose standing changed into a settled one gets one FILES_PROCESSED, before the message about the batch's own end.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal, TypedDict, cast

from msgspec import UNSET

from quire_notifier.projecting.rows import positions
from quire_schemas.batch import BatchState, FileState
from quire_schemas.events import (
    BatchCancelRequested,
    BatchCompleted,
    BatchCreated,
    BatchFailed,
    BatchProgressed,
    BatchReleased,
    BatchRetryRequested,
    BatchStarted,
    Event,
)
from quire_schemas.messages import (
    AnyFeedMessage,
    BatchCancelledMessage,
    BatchCompletedMessage,
    BatchCreatedMessage,
    BatchFailedMessage,
    BatchProgressMessage,
    BatchRetryMessage,
    BatchStartedMessage,
    FileMessage,
)
from quire_schemas.views import CreatedFile

UNNUMBERED = 0
"""The `seq` of a message that has not got its place in the feed yet."""


class _Head(TypedDict):
    collection_id: str
    seq: int
    batch_id: str
    at: datetime


class _Counts(TypedDict):
    processed: int
    failed: int
    cancelled: int
    total: int


Step = tuple[BatchState | None, BatchState, Event]


def feed_messages(before: BatchState | None, after: BatchState | None, event: Event) -> list[AnyFeedMessage]:
    """The messages of an event that took the batch from `before` to `after`, in their order, not numbered yet; none for an
    event that was not accepted.
    """
    if after is None or after is before:
        return []
    about_batch = _ABOUT_BATCH.get(type(event.data))
    messages: list[AnyFeedMessage] = [_file(file, _head(after, event)) for file in _newly_settled(before, after)]
    if about_batch is not None:
        messages.append(about_batch((before, after, event)))
    return messages


def _newly_settled(before: BatchState | None, after: BatchState) -> Iterator[FileState]:
    known = before.files if before is not None else {}
    for file_id, file in after.files.items():
        if not file.settled:
            continue
        earlier = known.get(file_id)
        if earlier is not file and (earlier is None or earlier.standing != file.standing):
            yield file


def _file(file: FileState, head: _Head) -> FileMessage:
    processed = file.standing == "processed"
    return FileMessage(
        **head,
        file_id=file.file_id,
        filename=file.filename,
        status=file.standing,
        page_count=UNSET if file.page_count is None else file.page_count,
        truncated=file.truncated if processed else UNSET,
        pages_read=UNSET if file.pages_read is None else file.pages_read,
        characters=UNSET if file.characters is None else file.characters,
        notices=file.notices if processed else UNSET,
        duration_ms=UNSET if file.duration_ms is None else file.duration_ms,
        error_code=UNSET if file.code is None else file.code,
        error_message=UNSET if file.message is None else file.message,
    )


def _created(step: Step) -> BatchCreatedMessage:
    _, after, event = step
    files = [CreatedFile(file_id=file.file_id, filename=file.filename, size=file.size) for file in after.files.values()]
    return BatchCreatedMessage(
        **_head(after, event),
        files=files,
        request_id=after.request_id,
        request_name=UNSET if after.request_name is None else after.request_name,
    )


def _started(step: Step) -> BatchStartedMessage:
    _, after, event = step
    return BatchStartedMessage(**_head(after, event), attempt=after.attempt, total=after.total)


def _progressed(step: Step) -> BatchProgressMessage:
    _, after, event = step
    assert after.stage is not None  # noqa: S101 -- what an accepted BatchProgressed sets
    return _progress(after, event, after.stage)


def _released(step: Step) -> BatchProgressMessage:
    _, after, event = step
    return _progress(after, event, "released")


def _progress(after: BatchState, event: Event, stage: Any) -> BatchProgressMessage:
    return BatchProgressMessage(
        **_head(after, event),
        stage=stage,
        processed=after.count("processed"),
        failed=after.count("failed"),
        total=after.total,
        in_flight=positions(after),
        waiting_for=list(after.waiting_for) if after.waiting_for else UNSET,
    )


def _completed(step: Step) -> BatchCompletedMessage:
    _, after, event = step
    started = after.started_at or event.time
    return BatchCompletedMessage(
        **_head(after, event),
        **_counts(after),
        status=cast("Literal['completed', 'completed_with_errors']", after.status),
        duration_ms=max(0, round((event.time - started).total_seconds() * 1000)),
    )


def _failed(step: Step) -> BatchFailedMessage:
    _, after, event = step
    assert after.error_code is not None  # noqa: S101 -- what an accepted BatchFailed sets
    message = after.error_message or ""
    return BatchFailedMessage(**_head(after, event), **_counts(after), code=after.error_code, message=message)


def _cancelled(step: Step) -> BatchCancelledMessage:
    _, after, event = step
    return BatchCancelledMessage(**_head(after, event), **_counts(after), reason=after.cancel_reason)


def _retried(step: Step) -> BatchRetryMessage:
    _, after, event = step
    return BatchRetryMessage(**_head(after, event), file_ids=list(after.unsettled()), generation=after.generation)


_ABOUT_BATCH: dict[type, Callable[[Step], AnyFeedMessage]] = {
    BatchCreated: _created,
    BatchStarted: _started,
    BatchProgressed: _progressed,
    BatchReleased: _released,
    BatchCompleted: _completed,
    BatchFailed: _failed,
    BatchCancelRequested: _cancelled,
    BatchRetryRequested: _retried,
}


def _head(after: BatchState, event: Event) -> _Head:
    return {"collection_id": after.collection_id, "seq": UNNUMBERED, "batch_id": after.batch_id, "at": event.time}


def _counts(after: BatchState) -> _Counts:
    return {
        "processed": after.count("processed"),
        "failed": after.count("failed"),
        "cancelled": after.count("cancelled"),
        "total": after.total,
    }
